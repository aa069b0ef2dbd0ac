from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from nextvec.training.errors import TrainingError
from nextvec.training.fit.state import TrainingState, load_state, save_state
from nextvec.training.listener import Epoch
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.run_folder import STATE

EPOCH = Epoch(
    number=0,
    score=0.1 + 0.2,  # no short decimal
    step_loss=None,
    train_loss=1.5,
    validation_loss=1 / 3,
    train_cosine=0.1,
    validation_cosine=-0.1,
    train_score=0.5,
    seconds=1.5,
    is_best=True,
)


def make(hidden_size: int = 4) -> tuple[NextVectorModel, torch.optim.Optimizer]:
    torch.manual_seed(hidden_size)
    config = ModelConfig(dim=3, hidden_size=hidden_size, reads="vectors", num_lags=2)
    model = NextVectorModel(config)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def step(model: NextVectorModel, optimizer: torch.optim.Optimizer) -> None:
    torch.manual_seed(9)
    loss = model(torch.randn(2, 5, 3)).square().mul(torch.arange(3)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def saved(folder: Path) -> tuple[NextVectorModel, torch.optim.Optimizer]:
    model, optimizer = make()
    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for _ in range(3):
        step(model, optimizer)
    save_state(folder, TrainingState([EPOCH], 3, best), model, optimizer)
    return model, optimizer


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    same = all(torch.equal(left[name], right[name]) for name in right)
    return left.keys() == right.keys() and same


def test_a_run_stands_where_it_stood_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = saved(tmp_path)
    untrained, _ = make()
    other, other_optimizer = make()

    state = load_state(tmp_path, other, other_optimizer)

    assert state is not None
    assert state.history == [EPOCH]
    assert state.step == 3
    assert equal(state.best, untrained.state_dict())
    assert equal(other.state_dict(), model.state_dict())
    # the moments as well: the next step is the same one
    step(model, optimizer)
    step(other, other_optimizer)
    assert equal(other.state_dict(), model.state_dict())


def test_a_state_that_is_its_own_best_can_be_saved(tmp_path: Path) -> None:
    model, optimizer = make()
    state = TrainingState([EPOCH], 0, dict(model.state_dict()))

    save_state(tmp_path, state, model, optimizer)

    assert load_state(tmp_path, *make()) is not None


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path, *make()) is None


def without_metadata(data: bytes) -> bytes:
    return save(load(data))


def with_metadata(data: bytes, **told: str) -> bytes:
    length = int.from_bytes(data[:8], "little")
    metadata = orjson.loads(data[8 : 8 + length])["__metadata__"]
    return save(load(data), metadata=metadata | told)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"garbage" * 99, id="garbage"),
        pytest.param(without_metadata, id="no history"),
        pytest.param(
            lambda data: with_metadata(data, history="["), id="half a history"
        ),
        pytest.param(
            lambda data: with_metadata(data, history='[{"number": 1}]'),
            id="another form",
        ),
        pytest.param(
            lambda data: with_metadata(data, step="x"), id="no number of steps"
        ),
    ],
)
def test_a_damaged_state_is_refused_with_what_to_do(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    saved(tmp_path)
    path = tmp_path / STATE
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(TrainingError, match=f"{STATE}: cannot go on .* delete the run"):
        load_state(tmp_path, *make())


def test_the_state_of_another_network_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)

    with pytest.raises(TrainingError, match="cannot go on from it"):
        load_state(tmp_path, *make(hidden_size=5))
