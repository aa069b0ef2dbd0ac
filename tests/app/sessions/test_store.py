"""Open sessions: bounded in number, bytes and age, and who asks for one is told why."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nextvec.app.errors import SessionGoneError, UnknownSessionError
from nextvec.app.inference.engine import Engine
from nextvec.app.sessions.session import Session
from nextvec.app.sessions.store import SessionStore
from nextvec.app.sessions.trail import Trail
from nextvec.app.steps import finish

if TYPE_CHECKING:
    from collections.abc import Callable

ROW_BYTES = 8


class Clock:
    """Tells the time that a test says it is."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Shelf:
    """A store, its clock, and why sessions went."""

    def __init__(self, max_sessions: int, max_bytes: int) -> None:
        self.clock, self.gone = Clock(), list[str]()
        self.store = SessionStore(
            max_sessions=max_sessions,
            max_bytes=max_bytes,
            idle_s=60.0,
            on_gone=self.gone.append,
            clock=self.clock,
        )


@pytest.fixture
def shelf() -> Callable[..., Shelf]:
    def make(max_sessions: int = 10, max_bytes: int = 1 << 20) -> Shelf:
        return Shelf(max_sessions, max_bytes)

    return make


def session(engine: Engine, num_rows: int = 0) -> Session:
    made = Session.new(engine, window=100)
    give(made, num_rows)
    return made


def give(known: Session, num_rows: int) -> None:
    rows = np.zeros(num_rows, np.int64)
    nothing = np.zeros((0, known.engine.bundle.index.dim), np.float32)
    known.trail = Trail(np.concatenate([known.trail.rows, rows]), nothing)
    known.on_change()


def assert_gone(store: SessionStore, name: str, engine: Engine, words: str) -> None:
    with pytest.raises(SessionGoneError, match=re.escape(words)):
        store.get(name, engine)


def test_a_session_is_found_by_its_name(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    store, first, second = shelf().store, session(engine), session(engine)

    names = [store.add(first), store.add(second)]

    assert [store.get(name, engine) for name in names] == [first, second]
    assert len(store) == 2
    assert len(set(names)) == 2
    # a name without what all names of this process have in common is 144 random bits
    assert all(len(name) == 32 for name in names)


@pytest.mark.parametrize(
    "name", ["", "x", "é", "A" * 31, "A" * 36, urlsafe_b64encode(b"x" * 10).decode()]
)
def test_what_was_never_a_name_is_unknown(
    shelf: Callable[..., Shelf], engine: Engine, name: str
) -> None:
    with pytest.raises(UnknownSessionError, match="expected the name"):
        shelf().store.get(name, engine)


def test_a_session_of_another_process_is_gone(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    elsewhere = shelf().store.add(session(engine))

    assert_gone(shelf().store, elsewhere, engine, "before the service started")


def test_the_one_that_was_not_used_for_longest_makes_room(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf(max_sessions=2)
    store, first = shelf_.store, session(engine)
    names = [store.add(first), store.add(session(engine))]
    give(first, 1)

    names.append(store.add(session(engine)))

    assert_gone(store, names[1], engine, "there is room for 2 sessions")
    assert store.get(names[0], engine) is first
    assert shelf_.gone == ["evicted"]


def test_all_together_take_no_more_memory_than_they_may(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf(max_bytes=20 * ROW_BYTES)
    store, second = shelf_.store, session(engine, 8)
    first = store.add(session(engine, 8))
    name = store.add(second)
    assert store.size_bytes == 16 * ROW_BYTES

    give(second, 5)

    assert_gone(store, first, engine, f"{20 * ROW_BYTES} bytes")
    assert store.size_bytes == 13 * ROW_BYTES
    # one alone may be larger: it is being used
    give(second, 50)
    assert store.get(name, engine) is second


def test_a_session_that_is_not_used_expires(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf()
    store, kept = shelf_.store, session(engine)
    names = [store.add(kept), store.add(session(engine, 3))]
    shelf_.clock.now = 50.0
    give(kept, 1)
    shelf_.clock.now = 70.0

    assert len(store) == 1
    assert store.size_bytes == ROW_BYTES
    assert_gone(store, names[1], engine, "not used for 60 s")
    assert store.get(names[0], engine) is kept
    assert shelf_.gone == ["expired"]


def test_to_be_asked_for_is_to_be_used(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf(max_sessions=2)
    store, first = shelf_.store, session(engine)
    names = [store.add(first), store.add(session(engine))]
    shelf_.clock.now = 50.0
    store.get(names[0], engine)
    shelf_.clock.now = 100.0

    assert_gone(store, names[1], engine, "not used for 60 s")
    assert store.get(names[0], engine) is first


def test_of_very_many_that_are_idle_a_few_go_at_a_time(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf(max_sessions=1000)
    store = shelf_.store
    names = [store.add(session(engine)) for _ in range(250)]
    shelf_.clock.now = 61.0

    assert len(store) == 150
    # whoever asks for one of the others is told the truth all the same
    assert_gone(store, names[-1], engine, "not used for 60 s")
    assert len(store) == 0
    assert shelf_.gone == ["expired"] * 250


def test_a_session_that_was_deleted_is_gone(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_ = shelf()
    store, forgotten = shelf_.store, session(engine, 2)
    name = store.add(forgotten)

    store.delete(name, engine)

    assert_gone(store, name, engine, "deleted")
    assert (len(store), store.size_bytes, shelf_.gone) == (0, 0, ["deleted"])
    # a step that was being taken meanwhile changes nothing here
    give(forgotten, 1)
    assert store.size_bytes == 0
    with pytest.raises(SessionGoneError):
        store.delete(name, engine)


def test_a_session_ends_with_its_bundle(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    shelf_, other = shelf(), Engine(engine.bundle)
    name = shelf_.store.add(session(engine))

    assert_gone(shelf_.store, name, other, "another bundle is live")
    assert_gone(shelf_.store, name, engine, "another bundle is live")
    assert shelf_.gone == ["bundle"]


def test_reasons_are_remembered_for_a_while(
    shelf: Callable[..., Shelf], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextvec.app.sessions.store._REMEMBERED", 1)
    store = shelf(max_sessions=1).store
    names = [store.add(session(engine)) for _ in range(3)]

    assert_gone(store, names[0], engine, "too long ago")
    assert_gone(store, names[1], engine, "others were used")


def test_what_is_opened_while_another_bundle_takes_over_is_not_kept(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    mine, other = shelf(), Engine(engine.bundle)
    before = mine.store.add(session(engine))

    finish(mine.store.end_others(other))
    late = mine.store.add(session(engine))
    kept = mine.store.add(session(other))

    assert len(mine.store) == 1
    assert mine.gone == ["bundle", "bundle"]
    for name in (before, late):
        with pytest.raises(SessionGoneError, match="another bundle is live"):
            mine.store.get(name, other)
    assert mine.store.get(kept, other).engine is other


def test_sessions_of_what_is_live_again_meanwhile_stay(
    shelf: Callable[..., Shelf], engine: Engine
) -> None:
    mine, other = shelf(), Engine(engine.bundle)
    name = mine.store.add(session(engine))

    ending = mine.store.end_others(other)
    mine.store.end_others(engine)
    finish(ending)

    assert mine.store.get(name, engine).engine is engine
