"""One context of a request, as vectors, as ids or mixed: decoded and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from nextvec.app.errors import InvalidContextError
from nextvec.app.steps import Steps
from nextvec.app.wire.options import Limits, name_of
from nextvec.app.wire.slices import Numbers
from nextvec.training.errors import VectorError
from nextvec.training.vectors import Float32, check_vectors, l2_normalize

_LARGEST: Final = float(np.finfo(np.float32).max)
MAX_TEXT: Final = 10_000
"""Most characters of a text: some two pages, where a passage is a sentence or two."""

_LONGEST_NUMBER: Final = 128
# Bytes: a float64 takes 24, a comma, and what it is indented by. Of digits without end
# a megabyte is decoded in one go.

_NUMBERS: Final = frozenset((int, float))
# bool is not in it: NumPy would take True for 1.0 without a word

KINDS: Final = ("context", "ids", "texts")
"""The fields that a context can be given in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A context whose places are given in different ways."""

    length: int
    """Places, T."""

    vectors: Float32
    """Unit vectors in the caller's space, shape ``(V, D)``."""

    vector_places: list[int]
    """Where each of them belongs, ascending."""

    ids: dict[int, str]
    """Names of rows that the index holds, by place."""

    texts: dict[int, str]
    """Texts to encode, by place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What came so far, in one of three ways."""

    name: str
    """What messages call it, such as ``context`` or ``contexts[3]``."""

    vectors: Float32 | None = None
    """Unit vectors in the caller's space, oldest first, shape ``(T, D)``."""

    ids: list[str] | None = None
    """Or the names of rows that the index holds."""

    mixture: Mixture | None = None
    """Or places that hold texts, or one this and one that."""


def read_context(
    given: Any,  # noqa: ANN401 - JSON
    limits: Limits,
    *,
    kind: str = "context",
    name: str = "context",
) -> Steps[Context]:
    """Read one context out of decoded JSON.

    Args:
        given: what was sent: entries of a ``context`` are vectors, ``{"id": ...}`` or
            ``{"text": ...}``, of ``ids`` and ``texts`` strings.
        limits: of the live bundle.
        kind: one of `KINDS`.
        name: what messages call it.

    Raises:
        RequestError: it is not usable; says which place and why.
    """
    if kind == "ids":
        return Context(name=name, ids=_strings(given, limits, name))
    if kind == "texts":
        texts = dict(enumerate(_strings(given, limits, name)))
        mixture = yield from _mixture(len(texts), {}, {}, texts, limits, name)
        return Context(name=name, mixture=mixture)
    if not isinstance(given, list):
        _refuse(f"{name}: expected a list of vectors, got {name_of(given)}")
    check_length(len(given), limits, name)
    if not any(isinstance(entry, dict) for entry in given):
        vectors = yield from _vectors(dict(enumerate(given)), limits, name)
        return Context(name=name, vectors=vectors)
    rest = {p: entry for p, entry in enumerate(given) if not isinstance(entry, dict)}
    ids: dict[int, str] = {}
    texts = {}
    for place, entry in enumerate(given):
        if isinstance(entry, dict):
            kind, value = _named(entry, f"{name}[{place}]", limits)
            (ids if kind == "id" else texts)[place] = value
    mixture = yield from _mixture(len(given), rest, ids, texts, limits, name)
    return Context(name=name, mixture=mixture)


def unit_context(vectors_TD: NDArray[np.floating], *, name: str = "context") -> Float32:
    """Return vectors that were sent as octets, each of length 1.

    Raises:
        InvalidContextError: one is not usable.
    """
    try:
        check_vectors(vectors_TD, source=name)
    except VectorError as error:
        raise InvalidContextError(str(error)) from error
    return l2_normalize(vectors_TD)


def check_length(length: int, limits: Limits, name: str = "context") -> None:
    """Refuse a context that is empty or too long.

    Raises:
        InvalidContextError: it is.
    """
    if not 1 <= length <= limits.max_context:
        _refuse(
            f"{name}: expected 1 to {limits.max_context} vectors of context, "
            f"got {length}"
        )


