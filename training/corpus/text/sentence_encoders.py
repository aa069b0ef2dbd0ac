"""Vectors of any sentence-transformers model, by its name or from a folder.

The package is an extra of this project; it is imported when such an encoder is loaded.
"""

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError

from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32

FAMILY: Final = "sentence-transformers"

_BATCH: Final = 32
# Texts in a forward pass. On two cores and 384-d MiniLM: 20 passages a second one by
# one, 111 in eights, 123 in batches of 32, no more in larger ones.


class SentenceTransformersEncoder:
    """Vectors of a transformer from the sentence-transformers library.

    https://sbert.net, licence Apache-2.0; each model has a licence of its own. It runs
    on the GPU if PyTorch finds one.
    """

    def __init__(self, model: str) -> None:
        """Load a model; one that is no folder is downloaded once, into HF_HOME.

        Args:
            model: folder that holds one, or its name at the Hugging Face Hub.

        Raises:
            CorpusError: the package is not installed (says how to), or no model can be
                loaded under this name.
        """
        self.name = f"{FAMILY}:{model}"
        self._model = _load(model)
        # Asked of a vector: the method that tells it has another name in 5 than in 6.
        self._dim = len(self._model.encode("dimension", show_progress_bar=False))

    @property
    def dim(self) -> int:
        """Length D of its vectors, as the model says."""
        return self._dim

    @property
    def version(self) -> str:
        """Package and version of the code that encodes."""
        return f"{FAMILY} {version(FAMILY)}"

    @property
    def checksum(self) -> str:
        """SHA-256 of its weights by name, in hexadecimal digits."""
        digest = hashlib.sha256()
        for name, weight in sorted(self._model.state_dict().items()):
            digest.update(name.encode() + b"\0")
            digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts as the model does, with its own prompt where it has one.

        Equal texts of one call get equal vectors, bit for bit, and so does the same
        call made again on the same machine. In another batch a text is padded to
        another length and rounded otherwise: measured on vectors of length 1, numbers
        then differ by up to 2e-7. Without padding, one by one, it takes two to six
        times as long.

        Args:
            texts: any number of texts; what is longer than the model takes is cut off.

        Returns:
            Shape ``(n, D)``; a text without a token gives what the model makes of it,
            often the vector of its markers for begin and end.
        """
        if not texts:
            return np.zeros((0, self._dim), dtype=np.float32)
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors_ND = self._model.encode(
            list(place), batch_size=_BATCH, show_progress_bar=False
        )
        rows = [place[text] for text in texts]
        return np.asarray(vectors_ND, dtype=np.float32)[rows]


def _load(model: str) -> Any:  # noqa: ANN401 - the package may be missing
    # Read when the package is imported, and left to whoever has set them: no bars over
    # the command's own, nothing about this machine in the requests for a download.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        # Seconds to import, and not installed by default.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        msg = (
            f"{FAMILY}:{model} needs a package that is not installed ({error}): "
            f"pip install 'nextvec[{FAMILY}]', "
            f"in a clone: pip install -e '.[{FAMILY}]'"
        )
        raise CorpusError(msg) from error
    try:
        # A folder is all that is looked at, even where a network could add to it.
        return SentenceTransformer(model, local_files_only=Path(model).is_dir())
    except (
        ImportError,  # of a package that this model needs
        KeyError,
        OSError,  # no such folder, no network, weights missing
        RuntimeError,  # weights of other shapes
        SafetensorError,
        ValueError,
    ) as error:
        msg = (
            f"{FAMILY}: cannot load the model {model!r}, expected a folder that holds "
            f"one, or the name of one at the Hugging Face Hub and a network for its "
            f"download: {error}"
        )
        raise CorpusError(msg) from error
