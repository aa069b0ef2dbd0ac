"""What is answered: rows by their names, and the bundle they are from."""

from typing import Any

from app.inference.engine import Answer
from app.wire.options import Options


def content_of(answer: Answer, options: Options) -> dict[str, Any]:
    """Return the content of an answer, in the names of the bundle that gave it.

    Returns:
        Plain JSON types, and a float32 array as ``vector`` if that was wanted;
        `docs/api.md` lists the fields.
    """
    manifest, catalogue = answer.bundle.manifest, answer.bundle.catalogue
    found = zip(answer.found.rows.tolist(), answer.found.scores.tolist(), strict=True)
    content: dict[str, Any] = {
        "neighbors": [
            catalogue.describe(row, score, with_text=options.return_texts)
            for row, score in found
        ],
        "num_context": answer.num_context,
        "bundle": manifest.version,
        "model_version": manifest.model_version,
        "index_version": manifest.index_version,
    }
    if answer.vector is not None:
        content["vector"] = answer.vector
    return content
