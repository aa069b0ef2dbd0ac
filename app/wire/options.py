"""The options of `/predict`, from JSON fields or from query parameters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NoReturn

from nextvec.app.errors import InvalidOptionError
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.slices import Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the live bundle and the settings allow."""

    dim: int
    """Length D of a vector."""

    max_context: int
    """Longest context, in vectors."""

    max_k: int
    """Largest k, in neighbors."""

    default_k: int
    """k when none is given."""

    max_contexts: int = 32
    """Most contexts of a batch."""

    excludes_context: bool = True
    """Whether context vectors are left out when nothing is said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything about a request that is not its context."""

    k: int
    """Neighbors wanted, 1 to the limit."""

    exclude_context: bool = True
    """Leave out rows that are vectors of the context."""

    documents: tuple[str, ...] | None = None
    """The only documents to search; None searches all."""

    exclude_documents: tuple[str, ...] = ()
    """Documents not to search."""

    return_vector: bool = False
    """Also return the predicted vector."""

    return_texts: bool = True
    """Also return texts, where there are any."""


OPTION_NAMES: Final = tuple(field.name for field in fields(Options))
_FLAGS: Final = ("exclude_context", "return_vector", "return_texts")
_LISTS: Final = ("documents", "exclude_documents")
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


def options_of_fields(
    given: Mapping[str, Any], limits: Limits, *, beside: Iterable[str] = ()
) -> Options:
    """Read options from the fields of a JSON object; null is the same as absent.

    Args:
        given: the fields, without the contexts.
        limits: of the live bundle.
        beside: names of fields that may stand beside options, for messages.

    Raises:
        RequestError: a field is unknown, of another type, or out of bounds.
    """
    refuse_unknown(given, (*beside, *OPTION_NAMES))
    taken = {name: value for name, value in given.items() if value is not None}
    for name in _FLAGS:
        if name in taken and not isinstance(taken[name], bool):
            _refuse(f"{name}: expected true or false, got {name_of(taken[name])}")
    for name in _LISTS:
        if name in taken:
            taken[name] = _names(name, taken[name])
    k = taken.pop("k", limits.default_k)
    if type(k) is not int:
        _refuse(f"k: expected an integer, 1 to {limits.max_k}, got {name_of(k)}")
    taken.setdefault("exclude_context", limits.excludes_context)
    return Options(k=_within(k, limits), **taken)


def options_of_query(
    pairs: Iterable[tuple[str, str]], limits: Limits, *, beside: Iterable[str] = ()
) -> Options:
    """Read options from query parameters; documents may be given several times.

    Args:
        pairs: names and values, without those that say how octets lie.
        limits: of the live bundle.
        beside: names of parameters that may stand beside options, for messages.

    Raises:
        RequestError: a parameter is unknown, twice there, or out of bounds.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    refuse_unknown(given, (*beside, *OPTION_NAMES))
    taken: dict[str, Any] = {}
    for name in _FLAGS:
        if name in given:
            taken[name] = flag(name, given[name])
    for name in _LISTS:
        if name in given:
            taken[name] = _names(name, given[name])
    k = limits.default_k
    if "k" in given:
        k = number("k", single("k", given["k"]))
    taken.setdefault("exclude_context", limits.excludes_context)
    return Options(k=_within(k, limits), **taken)


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that mean nothing: a misspelt option must not be ignored.

    Raises:
        RequestError: there is one.
    """
    known = tuple(known)
    for name in given:
        if name not in known:
            _refuse(f"{quoted(name)} is unknown; expected any of {', '.join(known)}")


def single(name: str, values: list[str]) -> str:
    """Return the only value of a query parameter.

    Raises:
        RequestError: there are several.
    """
    if len(values) != 1:
        _refuse(f"{name}: expected one value, got {len(values)}")
    return values[0]


def flag(name: str, values: list[str]) -> bool:
    """Read a query parameter that is true or false.

    Raises:
        RequestError: it is neither, or there are several.
    """
    value = single(name, values)
    if value.lower() not in _WORDS:
        _refuse(f"{name}: expected true or false, got {quoted(value)}")
    return _WORDS[value.lower()]


def number(name: str, value: str) -> int:
    """Read a query parameter that is a whole number.

    Raises:
        RequestError: it is not.
    """
    # isdecimal takes other scripts' digits as well; more than 9 fit no limit
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        _refuse(f"{name}: expected an integer of at most 9 digits, got {quoted(value)}")
    return int(value)


def name_of(value: object) -> str:
    """Say what a decoded JSON value is, without repeating it.

    Example:
        >>> name_of(True), name_of(None), name_of({})
        ('a boolean', 'null', 'an object')
    """
    if isinstance(value, float) and abs(value) >= 2**63:
        # where orjson, too, has given up on integers
        return "a number beyond 64 bits"
    if isinstance(value, Numbers):
        return "a list of numbers"
    names: dict[type, str] = {
        bool: "a boolean",
        dict: "an object",
        float: "a number with a fraction",
        int: "an integer",
        list: "a list",
        str: "a string",
    }
    return names.get(type(value), "null")


def _names(option: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        _refuse(f"{option}: expected a list of strings")
    if not names:
        _refuse(f"{option}: expected at least one document, got an empty list")
    return tuple(names)


def _within(k: int, limits: Limits) -> int:
    if not 1 <= k <= limits.max_k:
        _refuse(f"k: expected 1 to {limits.max_k}, got {k}")
    return k


def _refuse(detail: str) -> NoReturn:
    raise InvalidOptionError(detail)
