import ast
import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

import nextvec
from nextvec.training.checkpoint import (
    FORMAT,
    load_checkpoint,
    model_settings,
    save_weights,
    weights_bytes,
)
from nextvec.training.errors import CheckpointError
from nextvec.training.files import write_json
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel, predict
from nextvec.training.models.options import Architecture
from nextvec.training.models.prediction import Prediction
from nextvec.training.run_folder import CARD, WEIGHTS
from nextvec.training.transform import Transform
from nextvec.training.transform_config import TransformConfig
from nextvec.training.vectors import l2_normalize


def make_checkpoint(
    folder: Path, architecture: Architecture = "memory"
) -> NextVectorModel:
    torch.manual_seed(3)
    config = ModelConfig(
        dim=5,
        architecture=architecture,
        hidden_size=4,
        num_slots=3,
        num_lags=2,
        reads="vectors",
        base=ClosedForm(rates=(1.0, 0.25), weights=(0.5, 0.5)),
    )
    model = NextVectorModel(config)
    rng = np.random.default_rng(3)
    vectors = l2_normalize(rng.normal(size=(50, 5)))
    transform = Transform.fit(vectors, TransformConfig())
    folder.mkdir(exist_ok=True)
    save_weights(folder / WEIGHTS, model.state_dict(), transform)
    write_json(folder / CARD, {"format": FORMAT, "model": model_settings(config)})
    return model


def test_a_network_that_adds_nothing_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_checkpoint(tmp_path)
    change_card(tmp_path, lambda card: card | {"is_better_than_base": False})
    model = load_checkpoint(tmp_path).model
    monkeypatch.setattr(model, "encoder", None)
    vectors = l2_normalize(np.random.default_rng(0).normal(size=(18, 5)))
    context_BTD = torch.from_numpy(vectors.reshape(2, 9, 5))
    length_B = torch.tensor([9, 4])

    found = model.predict(context_BTD, length_B)

    base_B1D = model.config.base.at(context_BTD, length_B[:, None] - 1)
    expected = torch.nn.functional.normalize(base_B1D[:, 0], dim=-1)
    torch.testing.assert_close(found.vectors, expected)


def test_a_network_of_items_that_adds_nothing_is_not_run_either() -> None:
    config = ModelConfig(dim=5, hidden_size=4, num_items=9, can_copy=True)
    model = NextVectorModel(config).eval()
    assert model.items is not None
    vectors = l2_normalize(np.random.default_rng(0).normal(size=(9, 5)))
    model.items.start(torch.from_numpy(vectors), torch.arange(9))
    rows = torch.tensor([[0, 1, 2, 0, 1], [3, 4, 3, 0, 0]])
    context_BTD, length_B = model.items.unit()[rows].detach(), torch.tensor([5, 3])

    with torch.inference_mode():
        run = model.predict(context_BTD, length_B)
        model.is_run = False
        model.encoder.forward = None  # type: ignore[assignment]
        found = model.predict(context_BTD, length_B)

    assert run.copies is not None
    assert found.copies is not None
    torch.testing.assert_close(found.copies, run.copies)
    torch.testing.assert_close(found.vectors, run.vectors)


def change_weights(
    folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    path = folder / WEIGHTS
    path.write_bytes(save(change(load(path.read_bytes()))))


def change_card(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(change(card)))


@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
def test_a_checkpoint_comes_back_bit_for_bit(
    architecture: Architecture, tmp_path: Path
) -> None:
    model = make_checkpoint(tmp_path, architecture)

    loaded = load_checkpoint(tmp_path)

    assert not loaded.model.training
    assert loaded.model.config == model.config
    state = loaded.model.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[n], t) for n, t in model.state_dict().items())
    again = weights_bytes(state, loaded.transform)
    assert again == (tmp_path / WEIGHTS).read_bytes()


def test_the_transform_comes_back_bit_for_bit(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    rng = np.random.default_rng(3)
    vectors = l2_normalize(rng.normal(size=(50, 5)))
    transform = Transform.fit(vectors, TransformConfig())

    loaded = load_checkpoint(tmp_path).transform

    assert loaded.scale == transform.scale
    assert np.array_equal(loaded.apply(vectors), transform.apply(vectors))
    assert np.array_equal(loaded.invert(vectors), transform.invert(vectors))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"{tmp_path}: no checkpoint here"):
        load_checkpoint(tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / WEIGHTS).unlink()

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: no weights here"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.999], ids=str)
def test_truncated_weights_are_refused(tmp_path: Path, kept: float) -> None:
    make_checkpoint(tmp_path)
    data = (tmp_path / WEIGHTS).read_bytes()
    size = int(kept * len(data)) if isinstance(kept, float) else kept
    (tmp_path / WEIGHTS).write_bytes(data[:size])

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: not a whole safetensors"):
        load_checkpoint(tmp_path)


