"""What is answered: rows by their names, and the bundle they are from."""

from typing import NotRequired

from pydantic import NonNegativeInt, with_config
from typing_extensions import TypedDict

from nextvec.app.bundle.neighbor import Neighbor
from nextvec.app.inference.engine import Answer
from nextvec.app.wire.options import Options


@with_config(use_attribute_docstrings=True)
class Prediction(TypedDict):
    """What comes next."""

    neighbors: list[Neighbor]
    num_context: NonNegativeInt
    bundle: str
    model_version: str
    index_version: str
    vector: NotRequired[list[float]]
    """The prediction in the caller's space, unit length."""


def content_of(answer: Answer, options: Options) -> Prediction:
    """Return the content of an answer, in the names of the bundle that gave it."""
    manifest, catalogue = answer.bundle.manifest, answer.bundle.catalogue
    rows = answer.found.rows.tolist()
    cosines: list[float] | list[None] = [None] * len(rows)
    if answer.cosines is not None:
        cosines = answer.cosines.tolist()
    found = zip(rows, answer.found.scores.tolist(), cosines, strict=True)
    content: Prediction = {
        "neighbors": [
            catalogue.describe(row, score, cosine, with_text=options.return_texts)
            for row, score, cosine in found
        ],
        "num_context": answer.num_context,
        "bundle": manifest.version,
        "model_version": manifest.model_version,
        "index_version": manifest.index_version,
    }
    if answer.vector is not None:
        # an array, which orjson writes as the list it stands for
        content["vector"] = answer.vector  # type: ignore[typeddict-item]
    return content
