"""One training run of a RecBole model, in RecBole's own environment.

``python -m benchmarks.peers.recbole_models EXPORT RANKS SETTINGS``: the exported
windows, where to put the ranks of their targets, and the settings as JSON. RecBole's
model class, its loss and its trainer do the work. Of the trainer, two methods are
replaced: validation scores this project's windows, and the best weights are kept in
memory. Writes logs into the working folder.
"""

import copy
import json
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import recbole
import torch
from numpy.typing import NDArray
from recbole.config import Config
from recbole.data.interaction import Interaction
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed
from torch import Tensor

from benchmarks.peers.examples import (
    Example,
    batches,
    blocks,
    padded,
    positions,
)
from benchmarks.peers.ranks import target_ranks

Arrays = dict[str, NDArray[Any]]

_BATCH = 256
# Windows ranked at a time.


class Catalogue:
    """Stands in for RecBole's dataset, of which a model asks only the items' number."""

    def __init__(self, num_items: int) -> None:
        """Remember how many items there are."""
        self._num_items = num_items

    def num(self, field: str) -> int:
        """Return the number of items with the padding, which is item 0."""
        del field
        return self._num_items + 1


class EveryPosition:
    """Turns a model into one that learns all targets of a block in one pass.

    RecBole's models read the state at an example's last item (`gather_indexes`). In
    training this hands on the states at all of its items, one after the other, so that
    `calculate_loss`, unchanged, compares each with its own target. The models are
    causal and blocks start at position 0, as contexts do, so that for the sequences of
    up to 101 items, which are not cut, this is the very loss that RecBole's data
    augmentation gives (`check_losses`).
    """

    training: bool

    def gather_indexes(self, output: Tensor, gather_index: Tensor) -> Tensor:
        """Return the states at all items (training) or at the last ones, (P, H)."""
        if not self.training:
            at_last: Tensor = super().gather_indexes(  # type: ignore[misc]
                output, gather_index
            )
            return at_last
        position_T = torch.arange(output.shape[1])
        return output[position_T[None, :] <= gather_index[:, None]]


class Loader:
    """Batches of training examples; stands in for RecBole's data loader."""

    def __init__(self, arrays: Arrays, settings: dict[str, Any]) -> None:
        """Prepare the examples."""
        self._rows, self._offsets = arrays["rows"], arrays["offsets"]
        self._rng = np.random.default_rng(settings["seed"])
        self._length = settings["context_length"]
        self._batch_size = settings["batch_size"]
        self._is_blocks = settings["examples"] == "blocks"
        self._positions = positions(self._offsets, context_length=self._length)

    def __iter__(self) -> Iterator[Any]:
        """Go through the batches of one epoch, in an order drawn anew."""
        examples = self._positions
        if self._is_blocks:
            examples = blocks(self._offsets, context_length=self._length, rng=self._rng)
        for batch in batches(examples, self._batch_size, self._rng):
            yield interaction(self._rows, batch, every=self._is_blocks)


def interaction(rows: NDArray[np.int64], batch: list[Example], *, every: bool) -> Any:  # noqa: ANN401
    """Return a batch as RecBole takes it.

    Args:
        rows: items of all sequences.
        batch: what to take of them.
        every: whether the item after every input is a target, or after the last only.
    """
    items, lengths = padded(rows, batch)
    targets = [rows[(e.start + 1 if every else e.stop) : e.stop + 1] + 1 for e in batch]
    return Interaction(
        {
            "item_id_list": torch.from_numpy(items),
            "item_length": torch.from_numpy(lengths),
            "item_id": torch.from_numpy(np.concatenate(targets)),
        }
    )


class WindowTrainer(Trainer):
    """RecBole's trainer with this project's validation windows."""

    def __init__(self, config: Any, model: Any, arrays: Arrays) -> None:  # noqa: ANN401
        """Prepare the training of a model."""
        super().__init__(config, model)
        self._arrays = arrays
        self.best_epoch = -1
        self.best_weights: dict[str, Tensor] = {}

    def _valid_epoch(
        self,
        valid_data: str,
        show_progress: bool = False,
    ) -> tuple[float, dict[str, float]]:
        del show_progress
        rank_Q = ranks(self.model, self._arrays, valid_data)
        score = float((rank_Q <= 10).mean())
        return score, {"hit@10": score}

    def _save_checkpoint(self, epoch: int, **options: object) -> None:
        del options
        self.best_epoch = epoch
        self.best_weights = copy.deepcopy(self.model.state_dict())


