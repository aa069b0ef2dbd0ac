"""Hit@K past 100 vectors: whole windows, a state that runs on, one read anew.

    python -m benchmarks.streaming RUN

RUN is a run on items; its corpus is where the run says it was. At the positions after
the first hundred of the validation sequences each way predicts the next item among the
whole catalogue without the newest hundred, which all ways know.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nextvec.training.checkpoint import load_checkpoint, read_checkpoint_card
from nextvec.training.corpus.store import load_corpus
from nextvec.training.evaluation.suite_store import load_suite
from nextvec.training.models.growing import Kept
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.stepping import State, Stepping
from nextvec.training.run_folder import VALIDATION
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


WAYS: Final[dict[str, Callable[[NextVectorModel, Tensor], Iterator[Tensor]]]] = {
    "windows of 100": windows,
    "a state that runs on": running_on,
    "read anew, 51 to 100": read_anew,
}


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
    ways = dict(WAYS)
    if model.config.architecture == "hierarchical":
        ways = {name: way for name, way in ways.items() if way is not running_on}
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


def main() -> None:
    """Measure one run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    corpus = load_corpus(Path(read_checkpoint_card(run)["corpus"]["folder"]))
    documents = np.unique(load_suite(run / VALIDATION).windows.documents)
    known = [corpus.known(int(document)) for document in documents]
    sequences = [rows for rows in known if len(rows) > CONTEXT_LENGTH]
    torch.set_num_threads(1)
    model = load_checkpoint(run).model
    found = ranks(model, sequences)
    count, first = len(next(iter(found.values()))), next(iter(found.values()))
    print(f"{model.config.architecture}: {len(sequences)} sequences, {count:,} targets")
    for name, rank_P in found.items():
        hits = ", ".join(f"Hit@{k} {100 * np.mean(rank_P <= k):.2f} %" for k in KS)
        apart = (rank_P <= KS[-1]).astype(float) - (first <= KS[-1])
        error = 100 * apart.std() / np.sqrt(count)
        print(
            f"{name}: {hits}; against windows {100 * apart.mean():+.2f} ± {error:.2f}"
        )


if __name__ == "__main__":
    main()
