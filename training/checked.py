"""Data from outside, held against types, and what is wrong with it in one sentence."""

from collections.abc import Container
from typing import Final, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

T = TypeVar("T")

CHECKED: Final = ConfigDict(
    strict=True,
    extra="forbid",
    allow_inf_nan=False,
    use_attribute_docstrings=True,
)
"""How a dataclass of options checks its fields: nothing unknown, NaN, infinite or
converted, except that a whole number stands for a float and becomes one."""

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


def faults(error: ValidationError, *, secrets: Container[str] = ()) -> str:
    """Say which fields are wrong, what was expected of each, and what came.

    Args:
        error: what pydantic found.
        secrets: fields of which nothing is repeated that came.
    """
    return "; ".join(
        _fault(fault, is_secret=any(part in secrets for part in fault["loc"]))
        for fault in error.errors()
    )


def _fault(fault: ErrorDetails, *, is_secret: bool) -> str:
    if fault["type"] == "value_error":
        # a check of several fields, in its own words
        return str(fault["ctx"]["error"])
    place = "".join(f"{part}: " for part in fault["loc"])
    if not place or is_secret or fault["type"] == "missing":
        # what came is the whole, and says nothing; or it says too much
        return place + fault["msg"]
    return f"{place}{fault['msg']}" + f", got {fault['input']!r}"[:_SHOWN]
