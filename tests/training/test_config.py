from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from training.config import (
    TrainingConfig,
    option_defaults,
    option_help,
    read_recipe,
    recipe_names,
)
from training.errors import TrainingError
from training.models.config import ModelConfig

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


def test_the_shipped_recipes_are_listed() -> None:
    assert recipe_names() == ["default", "items", "seed-failed", "seed-fixed", "smoke"]


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
def test_every_shipped_recipe_is_a_configuration(name: str, architecture: str) -> None:
    recipe = read_recipe(name)
    recipe.pop("architectures", None)

    config = TrainingConfig.from_dict(
        recipe | {"architecture": architecture}, source=name
    )

    assert config.architecture == architecture
    for option, value in (recipe | {"architecture": architecture}).items():
        assert getattr(config, option) == value


def test_the_seed_s_two_runs_differ_as_its_report_says() -> None:
    failed, fixed = read_recipe("seed-failed"), read_recipe("seed-fixed")

    assert (failed["lr"], failed["lambda_infonce"]) == (5e-4, 0.1)
    # none added: what is left is the network's own
    assert failed["dropout"] == 0.1
    assert (fixed["lr"], fixed["lambda_infonce"], fixed["dropout"]) == (1e-4, 0.05, 0.3)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param(
            {"learning_rate": 1.0},
            "no option is called 'learning_rate'; th",
            id="unknown",
        ),
        pytest.param({"lr": "fast"}, "lr takes float, got str 'fast'", id="text"),
        pytest.param({"lr": True}, "lr takes float, got bool True", id="bool"),
        pytest.param(
            {"patience": 2.0}, "patience takes int, got float 2.0", id="float"
        ),
        pytest.param(
            {"architecture": 1}, "architecture takes str, got int 1", id="int"
        ),
        pytest.param(
            {"architecture": "lstm"}, "architecture must be one of", id="arch"
        ),
        pytest.param({"hidden_size": 0}, "hidden_size must be at least 1", id="hidden"),
        pytest.param({"num_lags": 101}, "num_lags must lie in 1..100", id="lags"),
        pytest.param({"dropout": 1.0}, r"dropout must lie in \[0, 1\)", id="dropout"),
        pytest.param(
            {"transform": "pca"}, "transform must be identity", id="transform"
        ),
        pytest.param({"whiten_strength": 2}, "strength must lie in", id="strength"),
        pytest.param(
            {"lambda_mse": -1.0}, "loss weights must be at least 0", id="loss"
        ),
        pytest.param({"lambda_infonce": 0}, "not all 0", id="no loss"),
        pytest.param({"lr_final_share": 0.0}, "lr_final_share must lie", id="final"),
        pytest.param({"gce_q": 1.5}, r"gce_q must lie in \[0, 1\], got 1.5", id="q"),
        pytest.param({"lr": 0.0}, "lr must be above 0, got 0.0", id="lr"),
        pytest.param({"temperature": -1}, "temperature must be above 0", id="temp"),
        pytest.param({"grad_clip": 0}, "grad_clip must be above 0", id="clip"),
        pytest.param({"batch_size": 0}, "batch_size must be at least 1", id="batch"),
        pytest.param({"bank_size": 0}, "bank_size must be at least 1", id="bank"),
        pytest.param({"patience": 0}, "patience must be at least 1", id="patience"),
        pytest.param({"stride": 0}, "stride must be at least 1", id="stride"),
        pytest.param({"max_epochs": -1}, "max_epochs must be at least 0", id="epochs"),
        pytest.param({"min_delta": -0.1}, "min_delta must be at least 0", id="delta"),
        pytest.param({"weight_decay": -1.0}, "weight_decay must be", id="decay"),
        pytest.param({"warmup_steps": -1}, "warmup_steps must be", id="warm-up"),
        pytest.param({"seed": -1}, "seed must be at least 0, got -1", id="seed"),
        pytest.param({"split_seed": -1}, "seed must be at least 0", id="split seed"),
        pytest.param({"test_share": 0.9}, "shares leave no training", id="shares"),
        pytest.param({"device": "tpu"}, "device must be one of auto, cpu", id="device"),
        pytest.param(
            {"selection_pool": "all"}, "selection_pool must be one", id="pool"
        ),
    ],
)
def test_an_option_that_cannot_be_is_named(told: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=f"my.toml: .*{message}"):
        TrainingConfig.from_dict(told, source="my.toml")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "name", [n for n, value in option_defaults().items() if isinstance(value, float)]
)
def test_no_option_takes_a_number_that_is_not_finite(name: str, value: float) -> None:
    with pytest.raises(TrainingError, match=f"{name} must be a finite number"):
        TrainingConfig.from_dict({name: value}, source="my.toml")


def test_a_whole_number_stands_for_a_float() -> None:
    told = TrainingConfig.from_dict({"lr": 1}, source="a")

    assert told == TrainingConfig(lr=1.0)
    assert type(told.lr) is float


def test_a_configuration_comes_back_from_plain_values() -> None:
    config = TrainingConfig(lr=0.5, architecture="hierarchical", seed=7)

    assert TrainingConfig.from_dict(config.to_dict(), source="card") == config


def test_the_network_gets_every_option_it_knows() -> None:
    shared = {field.name for field in fields(ModelConfig)} & set(NAMES)
    told: dict[str, Any] = {
        "architecture": "hierarchical",
        "hidden_size": 3,
        "num_layers": 2,
        "dropout": 0.25,
        "input_dropout": 0.35,
        "num_lags": 5,
        "free_scale": 0.5,
        "num_slots": 7,
        "chunk_size": 9,
    }
    assert set(told) == shared

    model = TrainingConfig(**told).model(
        dim=11, base_rates=(1.0, 0.5), base_weights=(0.25, 0.75)
    )

    assert {name: getattr(model, name) for name in shared} == told
    assert (model.dim, model.base_rates, model.base_weights) == (
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


def test_a_recipe_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('lr = 0.5\narchitecture = "baseline"\n')

    assert read_recipe(str(path)) == {"lr": 0.5, "architecture": "baseline"}


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match=r"no recipe 'mine': .* default, items"):
        read_recipe("mine")


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no recipe '.*mine\.toml'"):
        read_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"lr = = 1", r"mine\.toml: not TOML"), (b"\xff\xfe", r"mine\.toml: not UTF-8")],
)
def test_a_recipe_that_is_not_toml_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)

    with pytest.raises(TrainingError, match=message):
        read_recipe(str(path))
