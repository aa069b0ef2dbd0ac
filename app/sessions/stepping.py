"""Steps of many sessions, taken together; runs in the inference thread."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from nextvec.app.inference.engine import Answer, Engine, Query, answer
from nextvec.app.sessions.session import Session, Step
from nextvec.app.sessions.trail import Trail
from nextvec.training.models.prediction import Prediction
from nextvec.training.models.stepping import State, Stepping
from nextvec.training.vectors import Float32

_READ_ANEW: Final = 2
# A session that is full is read anew from the newer half of its vectors, and then has
# room for as many steps again.


def answer_all(items: Sequence[Query | Step]) -> list[Answer]:
    """Answer a batch of contexts and of steps, each as if it were alone.

    Several steps of one session are taken one after the other, in their order.
    """
    answers: dict[int, Answer] = {}
    queries = [at for at, item in enumerate(items) if isinstance(item, Query)]
    whole = [item for item in items if isinstance(item, Query)]
    answers |= zip(queries, answer(whole), strict=True)
    left = [(at, item) for at, item in enumerate(items) if isinstance(item, Step)]
    while left:
        round_: dict[Session, tuple[int, Step]] = {}
        later = []
        for at, step in left:
            if step.session in round_:
                later.append((at, step))
            else:
                round_[step.session] = (at, step)
        taken = take_steps([step for _, step in round_.values()])
        answers |= zip((at for at, _ in round_.values()), taken, strict=True)
        left = later
    return [answers[at] for at in range(len(items))]


def take_steps(steps: Sequence[Step]) -> list[Answer]:
    """Take one step of each of some sessions; none is changed if that fails."""
    engines: dict[Engine, list[Step]] = {}
    for step in steps:
        if step.answer is None:
            engines.setdefault(step.session.engine, []).append(step)
    for engine, own in engines.items():
        if engine.reads_rows:
            _by_rows(engine, own)
        else:
            _by_vectors(engine, own)
    return [step.answer for step in steps if step.answer is not None]


def _by_rows(engine: Engine, steps: Sequence[Step]) -> None:
    """Answer from all rows of each session: nothing else is kept of it."""
    trails = []
    for step in steps:
        trail = step.session.trail
        rows = np.empty(0, np.int64) if step.query.rows is None else step.query.rows
        longer = Trail(np.concatenate([trail.rows, rows]), trail.given)
        trails.append(longer.newest(step.session.window))
    queries = [
        replace(step.query, rows=trail.rows, context=None)
        for step, trail in zip(steps, trails, strict=True)
    ]
    answers = engine.run(queries)
    for step, trail, found in zip(steps, trails, answers, strict=True):
        step.settle(found, trail, None, reads_anew=step.session.total > 0)


def _by_vectors(engine: Engine, steps: Sequence[Step]) -> None:
    began = time.perf_counter()
    new, new_rows = engine.contexts([step.query for step in steps])
    trails = [
        step.session.trail.extended(rows, vectors).newest(step.session.window)
        for step, vectors, rows in zip(steps, new, new_rows, strict=True)
    ]
    contexts = [trail.context(engine.bundle.index.vectors) for trail in trails]
    read = [
        _Read.of(step, context_TD, engine.stepping)
        for step, context_TD in zip(steps, contexts, strict=True)
    ]
    if engine.stepping is None:
        states: list[State | None] = [None] * len(steps)
        prediction = engine.predict(contexts)
    else:
        states, prediction = _stepped(engine.stepping, read)
    answers = engine.answers(
        [step.query for step in steps],
        contexts,
        # copies are told of what the model has read
        [trail.rows[-len(own) :] for trail, own in zip(trails, read, strict=True)],
        prediction,
        began=began,
    )
    for step, found, trail, state, own in zip(
        steps, answers, trails, states, read, strict=True
    ):
        step.settle(found, trail, state, reads_anew=own.num_new > step.num_new)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the model reads for one step: its state, and the vectors it is of."""

    state: State | None
    context: Float32
    num_new: int

    @classmethod
    def of(cls, step: Step, context_TD: Float32, stepping: Stepping | None) -> "_Read":
        """Tell how a session gets on, given all vectors that are kept of it."""
        length, window = len(context_TD), step.session.window
        if stepping is None:
            return cls(None, context_TD, length)
        state = step.session.state
        if state is None:
            return cls(stepping.start(), context_TD, length)
        if state.length + step.num_new <= window:
            own_TD = context_TD[-(state.length + step.num_new) :]
            return cls(state, own_TD, step.num_new)
        # what is excluded and what may be copied differ from here on: the first is
        # all that is kept, the second what the model has read
        half = max(step.num_new, window // _READ_ANEW + 1)
        return cls(stepping.start(), context_TD[-half:], half)

    def __len__(self) -> int:
        """Return the number of vectors that the model has read after it."""
        return len(self.context)


def _stepped(
    stepping: Stepping, read: Sequence[_Read]
) -> tuple[list[State | None], Prediction]:
    """Step those together that have as many new vectors."""
    states: list[State | None] = [None] * len(read)
    predictions: dict[int, Prediction] = {}
    batches: dict[int, list[int]] = {}
    for at, own in enumerate(read):
        batches.setdefault(own.num_new, []).append(at)
    for batch in batches.values():
        after, predicted = stepping.step(
            [state for at in batch if (state := read[at].state) is not None],
            [torch.from_numpy(read[at].context) for at in batch],
        )
        for place, at in enumerate(batch):
            states[at], predictions[at] = after[place], predicted[[place]]
    return states, Prediction.joined([predictions[at] for at in range(len(read))])
