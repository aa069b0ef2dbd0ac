"""Where open sessions are: bounded in number, bytes and age, the newest used kept."""

import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import RLock
from typing import Final

from nextvec.app.errors import SessionGoneError, UnknownSessionError
from nextvec.app.inference.engine import Engine
from nextvec.app.sessions.session import Session
from nextvec.app.steps import Steps

_MARK_BYTES: Final = 6
_SECRET_BYTES: Final = 18
# 144 random bits: who guesses a billion a second needs longer than there is time.

_REMEMBERED: Final = 10_000
# Sessions that are gone of which the reason is still known: a megabyte or two.

_AT_ONCE: Final = 100
# Sessions that are let go in one turn of the event loop: of 10,000 it took 28 ms.

_WHY: Final = {
    "deleted": "it was deleted",
    "expired": "it was not used for {idle_s:g} s",
    "evicted": "others were used since, and there is room for {most}",
    "bundle": "another bundle is live, in which its rows and state mean nothing",
}


@dataclass(slots=True)
class _Kept:
    session: Session
    used: float
    size_bytes: int = 0


class SessionStore:
    """The open sessions, each under a name that cannot be guessed.

    When there is no room, the one that has not been used for longest goes. Asked in the
    event loop, and told of changes in the inference thread.
    """

    def __init__(
        self,
        *,
        max_sessions: int,
        max_bytes: int,
        idle_s: float,
        on_gone: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set it up, empty.

        Args:
            max_sessions: most open sessions.
            max_bytes: most memory of all of them; the newest one stays in any case.
            idle_s: how long one is kept that is not used, in seconds.
            on_gone: told why, whenever one is gone.
            clock: tells the time, in seconds.
        """
        self._max_sessions, self._max_bytes = max_sessions, max_bytes
        self._idle_s, self._on_gone, self._clock = idle_s, on_gone, clock
        # the one that was used last is at the end
        self._open: OrderedDict[str, _Kept] = OrderedDict()
        self._gone: OrderedDict[str, str] = OrderedDict()
        self._only: Engine | None = None
        self._mark = secrets.token_bytes(_MARK_BYTES)
        self._total = 0
        self._lock = RLock()

    def __len__(self) -> int:
        """Return the number of open sessions."""
        with self._lock:
            self._expire()
            return len(self._open)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, in bytes."""
        with self._lock:
            self._expire()
            return self._total

    def add(self, session: Session) -> str:
        """Keep a session, and return its name."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        name = urlsafe_b64encode(self._mark + secret).decode()
        with self._lock:
            self._open[name] = _Kept(session, self._clock())
            self._note(name)
            if not self._is_current(session):
                # opened while another bundle took over
                self._drop(name, "bundle")
        session.on_change = partial(self._note, name)
        return name

    def end_others(self, engine: Engine) -> Steps[None]:
        """End the sessions of other bundles than the one that is live now.

        From the call on no other is kept; what is open goes some at a time, so that
        nobody waits while thousands do.
        """
        self._only = engine
        return self._end_others()

    def _end_others(self) -> Steps[None]:
        with self._lock:
            names = list(self._open)
        for start in range(0, len(names), _AT_ONCE):
            with self._lock:
                for name in names[start : start + _AT_ONCE]:
                    kept = self._open.get(name)
                    if kept is not None and not self._is_current(kept.session):
                        self._drop(name, "bundle")
            yield

    def _is_current(self, session: Session) -> bool:
        return self._only is None or session.engine is self._only

    def get(self, name: str, engine: Engine) -> Session:
        """Return a session.

        Args:
            name: what it is called.
            engine: of the bundle that is live.

        Raises:
            UnknownSessionError: no session is called that.
            SessionGoneError: it is there no more, and why.
        """
        with self._lock:
            self._expire()
            kept = self._open.get(name)
            if kept is None:
                raise self._missing(name)
            if self._is_idle(kept):
                self._drop(name, "expired")
                raise self._missing(name)
            if kept.session.engine is not engine:
                self._drop(name, "bundle")
                raise self._missing(name)
            # from here on: until its step is taken it must not be the oldest
            self._use(name)
            return kept.session

    def delete(self, name: str, engine: Engine) -> None:
        """Forget a session.

        Raises:
            UnknownSessionError: no session is called that.
            SessionGoneError: it is there no more, and why.
        """
        with self._lock:
            self.get(name, engine)
            self._drop(name, "deleted")

    def _note(self, name: str) -> None:
        """Note that a session has been used, and make room for what it now takes."""
        with self._lock:
            if name not in self._open:
                # it went while its step was being taken
                return
            kept = self._use(name)
            size = kept.session.size_bytes
            self._total += size - kept.size_bytes
            kept.size_bytes = size
            self._expire()
            while len(self._open) > 1 and self._is_over():
                self._drop(next(iter(self._open)), "evicted")

    def _is_over(self) -> bool:
        return len(self._open) > self._max_sessions or self._total > self._max_bytes

    def _use(self, name: str) -> "_Kept":
        kept = self._open[name]
        self._open.move_to_end(name)
        kept.used = self._clock()
        return kept

    def _is_idle(self, kept: "_Kept") -> bool:
        return kept.used < self._clock() - self._idle_s

    def _expire(self) -> None:
        """Drop what is idle, the rest of many when somebody asks next."""
        for name in list(islice(self._open, _AT_ONCE)):
            if not self._is_idle(self._open[name]):
                return
            self._drop(name, "expired")

    def _drop(self, name: str, reason: str) -> None:
        self._total -= self._open.pop(name).size_bytes
        self._gone[name] = reason
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)
        self._on_gone(reason)

    def _missing(self, name: str) -> SessionGoneError | UnknownSessionError:
        try:
            known = urlsafe_b64decode(name.encode())
        except ValueError:
            known = b""
        if len(known) != _MARK_BYTES + _SECRET_BYTES:
            return UnknownSessionError("expected the name that opening a session gave")
        if known[:_MARK_BYTES] != self._mark:
            return SessionGoneError(
                "it was opened before the service started, or in another process; "
                "sessions live in one process and end with it"
            )
        most = f"{self._max_sessions} sessions and {self._max_bytes} bytes"
        why = _WHY.get(self._gone.get(name, ""))
        if why is None:
            why = "it ended too long ago to say why"
        return SessionGoneError(why.format(idle_s=self._idle_s, most=most))
