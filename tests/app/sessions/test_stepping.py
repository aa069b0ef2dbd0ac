"""Steps of sessions: the answers of whole contexts, together or one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.engine_names import EAGER, FUSED, INT8
from nextvec.app.inference.engine import Answer, Engine, Query
from nextvec.app.inference.predictors import make_predictor
from nextvec.app.sessions.session import Session, Step
from nextvec.app.sessions.stepping import answer_all
from nextvec.training.vectors import CONTEXT_LENGTH, Float32, Int64, l2_normalize
from tests.app.conftest import learn_by_lot

if TYPE_CHECKING:
    from tests.app.conftest import World

K = 7


def query(engine: Engine, rows: Int64, context: Float32 | None = None) -> Query:
    return Query(
        engine=engine,
        rows=rows,
        context=context,
        k=K,
        exclude_context=engine.bundle.suite.excludes_context,
        return_vector=True,
    )


def step(session: Session, rows: Int64, context: Float32 | None = None) -> Step:
    return Step(session, query(session.engine, rows, context))


def assert_alike(found: Answer, expected: Answer) -> None:
    """Compare answers, of which the last digits of scores may differ."""
    np.testing.assert_allclose(found.found.scores, expected.found.scores, atol=1e-4)
    sure = np.abs(np.diff(expected.found.scores)) > 1e-4
    if sure.all():
        assert found.found.rows.tolist() == expected.found.rows.tolist()
    assert found.vector is not None
    assert expected.vector is not None
    np.testing.assert_allclose(found.vector, expected.vector, atol=1e-4)
    assert found.num_context == expected.num_context


@pytest.fixture(params=["steps", "reads anew"])
def either(
    request: pytest.FixtureRequest, engine: Engine, item_engine: Engine
) -> Engine:
    """An engine that steps, and one whose network reads similarities."""
    return item_engine if request.param == "steps" else engine


@examples(max_examples=10, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 99), max_size=5),
    length=st.integers(1, 100),
    seed=st.integers(0, 99),
)
def test_a_session_is_answered_as_its_whole_context_is(
    item_engine: Engine, engine: Engine, cuts: list[int], length: int, seed: int
) -> None:
    for either in (item_engine, engine):
        rows = np.random.default_rng(seed).integers(
            len(either.bundle.index), size=length
        )
        session = Session.new(either, CONTEXT_LENGTH)
        ends = [*sorted({cut for cut in cuts if cut < length}), length]
        for start, end in zip([0, *ends], ends, strict=False):
            [found] = answer_all([step(session, rows[start:end])])

        [expected] = answer_all([query(either, rows)])
        assert_alike(found, expected)
        assert session.total == length


@pytest.mark.parametrize("name", [FUSED, INT8])
def test_a_session_is_answered_by_the_engine_of_its_bundle(
    items: World, name: str
) -> None:
    bundle = load_bundle(items.bundles / items.version)
    learn_by_lot(bundle.checkpoint.model)
    engine, eager = (
        Engine(bundle, make_predictor(bundle.checkpoint.model, one))
        for one in (name, EAGER)
    )
    rows = np.random.default_rng(5).integers(len(bundle.index), size=60)
    # of several lengths, which are stepped together
    sessions = [Session.new(engine, CONTEXT_LENGTH) for _ in range(3)]
    contexts = [rows, np.concatenate([rows[:9], rows[20:]]), rows[30:]]
    for session, own in zip(sessions, contexts, strict=True):
        answer_all([step(session, own[:-1])])

    found = answer_all(
        [step(one, own[-1:]) for one, own in zip(sessions, contexts, strict=True)]
    )

    expected = answer_all([query(engine, own) for own in contexts])
    trained = answer_all([query(eager, own) for own in contexts])
    assert engine.name == name
    for one, other, third in zip(found, expected, trained, strict=True):
        assert_alike(one, other)
        assert one.vector is not None
        assert third.vector is not None
        # which is not the network as it was trained, to the last digit
        assert not np.array_equal(one.vector, third.vector)


def test_sessions_of_all_lengths_are_stepped_beside_whole_contexts(
    either: Engine, rng: np.random.Generator
) -> None:
    lengths = [1, 2, 40, 99, 100, 17, 100]
    contexts = [rng.integers(len(either.bundle.index), size=n) for n in lengths]
    sessions = [Session.new(either, CONTEXT_LENGTH) for _ in contexts]
    before = [
        step(session, rows[:-1])
        for session, rows in zip(sessions, contexts, strict=True)
        if len(rows) > 1
    ]
    answer_all(before)
    steps = [
        step(session, rows[-1:])
        for session, rows in zip(sessions, contexts, strict=True)
    ]
    others = [query(either, rows) for rows in contexts]

    mixed = [item for pair in zip(steps, others, strict=True) for item in pair]
    found = answer_all(mixed)

    for stepped, expected in zip(found[::2], found[1::2], strict=True):
        assert_alike(stepped, expected)
    anew = [either.stepping is None and n > 1 for n in lengths]
    assert [one.reads_anew for one in steps] == anew


def test_steps_of_one_session_are_taken_in_their_order(
    either: Engine, rng: np.random.Generator
) -> None:
    rows = rng.integers(len(either.bundle.index), size=6)
    session = Session.new(either, CONTEXT_LENGTH)

    found = answer_all([step(session, rows[at : at + 1]) for at in range(6)])

    for at in range(6):
        assert_alike(found[at], answer_all([query(either, rows[: at + 1])])[0])


def test_a_batch_that_fails_takes_no_step_twice(
    either: Engine, rng: np.random.Generator
) -> None:
    rows = rng.integers(len(either.bundle.index), size=3)
    session = Session.new(either, CONTEXT_LENGTH)
    steps = [step(session, rows[at : at + 1]) for at in range(2)]
    # the second round fails, and everything is asked for again, one by one
    broken = step(session, np.array([10**9]))

    with pytest.raises(IndexError):
        answer_all([*steps, broken])
    again = [answer_all([one])[0] for one in steps]

    assert session.total == 2
    assert_alike(again[1], answer_all([query(either, rows[:2])])[0])
    assert_alike(
        answer_all([step(session, rows[2:])])[0], answer_all([query(either, rows)])[0]
    )


def test_vectors_that_are_no_rows_are_kept(
    either: Engine, rng: np.random.Generator
) -> None:
    dim, length = either.bundle.index.dim, 12
    given_TD = l2_normalize(rng.normal(size=(length, dim)))
    rows = np.where(np.arange(length) % 3 == 0, 5, -1)
    session = Session.new(either, CONTEXT_LENGTH)

    for at in range(length):
        part = slice(at, at + 1)
        [found] = answer_all([step(session, rows[part], given_TD[part])])

    [expected] = answer_all([query(either, rows, given_TD)])
    assert_alike(found, expected)
    assert len(session.trail.given) == (rows < 0).sum()


def test_past_its_window_a_session_that_steps_is_that_of_the_newer_half(
    item_engine: Engine, rng: np.random.Generator
) -> None:
    window, rows = 10, rng.integers(len(item_engine.bundle.index), size=40)
    session, anew = Session.new(item_engine, window), []

    for at in range(40):
        one = step(session, rows[at : at + 1])
        [found] = answer_all([one])
        anew.append(one.reads_anew)
        assert session.state is not None
        read = session.state.length

        assert_alike_read(found, item_engine, rows[at + 1 - read : at + 1])
        assert found.num_context == min(at + 1, window)

    # one to ten are equal to the whole; then every fifth step reads six vectors
    assert [at for at, is_anew in enumerate(anew) if is_anew] == [
        10,
        15,
        20,
        25,
        30,
        35,
    ]
    assert session.total == 40


def assert_alike_read(found: Answer, engine: Engine, rows: Int64) -> None:
    """Compare with what the model says of the rows that it has read."""
    [expected] = answer_all([query(engine, rows)])
    np.testing.assert_allclose(found.found.scores, expected.found.scores, atol=1e-4)


def test_past_its_window_one_that_reads_anew_is_that_of_the_newest(
    engine: Engine, rng: np.random.Generator
) -> None:
    window, rows = 10, rng.integers(len(engine.bundle.index), size=25)
    session = Session.new(engine, window)

    for at in range(25):
        [found] = answer_all([step(session, rows[at : at + 1])])

    assert_alike(found, answer_all([query(engine, rows[-window:])])[0])
    assert session.state is None


def test_what_is_kept_is_left_out_though_it_was_read_long_ago(
    item_engine: Engine, rng: np.random.Generator
) -> None:
    window, rows = 10, rng.permutation(len(item_engine.bundle.index))[:11]
    session = Session.new(item_engine, window)
    for at in range(11):
        one = step(session, rows[at : at + 1])
    asked = Query(engine=item_engine, rows=rows[10:], k=80, exclude_context=True)
    for at in range(10):
        answer_all([step(session, rows[at : at + 1])])

    [found] = answer_all([Step(session, asked)])

    assert one.answer is None
    assert session.state is not None
    assert session.state.length == 6
    assert not set(rows[1:].tolist()) & set(found.found.rows.tolist())
    assert rows[0] in found.found.rows


def test_sessions_take_little_memory(items: World, item_engine: Engine) -> None:
    session = Session.new(item_engine, CONTEXT_LENGTH)
    before = session.size_bytes
    answer_all([step(session, items.corpus.known(0)[:20])])

    assert before == 0
    assert item_engine.stepping is not None
    least = item_engine.stepping.state_bytes(20) + 8 * 20
    assert least <= session.size_bytes <= 2 * least
