from dataclasses import fields
from typing import Any

import orjson
import pytest

from nextvec.training.config import TrainingConfig, option_defaults, option_help
from nextvec.training.errors import TrainingError
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.config import ModelConfig

NAMES = [field.name for field in fields(TrainingConfig)]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained_and_has_a_default(name: str) -> None:
    words = option_help()[name]

    assert len(words) > 15
    assert words.endswith(".")
    assert "\n" not in words
    assert option_defaults()[name] == getattr(TrainingConfig(), name)


def test_nothing_else_is_explained() -> None:
    assert list(option_help()) == NAMES
    assert list(option_defaults()) == NAMES


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("lr", "fast", "a valid number"),
        ("lr", True, "a valid number"),
        ("patience", 2.0, "a valid integer"),
        ("patience", True, "a valid integer"),
        (
            "architecture",
            1,
            "'baseline', 'memory', 'hierarchical', 'slots', 'lin",
        ),
        (
            "architecture",
            "lstm",
            "'baseline', 'memory', 'hierarchical', 'slots', 'lin",
        ),
        ("hidden_size", 0, "greater than 0"),
        ("num_lags", 101, "less than or equal to 100"),
        ("num_lags", 0, "greater than or equal to 1"),
        ("dropout", 1.0, "less than 1"),
        ("input_dropout", -0.1, "greater than or equal to 0"),
        ("free_scale", -0.1, "greater than or equal to 0"),
        ("transform", "pca", "'identity', 'center' or 'whiten'"),
        ("whiten_strength", 2, "less than or equal to 1"),
        ("whiten_shrinkage", -0.1, "greater than or equal to 0"),
        ("lambda_mse", -1.0, "greater than or equal to 0"),
        ("lr_final_share", 0.0, "greater than 0"),
        ("gce_q", 1.5, "less than or equal to 1"),
        ("lr", 0.0, "greater than 0"),
        ("temperature", -1, "greater than 0"),
        ("grad_clip", 0, "greater than 0"),
        ("batch_size", 0, "greater than 0"),
        ("bank_size", 0, "greater than 0"),
        ("document_negatives", -1, "greater than or equal to 0"),
        ("patience", 0, "greater than 0"),
        ("stride", 0, "greater than 0"),
        ("max_epochs", -1, "greater than or equal to 0"),
        ("min_delta", -0.1, "greater than or equal to 0"),
        ("weight_decay", -1.0, "greater than or equal to 0"),
        ("warmup_steps", -1, "greater than or equal to 0"),
        ("seed", -1, "greater than or equal to 0"),
        ("split_seed", -1, "greater than or equal to 0"),
        ("validation_share", 0.0, "greater than 0"),
        ("device", "tpu", "'auto', 'cpu' or 'cuda'"),
        ("selection_pool", "all", "'auto', 'targets', 'documents' or 'index'"),
    ],
)
def test_an_option_that_cannot_be_is_named_with_what_was_expected(
    name: str, value: object, expected: str
) -> None:
    with pytest.raises(TrainingError) as refused:
        TrainingConfig.from_dict({name: value}, source="my.toml")

    said = str(refused.value)
    assert said.startswith(f"my.toml: {name}: Input should be {expected}")
    assert said.endswith(f", got {value!r}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"learning_rate": 1.0}, "no option is called 'learning_rate'; there are arch"),
        ({"lambda_infonce": 0}, "loss weights must not all be 0"),
        ({"test_share": 0.9}, r"shares leave no training: 0.15 \+ 0.9"),
        ({"lr": 0.0, "seed": -1}, "lr: .* got 0.0; seed: .* got -1"),
    ],
)
def test_options_that_cannot_go_together_are_refused(
    told: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=f"my.toml: {message}"):
        TrainingConfig.from_dict(told, source="my.toml")


def test_a_wrong_call_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        TrainingConfig(lr=0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "name", [n for n, value in option_defaults().items() if isinstance(value, float)]
)
def test_no_option_takes_a_number_that_is_not_finite(name: str, value: float) -> None:
    with pytest.raises(TrainingError, match=f"{name}: .* a finite number, got"):
        TrainingConfig.from_dict({name: value}, source="my.toml")


def test_a_whole_number_stands_for_a_float() -> None:
    told = TrainingConfig.from_dict({"lr": 1}, source="a")

    assert told == TrainingConfig(lr=1.0) == TrainingConfig(lr=1)
    assert orjson.dumps(told.to_dict()) == orjson.dumps(TrainingConfig(lr=1).to_dict())
    assert b'"lr":1.0,' in orjson.dumps(told.to_dict())


def test_a_configuration_comes_back_from_plain_values() -> None:
    config = TrainingConfig(lr=0.5, architecture="hierarchical", seed=7)

    assert TrainingConfig.from_dict(config.to_dict(), source="card") == config


def test_the_network_gets_every_option_it_knows() -> None:
    shared = {field.name for field in fields(ModelConfig)} & set(NAMES)
    told: dict[str, Any] = {
        "architecture": "hierarchical",
        "reads": "vectors",
        "hidden_size": 3,
        "num_layers": 2,
        "dropout": 0.25,
        "input_dropout": 0.35,
        "num_lags": 5,
        "free_scale": 0.5,
        "num_slots": 7,
        "chunk_size": 9,
        "item_vectors": "frozen",
    }
    assert set(told) == shared

    model = ModelConfig.of(
        TrainingConfig(**told),
        dim=11,
        base=ClosedForm(rates=(1.0, 0.5), weights=(0.25, 0.75)),
    )

    assert {name: getattr(model, name) for name in shared} == told
    assert (model.dim, model.base.rates, model.base.weights) == (
        11,
        (1.0, 0.5),
        (0.25, 0.75),
    )


def test_split_and_transform_get_their_options() -> None:
    config = TrainingConfig(
        split_seed=3,
        validation_share=0.3,
        test_share=0.2,
        transform="center",
        whiten_strength=0.75,
        whiten_shrinkage=0.5,
    )

    split, transform = config.split, config.transform_config

    assert (split.seed, split.validation, split.test) == (3, 0.3, 0.2)
    assert transform.kind == "center"
    assert (transform.strength, transform.shrinkage) == (0.75, 0.5)
