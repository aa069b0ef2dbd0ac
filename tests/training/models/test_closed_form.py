import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.vectors import Float32


def unit_rows(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator), dim=-1)


def recalled(context_TD: Float32, memory: SequenceMemory) -> Float32:
    """Return what is remembered after the last vector, the slow obvious way."""
    states = []
    for end in range(1, len(context_TD) + 1):
        weights = memory.rate * (1 - memory.rate) ** np.arange(end)[::-1]
        state = weights @ context_TD[:end]
        states.append(state / np.linalg.norm(state))
    total, found = 0.0, np.zeros(context_TD.shape[1])
    for state, followed in zip(states[:-1], context_TD[1:], strict=True):
        weight = float(np.exp((state @ states[-1] - 1) / memory.tau))
        total, found = total + weight, found + weight * followed
    return np.asarray(found / max(total, memory.cap))


@given(
    length=st.integers(1, 30),
    rate=st.sampled_from([0.3, 0.7, 1.0]),
    tau=st.sampled_from([0.03, 0.3]),
    cap=st.sampled_from([1e-3, 5.0]),
)
def test_a_memory_agrees_with_a_loop(
    length: int, rate: float, tau: float, cap: float
) -> None:
    memory = SequenceMemory(rate=rate, tau=tau, cap=cap)
    context = unit_rows(1, length, 5, seed=length)

    found = memory.recall_at(context, torch.arange(length)[None])[0]

    for end in range(1, length + 1):
        expected = recalled(context[0, :end].numpy(), memory)
        np.testing.assert_allclose(found[end - 1], expected, atol=1e-5)


def test_the_past_is_all_that_a_memory_knows() -> None:
    context, other = unit_rows(2, 20, 6), unit_rows(2, 20, 6, seed=1)
    changed = context.clone()
    changed[:, 12:] = other[:, 12:]
    position = torch.arange(12).expand(2, -1)

    memory = SequenceMemory(tau=0.5)

    one, two = (memory.recall_at(c, position) for c in (context, changed))
    torch.testing.assert_close(one, two)


def test_nothing_is_carried_from_one_sequence_to_another() -> None:
    context, memory = unit_rows(3, 20, 6), SequenceMemory(tau=0.5)
    last = torch.full((3, 1), 19)

    together = memory.recall_at(context, last)

    alone = torch.cat([memory.recall_at(c[None], last[:1]) for c in context])
    torch.testing.assert_close(together, alone)


def test_what_came_next_is_remembered_where_a_state_returns() -> None:
    a, b, c, d = torch.eye(4)
    # c follows a-b once, and then a-b returns; d tells them apart
    context = torch.stack([a, b, c, d, a, b])[None]

    found = SequenceMemory(rate=1.0).recall_at(context, torch.tensor([[5]]))

    torch.testing.assert_close(found[0, 0], c)


def test_a_memory_without_anything_alike_is_silent() -> None:
    context = torch.eye(6)[None]

    found = SequenceMemory(rate=1.0).recall_at(context, torch.arange(6)[None])

    assert found.norm(dim=-1).max() < 1e-6


def test_padding_behind_a_context_changes_nothing() -> None:
    short, memory = unit_rows(1, 9, 4), SequenceMemory(tau=0.5)
    padded = torch.cat([short, torch.zeros(1, 11, 4)], dim=1)

    found = memory.recall_at(padded, torch.tensor([[8]]))

    expected = memory.recall_at(short, torch.tensor([[8]]))
    torch.testing.assert_close(found, expected)


def test_a_closed_form_is_the_mean_and_its_gain_of_memory() -> None:
    context, position = unit_rows(2, 15, 4), torch.tensor([[3, 14], [0, 7]])
    memory = SequenceMemory(tau=0.4, gain=0.6)
    plain = ClosedForm(rates=(0.5, 0.1), weights=(0.3, 0.7))
    both = ClosedForm(rates=(0.5, 0.1), weights=(0.3, 0.7), memory=memory)

    added = both.at(context, position) - plain.at(context, position)

    expected = 0.6 * memory.recall_at(context, position)
    torch.testing.assert_close(added, expected)
    lengths = plain.at(context, position).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones(2, 2))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param({"rates": ()}, "0 rates but 1 weights", id="rates"),
        pytest.param(
            {"rates": (0.0,)},
            r"rates.0\s+Input should be greater than 0",
            id="rate of 0",
        ),
        pytest.param({"weights": (0.5,)}, "must sum to 1", id="weights"),
        pytest.param({"memory": "long"}, "memory", id="memory"),
    ],
)
def test_what_is_no_closed_form_is_refused(
    told: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ClosedForm(**told)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["rate", "tau", "gain", "cap"])
def test_a_memory_s_numbers_are_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}\s+Input should be greater than 0"):
        SequenceMemory(**{name: 0.0})
