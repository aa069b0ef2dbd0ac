"""Hit@K past 100 vectors: whole windows, a state that runs on, one read anew.

    python -m benchmarks.streaming RUN

RUN is a run whose network steps; its corpus is where the run says it was. Of items each
way predicts, at the positions after the first hundred of the validation sequences, the
next item among the whole catalogue without the newest hundred, which all ways know. Of
documents it is judged at the windows of validation, in every pool.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nextvec.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_checkpoint_card,
)
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import load_corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.suite_store import load_suite
from nextvec.training.listener import NullListener
from nextvec.training.models.growing import Kept
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.stepping import State, Stepping
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run_folder import SHARED, VALIDATION
from nextvec.training.vectors import CONTEXT_LENGTH

_BLOCK: Final = 32
KS: Final = (5, 10)


def windows(model: NextVectorModel, sequence_LD: Tensor) -> Iterator[Tensor]:
    """Predict after each position past the hundredth from the newest hundred."""
    contexts = sequence_LD.unfold(0, CONTEXT_LENGTH, 1).transpose(1, 2)[:-1]
    for context_BTD in contexts.split(_BLOCK):
        length_B = torch.full((len(context_BTD),), CONTEXT_LENGTH)
        yield from model.predict(context_BTD.contiguous(), length_B).vectors


def running_on(model: NextVectorModel, sequence_LD: Tensor) -> Iterator[Tensor]:
    """The same with a state that is never read anew; of places the newest hundred.

    Not of the hierarchy, whose chunks are counted from the start of what it is given.
    """
    stepping = _stepping(model)
    [state], found = stepping.step([stepping.start()], [sequence_LD[:CONTEXT_LENGTH]])
    yield found.vectors[0]
    for end in range(CONTEXT_LENGTH + 1, len(sequence_LD)):
        places = tuple(Kept.of(kept.rows[1:]) for kept in state.places)
        shorter = State(CONTEXT_LENGTH - 1, state.now, places)
        context_TD = sequence_LD[end - CONTEXT_LENGTH : end]
        [state], found = stepping.step([shorter], [context_TD])
        yield found.vectors[0]


def read_anew(model: NextVectorModel, sequence_LD: Tensor) -> Iterator[Tensor]:
    """The same with a state that is read anew from the newer half when it is full."""
    stepping = _stepping(model)
    [state], found = stepping.step([stepping.start()], [sequence_LD[:CONTEXT_LENGTH]])
    yield found.vectors[0]
    for end in range(CONTEXT_LENGTH + 1, len(sequence_LD)):
        length = state.length + 1
        if length > CONTEXT_LENGTH:
            state, length = stepping.start(), CONTEXT_LENGTH // 2 + 1
        [state], found = stepping.step([state], [sequence_LD[end - length : end]])
        yield found.vectors[0]


Way = Callable[[NextVectorModel, Tensor], Iterator[Tensor]]
"""Predicts after each position past the hundredth of a sequence, ``(L, D)``."""

WAYS: Final[dict[str, Way]] = {
    "windows of 100": windows,
    "a state that runs on": running_on,
    "read anew, 51 to 100": read_anew,
}


def ways_of(model: NextVectorModel) -> dict[str, Way]:
    """Return the ways that make sense for a network, by name."""
    is_counted = model.config.architecture == "hierarchical"
    return {n: way for n, way in WAYS.items() if not (is_counted and way is running_on)}


def _stepping(model: NextVectorModel) -> Stepping:
    found = Stepping.of(model)
    if found is None:
        msg = f"the {model.config.architecture} network has no step"
        raise ValueError(msg)
    return found


@torch.inference_mode()
def ranks(model: NextVectorModel, sequences: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the rank of each next item, by each way.

    Args:
        model: of items that do not return.
        sequences: rows of the catalogue, each of more than a hundred.
    """
    if model.items is None:
        msg = "expected a network of items"
        raise ValueError(msg)
    unit_ND, bias_N = model.items.unit(), model.items.bias_N
    ways = ways_of(model)
    found: dict[str, list[int]] = {name: [] for name in ways}
    for rows in sequences:
        row_L = torch.from_numpy(rows)
        for name, way in ways.items():
            for at, vector_D in enumerate(way(model, unit_ND[row_L])):
                score_N = unit_ND @ vector_D + bias_N
                end = CONTEXT_LENGTH + at
                target = score_N[row_L[end]]
                score_N[row_L[end - CONTEXT_LENGTH : end]] = -torch.inf
                found[name].append(1 + int((score_N > target).sum()))
    return {name: np.array(rank_P) for name, rank_P in found.items()}


