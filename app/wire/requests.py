"""What a client may send to `/predict`, decoded without a framework.

Lists of numbers go through orjson and NumPy, octets through nothing at all: a model
of the framework would cost more than the prediction.
"""

from collections.abc import Sequence
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
MAX_TEXT: Final = 10_000
"""Most characters of a text: some two pages, where a passage is a sentence or two."""

_NUMBERS: Final = frozenset((int, float))
# bool is not in it: NumPy would take True for 1.0 without a word


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
class PredictRequest:
    """A decoded request: a context as vectors, as ids or mixed, and options."""

    context: Float32 | None = None
    """Unit vectors in the caller's space, oldest first, shape ``(T, D)``."""

    ids: list[str] | None = None
    """Or the names of rows that the index holds."""

    mixture: Mixture | None = None
    """Or places that hold texts, or one this and one that."""

    options: Options


def decode_json(body: bytes, limits: Limits) -> PredictRequest:
    """Decode ``{"context": [...]}``, ``{"ids": [...]}`` or ``{"texts": [...]}``.

    Entries of a context are vectors, ``{"id": ...}`` or ``{"text": ...}``.

    Raises:
        RequestError: not JSON, not that form, or a context or option out of bounds.
    """
    try:
        fields: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(_no_json(body, error)) from error
    if not isinstance(fields, dict):
        _refuse(MalformedBodyError, f"expected a JSON object, got {name_of(fields)}")
    given = {
        name: value
        for name in ("context", "ids", "texts")
        if (value := fields.pop(name, None)) is not None
    }
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        _refuse(
            InvalidContextError, f"expected one of context, ids and texts, got {found}"
        )
    options = options_of_fields(fields, limits)
    if "ids" in given:
        names = _strings("ids", given["ids"], limits)
        return PredictRequest(ids=names, options=options)
    if "texts" in given:
        texts = _strings("texts", given["texts"], limits)
        mixture = _mixture([{"text": text} for text in texts], limits)
        return PredictRequest(mixture=mixture, options=options)
    context = given["context"]
    if isinstance(context, list) and any(isinstance(one, dict) for one in context):
        _check_length(len(context), limits)
        return PredictRequest(mixture=_mixture(context, limits), options=options)
    return PredictRequest(context=_vectors(context, limits), options=options)


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
    return PredictRequest(context=_unit(context_TD), options=options)


def _no_json(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Say why a body is no JSON; of numbers that JSON has not, which and where."""
    # the position counts characters, and what comes before may take more bytes
    rest = body.decode("utf-8", "replace")[error.pos :]
    for word in ("NaN", "Infinity"):
        if rest.startswith(word):
            return (
                f"expected JSON, found {word} at line {error.lineno}, column "
                f"{error.colno}: JSON has finite numbers only"
            )
    return f"expected JSON: {error}"


def _mixture(entries: list[Any], limits: Limits) -> Mixture:
    """Sort the entries of a context by how they are given."""
    ids: dict[int, str] = {}
    texts: dict[int, str] = {}
    places: list[int] = []
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            places.append(place)
            continue
        kind = next(iter(entry), None)
        if len(entry) != 1 or kind not in {"id", "text"}:
            _refuse(
                InvalidContextError,
                f'context[{place}]: expected a list of {limits.dim} numbers, {{"id": '
                f'...}} or {{"text": ...}}, got an object of other members',
            )
        if not isinstance(entry[kind], str):
            _refuse(
                InvalidContextError,
                f"context[{place}]: expected a string as {kind}, "
                f"got {name_of(entry[kind])}",
            )
        (ids if kind == "id" else texts)[place] = entry[kind]
    for place, text in texts.items():
        if not text.strip() or len(text) > MAX_TEXT:
            _refuse(
                InvalidContextError,
                f"text {place} of the context: expected 1 to {MAX_TEXT:,} characters "
                f"that are not all blank, got {len(text):,}",
            )
    given = [entries[place] for place in places]
    return Mixture(
        length=len(entries),
        vectors=_vectors(given, limits, places)
        if given
        else np.zeros((0, limits.dim), np.float32),
        vector_places=places,
        ids=ids,
        texts=texts,
    )


def _vectors(
    context: object, limits: Limits, places: Sequence[int] | None = None
) -> Float32:
    """Turn lists of numbers into unit vectors; say which number is at fault if any.

    Args:
        context: what was sent.
        limits: of the live bundle.
        places: what each is called in messages; None numbers them.
    """
    if not isinstance(context, list):
        _refuse(
            InvalidContextError,
            f"context: expected a list of vectors, got {name_of(context)}",
        )
    _check_length(len(context), limits)
    called = places or range(len(context))
    for position, vector in zip(called, context, strict=True):
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
        row, at = divmod(int(np.argmax(too_large)), limits.dim)
        _refuse(
            InvalidContextError,
            f"context[{called[row]}][{at}]: expected a number within float32 "
            f"(at most {_LARGEST:.3g}), got {wide_TD[row, at]:.3g}",
        )
    return _unit(wide_TD)


def _unit(context_TD: NDArray[np.floating]) -> Float32:
    try:
        check_vectors(context_TD, source="context")
    except VectorError as error:
        raise InvalidContextError(str(error)) from error
    return l2_normalize(context_TD)


def _strings(what: str, given: object, limits: Limits) -> list[str]:
    if not isinstance(given, list):
        _refuse(
            InvalidContextError,
            f"{what}: expected a list of strings, got {name_of(given)}",
        )
    _check_length(len(given), limits)
    for position, one in enumerate(given):
        if not isinstance(one, str):
            _refuse(
                InvalidContextError,
                f"{what}[{position}]: expected a string, got {name_of(one)}",
            )
    return given


def _check_length(length: int, limits: Limits) -> None:
    if not 1 <= length <= limits.max_context:
        _refuse(
            InvalidContextError,
            f"expected 1 to {limits.max_context} vectors of context, got {length}",
        )


def _refuse(kind: type[RequestError], detail: str) -> NoReturn:
    raise kind(detail)