def ranks(model: Any, arrays: Arrays, part: str) -> NDArray[np.int64]:  # noqa: ANN401
    """Rank the targets of a part's windows among all items; shape ``(Q,)``."""
    contexts = arrays[f"{part}_context_rows"]
    lengths = arrays[f"{part}_lengths"]
    targets = arrays[f"{part}_target_rows"]
    model.eval()
    rank_Q = np.empty(len(targets), dtype=np.int64)
    # those of like length together: less padding is computed
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        context_QT = contexts[chosen, : lengths[chosen].max()]
        with torch.no_grad():
            score_QN = model.full_sort_predict(
                Interaction(
                    {
                        # padding is -1 there and 0 here
                        "item_id_list": torch.from_numpy(context_QT + 1),
                        "item_length": torch.from_numpy(lengths[chosen]),
                    }
                )
            ).numpy()
        rank_Q[chosen] = target_ranks(
            # the padding is no candidate
            score_QN[:, 1:],
            targets[chosen],
            context_QT,
            excludes_context=bool(arrays["excludes_context"][0]),
        )
    return rank_Q


def check_losses(model: Any, plain: Any, arrays: Arrays) -> None:  # noqa: ANN401
    """Refuse a model whose loss of a block is not that of its positions.

    Args:
        model: with `EveryPosition`.
        plain: RecBole's class as it is.
        arrays: the export; the first two sequences are compared, up to 101 items each.

    Raises:
        RuntimeError: the losses differ, without dropout.
    """
    rows, offsets = arrays["rows"], arrays["offsets"][:3]
    block = [
        Example(int(first), int(min(end - 1, first + 100)))
        for first, end in pairwise(offsets)
    ]
    single = [
        Example(e.start, t) for e in block for t in range(e.start + 1, e.stop + 1)
    ]
    plain.load_state_dict(model.state_dict())
    for module in (*model.modules(), *plain.modules()):
        module.eval()
    # only the switch of `EveryPosition`: dropout stays off
    model.training = True
    with torch.no_grad():
        in_one = model.calculate_loss(interaction(rows, block, every=True)).item()
        apart = plain.calculate_loss(interaction(rows, single, every=False)).item()
    if abs(in_one - apart) > 1e-4:
        msg = f"loss of the blocks {in_one}, of their positions {apart}"
        raise RuntimeError(msg)


def build(settings: dict[str, Any], arrays: Arrays) -> tuple[Any, Any]:
    """Return RecBole's configuration and the model."""
    config = Config(
        model=settings["model"],
        dataset="exported",
        config_dict={
            **settings["always"],
            **settings["network"],
            "learning_rate": settings["learning_rate"],
            "epochs": settings["max_epochs"],
            "stopping_step": settings["patience"],
            "MAX_ITEM_LIST_LENGTH": settings["context_length"],
            "seed": settings["seed"],
            "valid_metric": "Hit@10",
            "show_progress": False,
            "metrics": ["Hit"],
            "topk": [10],
            "train_neg_sample_args": None,
            "use_gpu": False,
        },
    )
    plain = get_model(settings["model"])
    # the import of some other model turned this on for all: four times as slow
    torch.autograd.set_detect_anomaly(False)
    init_seed(settings["seed"], reproducibility=True)
    catalogue = Catalogue(int(arrays["num_items"][0]))
    if settings["examples"] == "positions":
        return config, plain(config, catalogue)
    model = type(plain.__name__, (EveryPosition, plain), {})(config, catalogue)
    check_losses(copy.deepcopy(model), plain(config, catalogue), arrays)
    init_seed(settings["seed"], reproducibility=True)
    return config, model


def main() -> None:
    """Train, rank both parts' targets with the best weights, write the ranks."""
    export, out, settings = sys.argv[1:]
    # RecBole reads the command line too
    del sys.argv[1:]
    told = json.loads(settings)
    with np.load(export) as file:
        arrays = dict(file)
    start = time.perf_counter()
    config, model = build(told, arrays)
    trainer = WindowTrainer(config, model, arrays)
    seen: list[float] = []
    trainer.fit(
        Loader(arrays, told),
        "validation",
        verbose=False,
        callback_fn=lambda _, score: seen.append(score),
    )
    model.load_state_dict(trainer.best_weights)
    temporary = Path(out).with_suffix(".part.npz")
    np.savez(
        temporary,
        validation=ranks(model, arrays, "validation"),
        test=ranks(model, arrays, "test"),
        scores=np.array(seen),
        best_epoch=np.array([trainer.best_epoch]),
        seconds=np.array([time.perf_counter() - start]),
        library=np.array([f"RecBole {recbole.__version__}"]),
    )
    temporary.replace(out)


if __name__ == "__main__":
    main()