def test_weights_that_are_something_else_are_refused(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    torch.save({"a": torch.ones(3)}, tmp_path / WEIGHTS)

    with pytest.raises(CheckpointError, match="not a whole safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["model.head.free.bias", "transform.matrix"])
def test_weights_that_are_not_finite_are_refused(
    tmp_path: Path, name: str, value: float
) -> None:
    make_checkpoint(tmp_path)

    def spoil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        tensors[name].view(-1)[0] = value
        return tensors

    change_weights(tmp_path, spoil)

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: the weights hold NaN"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda t: t | {"model.more": torch.ones(1)}, id="one more"),
        pytest.param(
            lambda t: {n: v for n, v in t.items() if n != "model.head.free.bias"},
            id="one less",
        ),
        pytest.param(
            lambda t: {n: v for n, v in t.items() if n != "transform.scale"},
            id="no transform",
        ),
        pytest.param(
            lambda t: t | {"model.head.free.bias": torch.ones(4)}, id="another shape"
        ),
        pytest.param(lambda t: t | {"transform.scale": torch.ones(2)}, id="two scales"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    make_checkpoint(tmp_path)
    change_weights(tmp_path, change)

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: the weights are not those"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mean", (4,)),
        ("mean", ()),
        ("mean", (1, 5)),
        ("matrix", (5, 4)),
        ("matrix", (4, 4)),
        ("inverse", (5,)),
    ],
)
def test_a_transform_of_another_length_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    make_checkpoint(tmp_path)
    change_weights(tmp_path, lambda t: t | {f"transform.{name}": torch.ones(shape)})

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: the transform"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("architecture", ["baseline", "hierarchical"])
def test_a_card_of_another_architecture_is_refused(
    tmp_path: Path, architecture: str
) -> None:
    make_checkpoint(tmp_path, "memory")

    def change(card: dict[str, Any]) -> dict[str, Any]:
        card["model"]["architecture"] = architecture
        return card

    change_card(tmp_path, change)

    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: the weights are not those"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda c: c | {"format": 1}, "expected checkpoint format 4, got 1", id="1"
        ),
        pytest.param(
            lambda _: [1], "expected checkpoint format 4, got None", id="list"
        ),
        pytest.param(lambda c: {"format": c["format"]}, "cannot build", id="no model"),
        pytest.param(
            lambda c: c | {"model": c["model"] | {"units": 3}}, "units", id="unknown"
        ),
        pytest.param(
            lambda c: c | {"model": c["model"] | {"dim": 0}},
            "dim: Input should be greater than 0, got 0",
            id="range",
        ),
        pytest.param(
            lambda c: c | {"model": c["model"] | {"dim": 5.5}},
            "cannot build",
            id="half",
        ),
        pytest.param(
            lambda c: c | {"model": c["model"] | {"base": {"rates": None}}},
            "cannot build a network",
            id="no rates",
        ),
    ],
)
def test_a_card_that_describes_no_network_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    make_checkpoint(tmp_path)
    change_card(tmp_path, change)

    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path)

    assert str(tmp_path / CARD) in str(caught.value)


def test_a_card_that_is_not_json_is_refused(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / CARD).write_text('{"format": 1,')

    with pytest.raises(CheckpointError, match=f"{CARD}: not JSON"):
        load_checkpoint(tmp_path)


def test_nothing_in_the_package_can_unpickle() -> None:
    library = Path(nextvec.__path__[0])
    # the rooms are links, which a search does not follow
    rooms = [(library / room).resolve().rglob("*.py") for room in ("app", "training")]
    files = [*library.glob("*.py"), *chain.from_iterable(rooms)]
    assert len(files) > 200

    found: list[str] = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names}
                names.add(getattr(node, "module", None) or "")
                found += names & {"pickle", "joblib", "shelve", "dill", "marshal"}
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                found += [called] if called in {"torch.load", "torch.save"} else []
                told = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if called == "np.load" and told.get("allow_pickle") != "False":
                    found.append(f"{file.name}: {called}")

    assert found == []


@pytest.mark.parametrize("block", [1, 3, 64])
def test_predicting_in_blocks_changes_nothing(tmp_path: Path, block: int) -> None:
    model = make_checkpoint(tmp_path).eval()
    context_QTD = torch.nn.functional.normalize(torch.randn(7, 9, 5), dim=-1)
    length_Q = torch.tensor([9, 1, 5, 9, 2, 8, 9])

    predicted = predict(model, context_QTD, length_Q, block=block)

    one_by_one = [
        model.predict(context_QTD[q : q + 1], length_Q[q : q + 1]) for q in range(7)
    ]
    together = Prediction.joined(one_by_one).vectors
    torch.testing.assert_close(predicted.vectors, together, atol=1e-6, rtol=0)
    assert not predicted.vectors.requires_grad


def test_predicting_for_nothing_gives_nothing(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path).eval()

    empty = torch.empty(0, dtype=torch.int64)
    predicted = predict(model, torch.empty(0, 9, 5), empty)

    assert predicted.vectors.shape == (0, 5)
