"""Train the weights that are shipped, ``python -m benchmarks.starts``.

On the training documents of ``docs-large`` that are not in ``docs``: the sample of a
first run is as new to them as anybody's own documents. Ten minutes for each network on
one core, once the baselines of ``docs-large`` are measured.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import typer
from lightning_fabric import Fabric
from safetensors.torch import save_file

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import load_corpus
from nextvec.training.fit.loop import optimizer_of
from nextvec.training.fit.start import SHIPPED, learned_state
from nextvec.training.fit.trainer import EpochTrainer
from nextvec.training.listener import NullListener
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.kept_baselines import best_baselines
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.recipe import resolve
from nextvec.training.run import untrained_model
from nextvec.training.run_folder import SHARED

ARCHITECTURES: Final = ("baseline", "memory", "hierarchical")

EPOCHS: Final = 6
# No epoch is chosen on validation: the learning rate has fallen by then.


def make_start(
    corpus: Corpus, left_out: Corpus, config: TrainingConfig, folder: Path, runs: Path
) -> Path:
    """Train one network, and write its weights.

    Args:
        corpus: of many documents.
        left_out: documents that are not trained on, by their names.
        config: architecture and sizes, and how it is trained.
        folder: where the file goes, named after the architecture.
        runs: folder of runs, where the baselines of the corpus are kept.

    Returns:
        The file.
    """
    scratch = runs / "starts"
    scratch.mkdir(parents=True, exist_ok=True)
    cache, listener = SharedCache(scratch, runs / SHARED), NullListener()
    prepared = prepare(corpus, config, cache, listener)
    base = best_baselines(prepared, cache, listener).base.form
    learned = _without(prepared, set(left_out.document_ids))
    torch.manual_seed(config.seed)
    model = untrained_model(learned, base)
    _train(model, learned, config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.architecture}.safetensors"
    told = {
        "corpus": corpus.card.name,
        "fingerprint": corpus.fingerprint,
        "left_out": left_out.card.name,
        "documents": str(len(learned.split.train)),
        "source": corpus.card.source,
    }
    save_file(learned_state(model), path, metadata=told)
    return path


def _without(prepared: Preparation, names: set[str]) -> Preparation:
    """Return the same with fewer training documents."""
    train, known = prepared.split.train, prepared.corpus.document_ids
    is_kept = np.array([known[number] not in names for number in train.tolist()])
    return replace(prepared, split=replace(prepared.split, train=train[is_kept]))


def _train(
    model: NextVectorModel, prepared: Preparation, config: TrainingConfig
) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    optimizer = optimizer_of(model, config)
    trainer = EpochTrainer(fabric, model, optimizer, prepared, config)
    step = 0
    for epoch in range(1, config.max_epochs + 1):
        loss, step = trainer.train(epoch, step, NullListener())
        typer.echo(f"{config.architecture}, epoch {epoch}: loss {loss:.4f}")


def main(
    corpus: Annotated[Path, typer.Option(help="Corpus of many documents.")] = Path(
        "artifacts/corpora/docs-large"
    ),
    without: Annotated[
        Path, typer.Option(help="Corpus whose documents are left out.")
    ] = Path("artifacts/corpora/docs"),
    out: Annotated[Path, typer.Option(help="Where the files go.")] = SHIPPED,
    runs: Annotated[Path, typer.Option(help="Folder of runs.")] = Path(
        "artifacts/runs"
    ),
) -> None:
    """Make a file for each of the three GRUs."""
    many, few = load_corpus(corpus), load_corpus(without)
    for name in ARCHITECTURES:
        told = {"architecture": name, "max_epochs": EPOCHS, "start": "none"}
        config = resolve("default", told, kind="documents")
        typer.echo(str(make_start(many, few, config, out, runs)))


if __name__ == "__main__":
    typer.run(main)
