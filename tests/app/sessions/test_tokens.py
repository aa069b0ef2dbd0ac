"""Sessions that clients hold: what they hold comes back as it was, or not at all."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nextvec.app.errors import InvalidStateError, SessionGoneError
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.sessions import tokens as tokens_module
from nextvec.app.sessions.session import Session, Step
from nextvec.app.sessions.stepping import answer_all
from nextvec.app.sessions.tokens import Tokens
from nextvec.training.vectors import CONTEXT_LENGTH, l2_normalize

if TYPE_CHECKING:
    from nextvec.app.inference.engine import Answer

KEY = "a key of sixteen"


def append(session: Session, rows: list[int], *, vectors: bool = False) -> Answer:
    engine = session.engine
    context_TD = None
    row_T = np.array(rows)
    if vectors:
        dim = engine.bundle.index.dim
        context_TD = l2_normalize(np.random.default_rng(rows).normal(size=(1, dim)))
        row_T = np.full(1, -1)
    query = Query(engine=engine, rows=row_T, context=context_TD, k=5)
    [found] = answer_all([Step(session, query)])
    return found


@pytest.mark.parametrize("with_state", [True, False])
def test_a_session_goes_on_from_what_the_client_holds(
    item_engine: Engine, monkeypatch: pytest.MonkeyPatch, with_state: bool
) -> None:
    if not with_state:
        monkeypatch.setattr(tokens_module, "MOST_STATE_BYTES", 0)
    tokens, kept = Tokens(KEY), Session.new(item_engine, CONTEXT_LENGTH)
    held = tokens.write(Session.new(item_engine, CONTEXT_LENGTH))

    for row in range(12):
        session = tokens.read(held, item_engine, CONTEXT_LENGTH)
        assert (session.state is not None) == (with_state and row > 0)
        found = append(session, [row], vectors=row == 3)
        held = tokens.write(session)

        expected = append(kept, [row], vectors=row == 3)
        np.testing.assert_allclose(found.found.scores, expected.found.scores, atol=1e-4)
        assert found.num_context == expected.num_context == row + 1
    assert session.total == 12


def test_a_state_that_is_too_large_stays_out(
    item_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.new(item_engine, CONTEXT_LENGTH)
    append(session, list(range(12)))
    assert session.state is not None
    with_it = len(Tokens(KEY).write(session))
    monkeypatch.setattr(tokens_module, "MOST_STATE_BYTES", 100)

    without = len(Tokens(KEY).write(session))

    assert without < 1000
    assert with_it - without > session.state.now.nbytes


@pytest.mark.parametrize("at", [0, 1, 5, 40, -40, -1])
def test_what_was_changed_is_refused(item_engine: Engine, at: int) -> None:
    tokens, session = Tokens(KEY), Session.new(item_engine, CONTEXT_LENGTH)
    append(session, [1, 2, 3])
    content = bytearray(urlsafe_b64decode(tokens.write(session)))
    content[at] ^= 1
    changed = urlsafe_b64encode(bytes(content)).decode()

    with pytest.raises(InvalidStateError, match="not signed"):
        tokens.read(changed, item_engine, CONTEXT_LENGTH)


@pytest.mark.parametrize("token", ["", "é", "x", "A" * 400])
def test_what_was_never_signed_is_refused(item_engine: Engine, token: str) -> None:
    with pytest.raises(InvalidStateError, match="not signed"):
        Tokens(KEY).read(token, item_engine, CONTEXT_LENGTH)


def test_without_a_key_another_process_refuses_it(item_engine: Engine) -> None:
    held = Tokens(None).write(Session.new(item_engine, CONTEXT_LENGTH))

    with pytest.raises(InvalidStateError, match="NEXTVEC_SESSION_KEY"):
        Tokens(None).read(held, item_engine, CONTEXT_LENGTH)


def test_another_bundle_does_not_take_it(item_engine: Engine, engine: Engine) -> None:
    held = Tokens(KEY).write(Session.new(item_engine, CONTEXT_LENGTH))

    with pytest.raises(SessionGoneError, match=item_engine.bundle.manifest.version):
        Tokens(KEY).read(held, engine, CONTEXT_LENGTH)


def test_another_version_is_named(
    item_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "_VERSION", b"\x02")
    held = Tokens(KEY).write(Session.new(item_engine, CONTEXT_LENGTH))
    monkeypatch.undo()

    with pytest.raises(InvalidStateError, match="expected version 1, got 2"):
        Tokens(KEY).read(held, item_engine, CONTEXT_LENGTH)


def test_a_service_of_a_smaller_window_reads_it_anew(item_engine: Engine) -> None:
    session = Session.new(item_engine, CONTEXT_LENGTH)
    append(session, list(range(30)))
    held = Tokens(KEY).write(session)

    read = Tokens(KEY).read(held, item_engine, 10)

    assert read.state is None
    assert read.trail.rows.tolist() == list(range(20, 30))
    whole = Session.new(item_engine, 10)
    expected = append(whole, [*range(21, 30), 7])
    np.testing.assert_allclose(
        append(read, [7]).found.scores, expected.found.scores, atol=1e-4
    )


def test_of_a_network_that_reads_anew_rows_are_held_alone(engine: Engine) -> None:
    session = Session.new(engine, CONTEXT_LENGTH)
    append(session, [4, 5])

    read = Tokens(KEY).read(Tokens(KEY).write(session), engine, CONTEXT_LENGTH)

    assert read.state is None
    assert read.trail.rows.tolist() == [4, 5]
