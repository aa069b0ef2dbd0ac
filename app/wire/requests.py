"""What a client may send to `/predict` and `/predict/batch`, decoded by no framework.

Lists of numbers go through orjson and NumPy, octets through nothing at all: a model
of the framework would cost more than the prediction. In steps, since the event loop
does it.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextvec.app.errors import (
    InvalidContextError,
    InvalidStateError,
    MalformedBodyError,
)
from nextvec.app.steps import Steps
from nextvec.app.wire import slices
from nextvec.app.wire.contexts import (
    KINDS,
    Context,
    check_length,
    read_context,
    unit_context,
)
from nextvec.app.wire.layouts import ONE, Layout
from nextvec.app.wire.options import Limits, Options, name_of, options_of_fields

_MAX_NAMES: Final = 20_000
# Beside the names of contexts: those of documents. They are decoded in one go, which
# takes 2 ms.

_STATE_BESIDE: Final = 1 << 14
# Bytes of a state beside the vectors of its context: what the model keeps, names.

_LOOKED_AT: Final = 500
_PLAUSIBLE: Final = 1e18
# Numbers of octets whose width was not declared, and what none of them is beyond. Of
# more NumPy lets the inference thread take the interpreter, for up to 5 ms each time.

PLURAL: Final = {"contexts": "context", "ids": "ids", "texts": "texts"}
"""The fields that contexts can be given in, and what each of them then is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """A decoded request: contexts, and options that are the same for all of them."""

    contexts: list[Context]
    """At least one."""

    options: Options

    state: str | None = None
    """What a client holds of a session, as it was sent; of a step alone."""

    @property
    def encoding(self) -> str:
        """What the metrics call the way its contexts were given in JSON."""
        if any(context.mixture is not None for context in self.contexts):
            return "mixed"
        return "json" if self.contexts[0].ids is None else "ids"

    @property
    def texts(self) -> dict[str, str]:
        """The texts of all contexts that are to be encoded, by what each is called."""
        return {
            f"{context.name}[{place}]": text
            for context in self.contexts
            if context.mixture is not None
            for place, text in context.mixture.texts.items()
        }


def decode_json(body: bytes, limits: Limits) -> Steps[PredictRequest]:
    """Decode ``{"context": [...]}``, ``{"ids": [...]}`` or ``{"texts": [...]}``.

    Entries of a context are vectors, ``{"id": ...}`` or ``{"text": ...}``.

    Raises:
        RequestError: not JSON, not that form, or a context or option out of bounds.
    """
    fields = yield from _fields(body, limits, contexts=1)
    return (yield from _one_context(fields, limits))


def decode_step(body: bytes, limits: Limits) -> Steps[PredictRequest]:
    """Decode what `decode_json` takes, and a ``state`` beside it.

    Raises:
        RequestError: as there, or the state is no string.
    """
    # every vector as it was sent, and its row; four characters for three bytes
    content = limits.max_context * 4 * (limits.dim + 1) + _STATE_BESIDE
    fields = yield from _fields(
        body, limits, contexts=1, longest_string=4 * content // 3
    )
    state = fields.pop("state", None)
    if not (state is None or isinstance(state, str)):
        detail = f"state: expected a string, got {name_of(state)}"
        raise InvalidStateError(detail)
    asked = yield from _one_context(fields, limits)
    return replace(asked, state=state)


def _one_context(fields: dict[str, Any], limits: Limits) -> Steps[PredictRequest]:
    kind, given = _one_of(fields, KINDS)
    options = options_of_fields(fields, limits, beside=KINDS)
    context = yield from read_context(given, limits, kind=kind, name=kind)
    return PredictRequest(contexts=[context], options=options)