def _named(entry: dict[str, Any], name: str, limits: Limits) -> tuple[str, str]:
    """Return whether an entry of a context is an id or a text, and which."""
    kind = next(iter(entry), None)
    if len(entry) != 1 or kind not in {"id", "text"}:
        _refuse(
            f'{name}: expected a list of {limits.dim} numbers, {{"id": ...}} or '
            '{"text": ...}, got an object of other members'
        )
    value = entry[kind]
    if not isinstance(value, str):
        _refuse(f"{name}: expected a string as {kind}, got {name_of(value)}")
    return kind, value


def _mixture(
    length: int,
    vectors: dict[int, Any],
    ids: dict[int, str],
    texts: dict[int, str],
    limits: Limits,
    name: str,
) -> Steps[Mixture]:
    for place, text in texts.items():
        if not text.strip() or len(text) > MAX_TEXT:
            _refuse(
                f"{name}[{place}]: expected a text of 1 to {MAX_TEXT:,} characters "
                f"that are not all blank, got {len(text):,}"
            )
        yield
    given_VD = np.zeros((0, limits.dim), np.float32)
    if vectors:
        given_VD = yield from _vectors(vectors, limits, name)
    return Mixture(
        length=length,
        vectors=given_VD,
        vector_places=list(vectors),
        ids=ids,
        texts=texts,
    )


def _vectors(entries: dict[int, Any], limits: Limits, name: str) -> Steps[Float32]:
    """Turn lists of numbers into unit vectors; say which number is at fault if any."""
    wide_TD = np.empty((len(entries), limits.dim))
    places = list(entries)
    for row, (place, entry) in enumerate(entries.items()):
        wide_TD[row] = yield from _numbers(entry, f"{name}[{place}]", limits.dim)
        yield
    too_large = np.abs(wide_TD) > _LARGEST
    if too_large.any():
        row, at = divmod(int(np.argmax(too_large)), limits.dim)
        _refuse(
            f"{name}[{places[row]}][{at}]: expected a number within float32 "
            f"(at most {_LARGEST:.3g}), got {wide_TD[row, at]:.3g}"
        )
    yield
    return unit_context(wide_TD, name=name)


def _numbers(entry: object, name: str, dim: int) -> Steps[Sequence[float]]:
    if isinstance(entry, Numbers):
        # not decoded before it can be right: it may hold a million
        if len(entry) != dim:
            _refuse(f"{name}: expected {dim} numbers, got {len(entry)}")
        if entry.size_bytes > dim * _LONGEST_NUMBER:
            _refuse(
                f"{name}: expected numbers of at most {_LONGEST_NUMBER} bytes each, "
                f"got {entry.size_bytes:,} bytes for {dim}"
            )
        numbers = yield from entry.decoded()
        if len(numbers) == dim and not entry.holds_words:
            return numbers
        entry = numbers
    if not isinstance(entry, list):
        _refuse(f"{name}: expected a list of {dim} numbers, got {name_of(entry)}")
    if len(entry) != dim:
        _refuse(f"{name}: expected {dim} numbers, got {len(entry)}")
    if not _NUMBERS.issuperset(map(type, entry)):
        at = next(i for i, x in enumerate(entry) if type(x) not in _NUMBERS)
        _refuse(f"{name}[{at}]: expected a number, got {name_of(entry[at])}")
    return entry


def _strings(given: object, limits: Limits, name: str) -> list[str]:
    if not isinstance(given, list):
        _refuse(f"{name}: expected a list of strings, got {name_of(given)}")
    check_length(len(given), limits, name)
    for position, one in enumerate(given):
        if not isinstance(one, str):
            _refuse(f"{name}[{position}]: expected a string, got {name_of(one)}")
    return given


def _refuse(detail: str) -> NoReturn:
    raise InvalidContextError(detail)
