"""How the vectors of a body of octets lie in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import numpy as np

from nextvec.app.errors import InvalidOptionError
from nextvec.app.wire.options import Limits, number, single
from nextvec.app.wire.quoting import quoted

DTYPES: Final[dict[str, np.dtype[np.floating]]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "float64": np.dtype("<f8"),
}
ONE_NAMES: Final = ("dtype",)
BATCH_NAMES: Final = (*ONE_NAMES, "shape", "lengths")
"""Query parameters that say how octets lie, of one context and of several."""

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Little-endian numbers, the contexts one after another, oldest vector first."""

    dtype: np.dtype[np.floating] = DTYPES["float32"]
    """What each number is."""

    lengths: tuple[int, ...] | None = None
    """Vectors of each context; None for one context that is the whole body."""

    is_declared: bool = False
    """Whether the client said what each number is."""

    @property
    def names(self) -> tuple[str, ...]:
        """The query parameters that can say this."""
        return ONE_NAMES if self.lengths is None else BATCH_NAMES


ONE: Final = Layout()
"""One context of float32."""


def layout_of_one(pairs: Pairs) -> tuple[Layout, Pairs]:
    """Take the layout of one context out of query parameters.

    Returns:
        The layout, and the parameters that are left.

    Raises:
        InvalidOptionError: it cannot be read.
    """
    given, rest = _taken(pairs, ONE_NAMES)
    return Layout(**_dtype(given["dtype"])), rest


def layout_of_batch(pairs: Pairs, limits: Limits) -> tuple[Layout, Pairs]:
    """Take the layout of several contexts out of query parameters.

    Either ``shape`` is there, ``B,W,D``, for contexts of one length, or ``lengths``,
    for any.

    Returns:
        The layout, and the parameters that are left.

    Raises:
        InvalidOptionError: it cannot be read, or has another D.
    """
    given, rest = _taken(pairs, BATCH_NAMES)
    if bool(given["shape"]) == bool(given["lengths"]):
        found = "both" if given["shape"] else "neither"
        detail = (
            "expected either shape (B,W,D) or lengths (vectors of each context) as a "
            f"query parameter, got {found}"
        )
        raise InvalidOptionError(detail)
    if given["shape"]:
        lengths = _lengths_of_shape(single("shape", given["shape"]), limits)
    else:
        words = [word for value in given["lengths"] for word in value.split(",")]
        lengths = [number("lengths", word.strip()) for word in words]
    return Layout(**_dtype(given["dtype"]), lengths=tuple(lengths)), rest


def _taken(pairs: Pairs, names: Iterable[str]) -> tuple[dict[str, list[str]], Pairs]:
    given: dict[str, list[str]] = {name: [] for name in names}
    rest = []
    for name, value in pairs:
        if name in given:
            given[name].append(value)
        else:
            rest.append((name, value))
    return given, rest


class _Dtype(TypedDict):
    dtype: np.dtype[np.floating]
    is_declared: bool


def _dtype(values: list[str]) -> _Dtype:
    name = single("dtype", values) if values else "float32"
    if name not in DTYPES:
        *names, last = DTYPES
        detail = f"dtype: expected {', '.join(names)} or {last}, got {quoted(name)}"
        raise InvalidOptionError(detail)
    return {"dtype": DTYPES[name], "is_declared": bool(values)}


def _lengths_of_shape(shape: str, limits: Limits) -> Sequence[int]:
    sizes = [number("shape", word.strip()) for word in shape.split(",")]
    if len(sizes) != 3 or sizes[2] != limits.dim:
        detail = f"shape: expected B,W,{limits.dim}, got {quoted(shape)}"
        raise InvalidOptionError(detail)
    # so many that they are refused need not be counted one by one
    return [sizes[1]] * min(sizes[0], limits.max_contexts + 1)