def decode_json_batch(body: bytes, limits: Limits) -> Steps[PredictRequest]:
    """Decode ``contexts``, or lists of ``ids`` or ``texts``: each one level deeper.

    Raises:
        RequestError: not JSON, not that form, or a context or option out of bounds.
    """
    fields = yield from _fields(body, limits, contexts=limits.max_contexts)
    field, given = _one_of(fields, tuple(PLURAL))
    options = options_of_fields(fields, limits, beside=PLURAL)
    if not isinstance(given, list):
        detail = f"{field}: expected a list of contexts, got {name_of(given)}"
        raise InvalidContextError(detail)
    _check_number(len(given), limits)
    contexts = []
    for place, one in enumerate(given):
        name, kind = f"{field}[{place}]", PLURAL[field]
        contexts.append((yield from read_context(one, limits, kind=kind, name=name)))
    return PredictRequest(contexts=contexts, options=options)


def decode_octets(
    body: bytes, options: Options, limits: Limits, layout: Layout = ONE
) -> Steps[PredictRequest]:
    """Decode raw little-endian numbers, contexts one after another.

    Raises:
        RequestError: not whole vectors or other ones than the layout says, numbers of
            another width if it says none, or a context out of bounds.
    """
    size = layout.dtype.itemsize * limits.dim
    if len(body) % size:
        detail = (
            f"expected a multiple of {size} bytes ({limits.dim} {layout.dtype.name}), "
            f"got {len(body)}"
        )
        raise MalformedBodyError(detail)
    vectors_ND = np.frombuffer(body, dtype=layout.dtype).reshape(-1, limits.dim)
    if not layout.is_declared:
        _check_width(vectors_ND)
    if layout.lengths is None:
        check_length(len(vectors_ND), limits)
        yield
        context = Context(name="context", vectors=unit_context(vectors_ND))
        return PredictRequest(contexts=[context], options=options)
    _check_number(len(layout.lengths), limits)
    for place, length in enumerate(layout.lengths):
        check_length(length, limits, f"contexts[{place}]")
    if sum(layout.lengths) != len(vectors_ND):
        detail = (
            f"expected {sum(layout.lengths) * size} bytes ({sum(layout.lengths)} "
            f"vectors in {len(layout.lengths)} contexts), got {len(body)}"
        )
        raise MalformedBodyError(detail)
    contexts, start = [], 0
    for place, length in enumerate(layout.lengths):
        name = f"contexts[{place}]"
        context_TD = vectors_ND[start : start + length]
        contexts.append(Context(name=name, vectors=unit_context(context_TD, name=name)))
        start += length
        yield
    return PredictRequest(contexts=contexts, options=options)


def _check_width(vectors_ND: NDArray[np.floating]) -> None:
    """Refuse numbers that nobody called float32, and that hardly are.

    Half of what float64 hold, read as float32, is the end of a fraction: of a number
    that once was a float32 3.7e19 every fourth time, of any other of any size.
    """
    sizes = np.abs(vectors_ND.reshape(-1)[:_LOOKED_AT])
    odd = sizes[(sizes > _PLAUSIBLE) & np.isfinite(sizes)]
    if len(odd):
        detail = (
            f"expected float32, got numbers such as {odd[0]:.1e}, as float64 are when "
            "they are read so; say which with dtype=float64 or dtype=float32"
        )
        raise MalformedBodyError(detail)


def _fields(
    body: bytes,
    limits: Limits,
    *,
    contexts: int,
    longest_string: int = slices.LONGEST_STRING,
) -> Steps[dict[str, Any]]:
    # a vector that is written in fewer bytes than are worth a slice counts by number
    of_place = 1 if 2 * limits.dim > slices.LONG else 1 + limits.dim
    most = contexts * limits.max_context * of_place + _MAX_NAMES
    fields = yield from slices.decode(
        body, max_values=most, longest_string=longest_string
    )
    if not isinstance(fields, dict):
        detail = f"expected a JSON object, got {name_of(fields)}"
        raise MalformedBodyError(detail)
    return fields


def _one_of(fields: dict[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    """Take the only one of some fields that is there."""
    given = {
        name: value for name in names if (value := fields.pop(name, None)) is not None
    }
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        detail = f"expected one of {', '.join(names[:-1])} and {names[-1]}, got {found}"
        raise InvalidContextError(detail)
    return given.popitem()


def _check_number(number: int, limits: Limits) -> None:
    if not 1 <= number <= limits.max_contexts:
        detail = f"expected 1 to {limits.max_contexts} contexts, got {number}"
        raise InvalidContextError(detail)
