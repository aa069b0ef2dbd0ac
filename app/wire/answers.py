"""What is answered: rows by their names, and the bundle they are from."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, NotRequired

import orjson
from pydantic import Field, NonNegativeInt, with_config
from typing_extensions import TypedDict

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.neighbor import Neighbor
from nextvec.app.inference.engine import Answer
from nextvec.app.steps import Steps
from nextvec.app.wire.options import Options

_AT_ONCE: Final = 100
# Neighbors described and written in one step: 0.2 ms.


class AfterContext(TypedDict):
    """What comes after one context."""

    neighbors: list[Neighbor]
    num_context: NonNegativeInt
    vector: NotRequired[
        Annotated[
            list[float],
            Field(description="The prediction in the caller's space, unit length."),
        ]
    ]


class Prediction(AfterContext):
    """What comes next."""

    bundle: str
    model_version: str
    index_version: str


@with_config(use_attribute_docstrings=True)
class BatchPrediction(TypedDict):
    """What comes next after each context, all by one bundle."""

    predictions: list[AfterContext]
    """One for each context, in their order."""

    bundle: str
    model_version: str
    index_version: str


def neighbors_of(answer: Answer, options: Options) -> Iterator[Neighbor]:
    """Describe the neighbors of an answer, in the names of the bundle that gave it."""
    describe = answer.bundle.catalogue.describe
    rows = answer.found.rows.tolist()
    cosines: list[float] | list[None] = [None] * len(rows)
    if answer.cosines is not None:
        cosines = answer.cosines.tolist()
    for row, score, cosine in zip(
        rows, answer.found.scores.tolist(), cosines, strict=True
    ):
        yield describe(row, score, cosine, with_text=options.return_texts)


def encode(
    answer: Answer, options: Options, beside: Mapping[str, Any] = MappingProxyType({})
) -> Steps[bytes]:
    """Write one answer as JSON: a `Prediction`, and other members beside its own."""
    found = yield from _found(answer, options)
    return _written({**found, **_versions(answer.bundle), **beside})


def encode_batch(answers: Sequence[Answer], options: Options) -> Steps[bytes]:
    """Write the answers of one bundle, at least one, as JSON: a `BatchPrediction`."""
    predictions = []
    for answer in answers:
        found = yield from _found(answer, options)
        predictions.append(orjson.Fragment(_written(found)))
    return _written({"predictions": predictions, **_versions(answers[0].bundle)})


def _found(answer: Answer, options: Options) -> Steps[dict[str, Any]]:
    written, step = [], []
    for neighbor in neighbors_of(answer, options):
        step.append(neighbor)
        if len(step) == _AT_ONCE:
            written.append(orjson.dumps(step)[1:-1])
            step = []
            yield
    if step:
        written.append(orjson.dumps(step)[1:-1])
    found: dict[str, Any] = {
        "neighbors": orjson.Fragment(b"[" + b",".join(written) + b"]"),
        "num_context": answer.num_context,
    }
    if answer.vector is not None:
        found["vector"] = answer.vector
    yield
    return found


def _versions(bundle: Bundle) -> dict[str, str]:
    manifest = bundle.manifest
    return {
        "bundle": manifest.version,
        "model_version": manifest.model_version,
        "index_version": manifest.index_version,
    }


def _written(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
