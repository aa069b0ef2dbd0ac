"""Sessions that the client holds: opaque, versioned, signed."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import numpy as np
import torch
from safetensors.numpy import load, save

from nextvec.app.errors import InvalidStateError, SessionGoneError
from nextvec.app.inference.engine import Engine
from nextvec.app.sessions.session import Session
from nextvec.app.sessions.trail import Trail
from nextvec.training.models.growing import Kept
from nextvec.training.models.stepping import State

MOST_STATE_BYTES: Final = 8 << 10
"""A larger state stays out: to read the vectors anew costs less than to send it."""

_VERSION: Final = b"\x01"
_SIGNATURE_BYTES: Final = 32


class Tokens:
    """Writes and reads what a client holds of a session.

    Signed with HMAC-SHA256 (RFC 2104) over everything, so that rows and states that a
    client made up never reach the model; not encrypted, since all of it is the
    client's own.
    """

    def __init__(self, key: str | None) -> None:
        """Take the key; None makes one that lives as long as this object."""
        self._key = secrets.token_bytes(32) if key is None else key.encode()

    def write(self, session: Session) -> str:
        """Return what a client is to hold of a session."""
        arrays = {
            "rows": session.trail.rows.astype(np.int32),
            "given": session.trail.given,
            "total": np.array([session.total]),
        }
        state = session.state
        if state is not None:
            parts = [state.now, *(kept.rows for kept in state.places)]
            if sum(part.nbytes for part in parts) <= MOST_STATE_BYTES:
                arrays |= {f"{at}": part.numpy() for at, part in enumerate(parts)}
                arrays["length"] = np.array([state.length])
        bundle = session.engine.bundle.manifest.version.encode()
        length = len(bundle).to_bytes(2, "big")
        content = _VERSION + length + bundle + save(arrays)
        return urlsafe_b64encode(content + self._signature(content)).decode()

    def read(self, token: str, engine: Engine, window: int) -> Session:
        """Return the session that a client holds.

        Args:
            token: what `write` returned.
            engine: of the bundle that is live.
            window: how many of its vectors count, at most.

        Raises:
            InvalidStateError: nothing that this service has signed.
            SessionGoneError: another bundle is live.
        """
        try:
            signed = urlsafe_b64decode(token.encode())
        except ValueError:
            signed = b""
        content, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(content)):
            detail = (
                "state: expected what an answer of this service held, unchanged; it is "
                "not signed with its key, which is another after a restart unless "
                "NEXTVEC_SESSION_KEY is set"
            )
            raise InvalidStateError(detail)
        if content[:1] != _VERSION:
            detail = f"state: expected version {_VERSION[0]}, got {content[0]}"
            raise InvalidStateError(detail)
        end = 3 + int.from_bytes(content[1:3], "big")
        bundle = content[3:end].decode()
        if bundle != engine.bundle.manifest.version:
            detail = f"it is of bundle {bundle}, and another one is live"
            raise SessionGoneError(detail)
        arrays = load(content[end:])
        trail = Trail(arrays["rows"].astype(np.int64), arrays["given"])
        session = Session(engine, window, trail.newest(window))
        session.total = int(arrays["total"][0])
        # a service of other settings may keep fewer vectors than the state is of
        if "length" in arrays and arrays["length"][0] <= len(session.trail):
            session.state = _state(arrays)
        return session

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)


def _state(arrays: dict[str, np.ndarray]) -> State:
    # copies: what was read is not to be written to
    parts = [torch.from_numpy(arrays[f"{at}"].copy()) for at in range(len(arrays) - 4)]
    places = tuple(Kept.of(part) for part in parts[1:])
    return State(int(arrays["length"][0]), parts[0], places)
