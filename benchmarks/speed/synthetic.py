"""Bundles of as many rows as wanted, whose network is of full size and new.

What an answer costs does not depend on what the network has learned. So a run of
seconds gives the files that a bundle needs, and then its network and its rows are put
in the place of larger ones and sealed again.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import torch

from benchmarks.speed.training import small
from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.bundle.engine_names import AUTO, EAGER
from nextvec.app.bundle.index import INDEX_KINDS, NeighborIndex
from nextvec.app.bundle.index_kinds import DEFAULT_KIND
from nextvec.app.bundle.manifest import MANIFEST
from nextvec.app.release.building import build_bundle, seal
from nextvec.training.checkpoint import load_checkpoint, model_settings, save_weights
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.recipe import resolve
from nextvec.training.run import train
from nextvec.training.run_folder import CARD, GROUPS, HUBNESS, WEIGHTS
from nextvec.training.vectors import CONTEXT_LENGTH, l2_normalize

LENGTH: Final = 200
"""Rows of a document."""

_BETA: Final = 0.5
_TEXT: Final = (
    "Passage {} of document {}: some words that stand for a text of usual length. "
)
_TRAINED: Final = 24
# Documents of the run: the fewest that a split leaves windows of.
_STEP: Final = 0.02
# How far the weights of a head move from zero: so that what it adds is not nothing.


@dataclass(frozen=True, slots=True)
class Way:
    """How a bundle is served."""

    kind: str
    """Of its index."""

    engine: str
    """What runs its network."""


BEST: Final = Way(DEFAULT_KIND, AUTO)
"""As `nextvec bundle build` makes it."""

PLAIN: Final = Way("flat", EAGER)
"""The network as it was trained, and a flat index."""


def make_bundles(
    root: Path, ways: Mapping[str, Way], *, rows: int, dim: int, hidden_size: int = 256
) -> dict[str, Path]:
    """Make bundles of documents with a Memory GRU, equal but for how they are served.

    Args:
        root: an empty folder; the bundles are put in ``root/bundles``.
        ways: of the bundles, by the first part of their names.
        rows: vectors, rounded up to whole documents.
        dim: length D of a vector.
        hidden_size: units of the network.

    Returns:
        The folder of each, by the same names.
    """
    bundles, run = root / "bundles", root / "run"
    corpus = save_corpus(synthetic_corpus(_TRAINED, dim), root / "corpus")
    # what the run reads is its own matter: this is the fastest
    told = {"hidden_size": 8, "reads": "vectors"}
    train(corpus, small(resolve("smoke", told)), run)
    built = build_bundle(run, bundles, corpus=root / "corpus", engine=EAGER)
    start = bundles / built.manifest.version
    large = synthetic_corpus(-(-rows // LENGTH), dim)
    _put_network(start, corpus, large.fingerprint, hidden_size)
    made = {
        name: _with_rows(start, bundles / name, large, way)
        for name, way in ways.items()
    }
    shutil.rmtree(start)
    return made


def synthetic_corpus(documents: int, dim: int) -> Corpus:
    """Return documents that wander, each vector near the one before."""
    rng, num_rows = np.random.default_rng(0), documents * LENGTH
    rows = rng.standard_normal((documents, LENGTH, dim), np.float32)
    for place in range(1, LENGTH):
        rows[:, place] += 0.8 * rows[:, place - 1]
    places = [divmod(row, LENGTH) for row in range(num_rows)]
    return Corpus(
        vectors=l2_normalize(rows.reshape(-1, dim)),
        ids=[f"package-{document}/page#{place}" for document, place in places],
        rows=np.arange(num_rows),
        offsets=np.arange(documents + 1) * LENGTH,
        document_ids=[f"package-{document}/page" for document in range(documents)],
        texts=[_TEXT.format(place, document) for document, place in places],
        card=CorpusCard(name="large", encoder="none", source="synthetic"),
    )


@torch.no_grad()
def _put_network(
    folder: Path, corpus: Corpus, fingerprint: str, hidden_size: int
) -> None:
    """Write a new network into a bundle's folder, of the corpus of that fingerprint."""
    torch.manual_seed(0)
    base = ClosedForm(memory=SequenceMemory())
    config = ModelConfig(
        architecture="memory", dim=corpus.dim, hidden_size=hidden_size, base=base
    )
    model = NextVectorModel(config)
    for weight in model.head.parameters():
        weight.add_(_STEP * torch.randn_like(weight))
    context_BTD = torch.tensor(np.asarray(corpus.vectors)).reshape(
        -1, LENGTH, corpus.dim
    )[:, :CONTEXT_LENGTH]
    model.standardize(context_BTD, torch.full((len(context_BTD),), CONTEXT_LENGTH))
    save_weights(
        folder / WEIGHTS, model.state_dict(), load_checkpoint(folder).transform
    )
    card: dict[str, Any] = orjson.loads((folder / CARD).read_bytes())
    card["model"] = model_settings(config)
    card["corpus"]["fingerprint"] = fingerprint
    card["is_better_than_base"] = True
    (folder / CARD).write_bytes(orjson.dumps(card))


def _with_rows(start: Path, folder: Path, corpus: Corpus, way: Way) -> Path:
    """Write a bundle like another with the rows of a corpus; return its folder."""
    shutil.copytree(start, folder)
    (folder / MANIFEST).unlink()
    for name in (name for kind in INDEX_KINDS.values() for name in kind.files):
        (folder / name).unlink(missing_ok=True)
    hubness = np.random.default_rng(1).uniform(0, 0.2, len(corpus.vectors))
    np.save(folder / HUBNESS, hubness.astype(np.float32))
    np.save(folder / GROUPS, np.arange(len(corpus.vectors)))
    Catalogue.of(corpus).save(folder)
    index = NeighborIndex.build(
        np.asarray(corpus.vectors),
        hubness.astype(np.float32),
        kind=way.kind,
        fingerprint=corpus.fingerprint,
    )
    index.save(folder)
    betas = {"index": _BETA}
    made = seal(folder, folder.name, "run", corpus, index, betas, engine=way.engine)
    return folder.rename(folder.with_name(made.manifest.version))
