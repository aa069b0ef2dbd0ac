"""What a client may send to `/predict`, decoded without a framework.

Lists of numbers go through orjson and NumPy, octets through nothing at all: a model
of the framework would cost more than the prediction.
"""

from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from nextvec.app.errors import InvalidContextError, MalformedBodyError, RequestError
from nextvec.app.wire.options import Limits, Options, name_of, options_of_fields
from nextvec.training.errors import VectorError
from nextvec.training.vectors import Float32, check_vectors, l2_normalize

_LARGEST: Final = float(np.finfo(np.float32).max)
_NUMBERS: Final = frozenset((int, float))
# bool is not in it: NumPy would take True for 1.0 without a word


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """A decoded request: a context as vectors or as ids, and options."""

    context: Float32 | None
    """Unit vectors in the caller's space, oldest first, shape ``(T, D)``."""

    ids: list[str] | None
    """Or the names of rows that the index holds."""

    options: Options


def decode_json(body: bytes, limits: Limits) -> PredictRequest:
    """Decode ``{"context": [[...], ...], ...}`` or ``{"ids": [...], ...}``.

    Raises:
        RequestError: not JSON, not that form, or a context or option out of bounds.
    """
    try:
        fields: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"expected JSON: {error}"
        raise MalformedBodyError(msg) from error
    if not isinstance(fields, dict):
        _refuse(MalformedBodyError, f"expected a JSON object, got {name_of(fields)}")
    context, ids = fields.pop("context", None), fields.pop("ids", None)
    if (context is None) == (ids is None):
        found = "neither" if context is None else "both"
        _refuse(InvalidContextError, f'expected either "context" or "ids", got {found}')
    return PredictRequest(
        context=None if context is None else _vectors(context, limits),
        ids=None if ids is None else _ids(ids, limits),
        options=options_of_fields(fields, limits),
    )


def decode_octets(body: bytes, options: Options, limits: Limits) -> PredictRequest:
    """Decode raw little-endian float32, oldest vector first, T * D * 4 bytes.

    Raises:
        RequestError: not whole vectors, or a context out of bounds.
    """
    size = 4 * limits.dim
    if len(body) % size:
        _refuse(
            MalformedBodyError,
            f"expected a multiple of {size} bytes ({limits.dim} float32), "
            f"got {len(body)}",
        )
    context_TD = np.frombuffer(body, dtype="<f4").reshape(-1, limits.dim)
    _check_length(len(context_TD), limits)
    return PredictRequest(context=_unit(context_TD), ids=None, options=options)


def _vectors(context: object, limits: Limits) -> Float32:
    """Turn lists of numbers into unit vectors; say which number is at fault if any."""
    if not isinstance(context, list):
        _refuse(
            InvalidContextError,
            f"context: expected a list of vectors, got {name_of(context)}",
        )
    _check_length(len(context), limits)
    for position, vector in enumerate(context):
        if not isinstance(vector, list):
            _refuse(
                InvalidContextError,
                f"context[{position}]: expected a list of {limits.dim} numbers, "
                f"got {name_of(vector)}",
            )
        if len(vector) != limits.dim:
            _refuse(
                InvalidContextError,
                f"context[{position}]: expected {limits.dim} numbers, "
                f"got {len(vector)}",
            )
        if not _NUMBERS.issuperset(map(type, vector)):
            at = next(i for i, x in enumerate(vector) if type(x) not in _NUMBERS)
            _refuse(
                InvalidContextError,
                f"context[{position}][{at}]: expected a number, "
                f"got {name_of(vector[at])}",
            )
    wide_TD = np.array(context, dtype=np.float64)
    too_large = np.abs(wide_TD) > _LARGEST
    if too_large.any():
        position, at = divmod(int(np.argmax(too_large)), limits.dim)
        _refuse(
            InvalidContextError,
            f"context[{position}][{at}]: expected a number within float32 "
            f"(at most {_LARGEST:.3g}), got {wide_TD[position, at]:.3g}",
        )
    return _unit(wide_TD)


def _unit(context_TD: NDArray[np.floating]) -> Float32:
    try:
        check_vectors(context_TD, source="context")
    except VectorError as error:
        raise InvalidContextError(str(error)) from error
    return l2_normalize(context_TD)


def _ids(ids: object, limits: Limits) -> list[str]:
    if not isinstance(ids, list):
        _refuse(
            InvalidContextError, f"ids: expected a list of strings, got {name_of(ids)}"
        )
    _check_length(len(ids), limits)
    for position, name in enumerate(ids):
        if not isinstance(name, str):
            _refuse(
                InvalidContextError,
                f"ids[{position}]: expected a string, got {name_of(name)}",
            )
    return ids


def _check_length(length: int, limits: Limits) -> None:
    if not 1 <= length <= limits.max_context:
        _refuse(
            InvalidContextError,
            f"expected 1 to {limits.max_context} vectors of context, got {length}",
        )


def _refuse(kind: type[RequestError], detail: str) -> NoReturn:
    raise kind(detail)
