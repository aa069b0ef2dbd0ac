"""A model by the step says what it says of whole contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.prediction import NEVER, Prediction
from nextvec.training.models.stepping import State, Stepping

if TYPE_CHECKING:
    from torch import Tensor

DIM, ITEMS = 6, 12
MEMORY = SequenceMemory(tau=0.5, cap=0.1)
BASE = ClosedForm(rates=(1.0, 0.3), weights=(0.4, 0.6), memory=MEMORY)
MEAN_ALONE = ClosedForm(rates=(1.0, 0.3), weights=(0.4, 0.6))

ITEM: dict[str, Any] = {"num_items": ITEMS}
COPYING: dict[str, Any] = {"num_items": ITEMS, "can_copy": True}
VECTORS: dict[str, Any] = {"reads": "vectors", "num_lags": 5, "base": BASE}

STEPPED = {
    "baseline of items": {"architecture": "baseline", **ITEM},
    "baseline that copies": {"architecture": "baseline", **COPYING},
    "memory of items": {"architecture": "memory", **ITEM},
    "memory that copies": {"architecture": "memory", **COPYING},
    "two layers that copy": {"architecture": "memory", "num_layers": 2, **COPYING},
    "hierarchy of items": {"architecture": "hierarchical", "chunk_size": 4, **ITEM},
    "two layers of hierarchy": {
        "architecture": "hierarchical",
        "chunk_size": 7,
        "num_layers": 2,
        **COPYING,
    },
    "baseline of documents": {"architecture": "baseline", **VECTORS},
    "memory of documents": {"architecture": "memory", "num_layers": 3, **VECTORS},
    "no memory in the base": {
        "architecture": "hierarchical",
        "reads": "vectors",
        "base": MEAN_ALONE,
    },
}

ALONE: dict[str, dict[str, Any]] = {
    "closed form": {"base": BASE},
    "mean alone": {"base": MEAN_ALONE, "reads": "vectors"},
    "what copying starts with": {"architecture": "memory", **COPYING},
    "how often items occur": {"architecture": "transformer", **ITEM},
}


def moved(options: dict[str, Any], *, is_run: bool = True) -> NextVectorModel:
    """Make a model whose every number has been moved, as training would."""
    torch.manual_seed(0)
    model = NextVectorModel(ModelConfig(dim=DIM, hidden_size=8, **options)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    model.is_run = is_run
    return model


def contexts(lengths: list[int], seed: int) -> list[Tensor]:
    """Make contexts whose vectors come again, as items of a session do."""
    generator = torch.Generator().manual_seed(seed)
    table_ND = normalize(torch.randn(ITEMS, DIM, generator=generator), dim=-1)
    return [
        table_ND[torch.randint(ITEMS, (length,), generator=generator)]
        for length in lengths
    ]


def whole(model: NextVectorModel, context_TD: Tensor) -> Prediction:
    with torch.inference_mode():
        return model.predict(context_TD[None], torch.tensor([len(context_TD)]))


def assert_alike(found: Prediction, at: int, expected: Prediction) -> None:
    """Compare one of some predictions with one alone, whose context is no longer."""
    torch.testing.assert_close(
        found.vectors[at], expected.vectors[0], atol=1e-5, rtol=1e-5
    )
    if expected.copies is None:
        assert found.copies is None
        return
    assert found.copies is not None
    width = expected.copies.shape[1]
    torch.testing.assert_close(
        found.copies[at, :width], expected.copies[0], atol=1e-5, rtol=1e-5
    )
    assert (found.copies[at, width:] <= NEVER).all()


def stepping_of(model: NextVectorModel) -> Stepping:
    found = Stepping.of(model)
    assert found is not None
    return found


def grow(
    stepping: Stepping, context_TD: Tensor, cuts: list[int]
) -> tuple[State, Prediction]:
    """Give a context piece by piece."""
    state, predicted = stepping.start(), None
    for cut in sorted({cut for cut in cuts if cut < len(context_TD)}):
        [state], predicted = stepping.step([state], [context_TD[:cut]])
    [state], predicted = stepping.step([state], [context_TD])
    return state, predicted


@pytest.mark.parametrize("name", STEPPED)
@settings(max_examples=10, deadline=None)
@given(
    length=st.integers(1, 100),
    cuts=st.lists(st.integers(1, 99), max_size=6),
    seed=st.integers(0, 1000),
)
def test_pieces_of_any_size_say_what_the_whole_context_says(
    name: str, length: int, cuts: list[int], seed: int
) -> None:
    model = moved(STEPPED[name])
    stepping, [context_TD] = stepping_of(model), contexts([length], seed)

    state, found = grow(stepping, context_TD, cuts)

    assert_alike(found, 0, whole(model, context_TD))
    assert state.length == length
    assert sum(one.rows.nbytes for one in state.places) + state.now.nbytes == (
        stepping.state_bytes(length)
    )
    assert stepping.state_bytes(length) <= state.size_bytes


@pytest.mark.parametrize("name", STEPPED)
def test_a_hundred_single_steps_say_what_whole_contexts_say(name: str) -> None:
    model = moved(STEPPED[name])
    stepping, [context_TD] = stepping_of(model), contexts([100], 1)
    state = stepping.start()
    with torch.inference_mode():
        expected = model.everywhere(context_TD[None])

    for at in range(100):
        [state], found = stepping.step([state], [context_TD[: at + 1]])

        copies = None if expected.copies is None else expected.copies[:, at, : at + 1]
        assert_alike(found, 0, Prediction(expected.vectors[:, at], copies))


@pytest.mark.parametrize("name", STEPPED)
@settings(max_examples=6, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 100), min_size=2, max_size=5),
    seed=st.integers(0, 1000),
)
def test_contexts_of_different_lengths_step_together(
    name: str, lengths: list[int], seed: int
) -> None:
    model = moved(STEPPED[name])
    stepping, given_contexts = stepping_of(model), contexts(lengths, seed)
    # one of them may be new: its first vector comes with the others' hundredth
    states = [
        grow(stepping, context_TD[:-1], [])[0]
        if len(context_TD) > 1
        else stepping.start()
        for context_TD in given_contexts
    ]

    after, found = stepping.step(states, given_contexts)

    for at, context_TD in enumerate(given_contexts):
        assert_alike(found, at, whole(model, context_TD))
        assert after[at].length == len(context_TD)
    # and what is kept of each is right as well
    again = [torch.cat([context_TD, context_TD[:1]]) for context_TD in given_contexts]
    _, found = stepping.step(after, again)
    for at, context_TD in enumerate(again):
        assert_alike(found, at, whole(model, context_TD))


@pytest.mark.parametrize("name", ALONE)
def test_what_a_network_starts_from_can_be_stepped_alone(name: str) -> None:
    model = moved(ALONE[name], is_run=False)
    stepping, [context_TD] = stepping_of(model), contexts([100], 2)

    for cuts in ([], [1, 2, 50, 99]):
        _, found = grow(stepping, context_TD, cuts)

        assert_alike(found, 0, whole(model, context_TD))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"architecture": "memory", "base": BASE}, id="similarities"),
        pytest.param({"architecture": "transformer", **ITEM}, id="transformer"),
        pytest.param({"architecture": "slots", **VECTORS}, id="slots"),
    ],
)
def test_what_reads_everything_anew_has_no_step(options: dict[str, Any]) -> None:
    assert Stepping.of(moved(options)) is None


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    model = moved(STEPPED["two layers that copy"])
    stepping, [context_TD] = stepping_of(model), contexts([30], 3)
    before, _ = grow(stepping, context_TD[:29], [])
    kept = [before.now.clone(), *(one.rows.clone() for one in before.places)]

    other_TD = torch.cat([context_TD[:29], context_TD[:1]])
    [after], first = stepping.step([before], [context_TD])
    [elsewhere], _ = stepping.step([before], [other_TD])
    _, second = stepping.step([before], [context_TD])

    torch.testing.assert_close(first.vectors, second.vectors, atol=0, rtol=0)
    now = [before.now, *(one.rows for one in before.places)]
    for one, copy in zip(now, kept, strict=True):
        assert torch.equal(one, copy)
    # and both ways on from it go on as if the other were not there
    for state, way_TD in ((after, context_TD), (elsewhere, other_TD)):
        further_TD = torch.cat([way_TD, context_TD[3:5]])
        _, found = stepping.step([state], [further_TD])
        assert_alike(found, 0, whole(model, further_TD))


@pytest.mark.parametrize(
    "lengths", [pytest.param([5, 7], id="unequal"), pytest.param([4, 4], id="none")]
)
def test_contexts_that_do_not_grow_alike_are_refused(lengths: list[int]) -> None:
    model = moved(STEPPED["baseline of items"])
    stepping = stepping_of(model)
    states = [grow(stepping, one, [])[0] for one in contexts([4, 4], 4)]

    with pytest.raises(ValueError, match="grow"):
        stepping.step(states, contexts(lengths, 4))