@torch.inference_mode()
def document_predictions(
    model: NextVectorModel, vectors_ND: Tensor, corpus: Corpus, windows: Windows
) -> dict[str, Tensor]:
    """Return what each way predicts at the windows of some documents, ``(Q, D)``.

    Args:
        model: of documents.
        vectors_ND: of the whole catalogue, as the model reads them.
        corpus: whose documents these are.
        windows: each after at least a hundred vectors of its document.
    """
    found = {
        name: torch.empty(len(windows), vectors_ND.shape[1]) for name in ways_of(model)
    }
    for document in np.unique(windows.documents):
        numbers = np.flatnonzero(windows.documents == document)
        sequence_LD = vectors_ND[torch.from_numpy(corpus.sequence(int(document)))]
        for name, way in ways_of(model).items():
            # nothing follows the last vector
            after_PD = torch.stack(list(way(model, sequence_LD)))
            at = windows.positions[numbers] - CONTEXT_LENGTH
            found[name][numbers] = after_PD[at]
    return found


def main() -> None:
    """Measure one run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    card = read_checkpoint_card(run)
    corpus = load_corpus(Path(card["corpus"]["folder"]))
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(run)
    print(f"{checkpoint.model.config.architecture} on {corpus.card.name}")
    if checkpoint.model.items is None:
        _print_documents(checkpoint, corpus, run)
    else:
        _print_items(checkpoint.model, corpus, run)


def _print_items(model: NextVectorModel, corpus: Corpus, run: Path) -> None:
    documents = np.unique(load_suite(run / VALIDATION).windows.documents)
    known = [corpus.known(int(document)) for document in documents]
    sequences = [rows for rows in known if len(rows) > CONTEXT_LENGTH]
    print(f"{len(sequences)} sequences")
    _print_ways(ranks(model, sequences), KS)


def _print_documents(checkpoint: Checkpoint, corpus: Corpus, run: Path) -> None:
    config = TrainingConfig.from_dict(checkpoint.card["options"], source=str(run))
    cache = SharedCache(run, run.parent / SHARED)
    prepared = prepare(
        corpus, config, cache, NullListener(), transform=checkpoint.transform
    )
    windows = prepared.suite.windows
    predicted = document_predictions(
        checkpoint.model, prepared.space.vectors, corpus, windows
    )
    ranked = {name: prepared.judge.ranks(p) for name, p in predicted.items()}
    for pool in prepared.judge.rankers:
        print(f"pool {pool}")
        _print_ways({name: r[pool] for name, r in ranked.items()}, (prepared.suite.k,))


def _print_ways(found: dict[str, np.ndarray], ks: tuple[int, ...]) -> None:
    """Print the hits of each way, and how the last cut-off differs from windows."""
    first = next(iter(found.values()))
    print(f"{len(first):,} targets")
    for name, rank_P in found.items():
        hits = ", ".join(f"Hit@{k} {100 * np.mean(rank_P <= k):.2f} %" for k in ks)
        apart = (rank_P <= ks[-1]).astype(float) - (first <= ks[-1])
        error = 100 * apart.std() / np.sqrt(len(first))
        print(
            f"{name}: {hits}; against windows {100 * apart.mean():+.2f} ± {error:.2f}"
        )


if __name__ == "__main__":
    main()
