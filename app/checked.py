"""Data from outside, held against types, and what is wrong with it in one sentence."""

from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

_SHOWN: Final = 100
# Characters of a wrong value that are repeated.


def from_json(kind: type[T], data: bytes) -> T:
    """Read JSON as a dataclass: nothing missing, unknown or converted.

    Raises:
        ValueError: it is not that; the message names every field at fault.
    """
    try:
        return TypeAdapter(kind).validate_json(data, strict=True, extra="forbid")
    except ValidationError as error:
        raise ValueError(faults(error)) from error


def faults(error: ValidationError) -> str:
    """Say which fields are wrong, what was expected of each, and what came."""
    found = []
    for fault in error.errors():
        place = "".join(f"{part}: " for part in fault["loc"])
        value = fault["input"]
        came = f", got {value!r}"[:_SHOWN] if isinstance(value, str | int) else ""
        found.append(f"{place}{fault['msg']}{came}")
    return "; ".join(found)
