"""Requests as clients send them, of every kind, made from nothing but the service."""

from typing import TYPE_CHECKING, Final, Self

import numpy as np

from benchmarks.faults.connection import (
    Connection,
    as_json,
    as_octets,
    request,
)
from nextvec.training.context_length import CONTEXT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

_ASKED: Final = 20
_BATCH: Final = 4


class Traffic:
    """Makes valid requests for the service that listens on a port."""

    def __init__(self, dim: int, ids: list[str], seed: int) -> None:
        """Know what contexts are made of.

        Args:
            dim: length D of a vector.
            ids: names of vectors that the index holds.
            seed: of what is asked.
        """
        self.dim, self._ids = dim, ids
        self._rng = np.random.default_rng(seed)
        self._kinds: dict[str, tuple[float, Callable[[], bytes]]] = {
            "octets": (0.45, self.octets),
            "ids": (0.25, self.ids),
            "JSON": (0.15, self.json),
            "batch": (0.05, self.batch),
            "session": (0.05, self.session),
            "health": (0.05, lambda: request("GET", "/livez")),
        }

    @classmethod
    async def of(cls, port: int, seed: int = 0, key: str | None = None) -> Self:
        """Ask the service for D, and for names by predictions."""
        async with Connection(port, key=key) as connection:
            info = (await connection.ask(request("GET", "/info"))).json()
            limits = info["limits"]
            if not isinstance(limits, dict):
                msg = f"expected limits in /info, got {limits!r}"
                raise TypeError(msg)
            made = cls(int(limits["dim"]), [], seed)
            found: set[str] = set()
            for _ in range(_ASKED):
                answer = (await connection.ask(made.octets())).json()
                neighbors = answer["neighbors"]
                if isinstance(neighbors, list):
                    found |= {str(neighbor["id"]) for neighbor in neighbors}
        return cls(made.dim, sorted(found), seed)

    def any(self) -> tuple[str, bytes]:
        """Return the kind and the bytes of one request, drawn by how often it comes."""
        shares = np.array([share for share, _ in self._kinds.values()])
        kind = str(self._rng.choice(list(self._kinds), p=shares / shares.sum()))
        return kind, self._kinds[kind][1]()

    def octets(self) -> bytes:
        """Ask about a whole context of float32."""
        return as_octets("/predict?k=10", self._context().tobytes())

    def ids(self) -> bytes:
        """Ask about a context of names."""
        return as_json("/predict", {"ids": self._names(self._length())})

    def json(self) -> bytes:
        """Ask about vectors as JSON."""
        return as_json("/predict", {"context": self._context(self._length()).tolist()})

    def batch(self) -> bytes:
        """Ask about several contexts in one call."""
        contexts = np.stack([self._context() for _ in range(_BATCH)])
        shape = ",".join(str(size) for size in contexts.shape)
        return as_octets(f"/predict/batch?shape={shape}", contexts.tobytes())

    def session(self) -> bytes:
        """Open a session with a few names."""
        return as_json("/sessions", {"ids": self._names(5)})

    def _length(self) -> int:
        return int(self._rng.integers(1, CONTEXT_LENGTH + 1))

    def _names(self, number: int) -> list[str]:
        return [str(name) for name in self._rng.choice(self._ids, size=number)]

    def _context(self, length: int = CONTEXT_LENGTH) -> np.ndarray:
        return self._rng.standard_normal((length, self.dim)).astype("<f4")
