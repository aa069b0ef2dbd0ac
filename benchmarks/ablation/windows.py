"""The training windows, and the original project's way of dealing them out."""

from dataclasses import dataclass

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import Split
from nextvec.training.corpus.windows import Windows, cut_windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Windows dealt out one by one, whatever document they are from."""

    train: Windows
    validation: Windows


def training_windows(corpus: Corpus, split: Split, *, stride: int) -> Windows:
    """Cut the windows of the training documents: one target for each full context."""
    return cut_windows(corpus, split.train, stride=stride)


def deal_windows(corpus: Corpus, split: Split, *, stride: int, seed: int) -> Deal:
    """Deal the windows of training and validation documents out at random.

    Training gets as many as the training documents hold, so that nothing differs from
    a split by document but who gets which. Test documents stay out of it.
    """
    documents = np.sort(np.concatenate([split.train, split.validation]))
    windows = cut_windows(corpus, documents, stride=stride)
    num_train = len(training_windows(corpus, split, stride=stride))
    order = np.random.default_rng(seed).permutation(len(windows))
    return Deal(
        train=windows.take(np.sort(order[:num_train])),
        validation=windows.take(np.sort(order[num_train:])),
    )


def is_input(train: Windows, windows: Windows) -> np.ndarray:
    """Return whether each window's target is in a context of training; ``(Q,)``."""
    return np.isin(windows.target_rows, train.context_rows)


def is_target(train: Windows, windows: Windows) -> np.ndarray:
    """Return whether each window's target is a target of training; ``(Q,)``."""
    return np.isin(windows.target_rows, train.target_rows)
