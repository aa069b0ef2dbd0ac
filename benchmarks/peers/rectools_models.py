"""One training run of HSTU as RecTools implements it, in RecTools' own environment.

``python -m benchmarks.peers.rectools_models EXPORT RANKS SETTINGS``, as
`recbole_models`. RecTools' network, loss and optimizer, and Lightning's trainer, do the
work; batches, validation and the choice of the best weights are replaced: they go by
this project's training sequences and windows. The export has no times, so that
attention is relative to positions alone.
"""

import copy
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rectools
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import HSTUModel
from torch import Tensor

from benchmarks.peers.examples import Example, batches, blocks
from benchmarks.peers.ranks import target_ranks

Arrays = dict[str, NDArray[Any]]

_BATCH = 256
# Windows ranked at a time.


class Loader:
    """Batches of blocks, drawn anew in every epoch; stands in for RecTools' own."""

    def __init__(
        self, arrays: Arrays, settings: dict[str, Any], known: NDArray[np.int64]
    ) -> None:
        """Prepare the examples."""
        self._rows, self._offsets = arrays["rows"], arrays["offsets"]
        self._rng = np.random.default_rng(settings["seed"])
        self._length, self._known = settings["context_length"], known
        self._batch_size = settings["batch_size"]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Go through the batches of one epoch."""
        examples = blocks(self._offsets, context_length=self._length, rng=self._rng)
        for batch in batches(examples, self._batch_size, self._rng):
            yield self._batch(batch)

    def _batch(self, batch: list[Example]) -> dict[str, Tensor]:
        """Inputs and targets, padded before the first; shape ``(B, T)``."""
        shape = (len(batch), self._length)
        x, y = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, example in enumerate(batch):
            items = self._known[self._rows[example.start : example.stop + 1]]
            x[row, self._length - len(items) + 1 :] = items[:-1]
            y[row, self._length - len(items) + 1 :] = items[1:]
        weight = (y > 0).astype(np.float32)
        return {
            "x": torch.from_numpy(x),
            "y": torch.from_numpy(y),
            "yw": torch.from_numpy(weight),
        }


class Watch(Callback):
    """Ranks the validation windows after each epoch, and stops after the best."""

    def __init__(
        self, arrays: Arrays, known: NDArray[np.int64], settings: dict[str, Any]
    ) -> None:
        """Remember what is ranked."""
        self._arrays, self._known, self._settings = arrays, known, settings
        self.scores: list[float] = []
        self.best_epoch = -1
        self.best_weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure Hit@10, keep the best weights."""
        network: Any = pl_module.torch_model
        rank_Q = ranks(network, self._arrays, self._known, self._settings, "validation")
        pl_module.train()
        score, epoch = float((rank_Q <= 10).mean()), len(self.scores)
        if not self.scores or score > max(self.scores):
            self.best_epoch = epoch
            self.best_weights = copy.deepcopy(network.state_dict())
        self.scores.append(score)
        if epoch - self.best_epoch >= self._settings["patience"]:
            trainer.should_stop = True


def ranks(
    network: Any,  # noqa: ANN401 - RecTools' backbone
    arrays: Arrays,
    known: NDArray[np.int64],
    settings: dict[str, Any],
    part: str,
) -> NDArray[np.int64]:
    """Rank the targets of a part's windows among all items; shape ``(Q,)``."""
    contexts, targets = arrays[f"{part}_context_rows"], arrays[f"{part}_target_rows"]
    lengths, width = arrays[f"{part}_lengths"], settings["context_length"]
    network.eval()
    rank_Q = np.empty(len(targets), dtype=np.int64)
    with torch.no_grad():
        item_embs = network.item_model.get_all_embeddings()
        for start in range(0, len(targets), _BATCH):
            chosen = np.arange(start, min(start + _BATCH, len(targets)))
            x = np.zeros((len(chosen), width), dtype=np.int64)
            for row, window in enumerate(chosen.tolist()):
                items = known[contexts[window, : lengths[window]]][-width:]
                x[row, width - len(items) :] = items
            state = network.encode_sessions({"x": torch.from_numpy(x)}, item_embs)
            logits = network.similarity_module(state[:, -1:], item_embs)[:, 0]
            rank_Q[chosen] = target_ranks(
                logits.numpy()[:, known],
                targets[chosen],
                contexts[chosen],
                excludes_context=bool(arrays["excludes_context"][0]),
            )
    return rank_Q


def catalogue(num_items: int) -> Dataset:
    """Return a dataset that names every item once, by two or three a user.

    RecTools numbers items by it, and trains on nothing of it.
    """
    item_N = np.arange(num_items)
    frame = pd.DataFrame(
        {
            Columns.User: np.minimum(item_N // 2, max(0, num_items // 2 - 1)),
            Columns.Item: item_N,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2020-01-01"),
        }
    )
    return Dataset.construct(frame)


def build(settings: dict[str, Any], num_items: int) -> tuple[Any, NDArray[np.int64]]:
    """Return RecTools' model, and its number of each of our items, ``(N,)``."""
    seed_everything(settings["seed"], verbose=False)
    network = dict(settings["network"])
    model = HSTUModel(
        session_max_len=settings["context_length"],
        lr=settings["learning_rate"],
        relative_time_attention=False,
        relative_pos_attention=True,
        loss="softmax",
        lightning_module_kwargs={"logits_t": network.pop("logits_t")},
        **network,
    )
    # what `fit` does before it trains
    model._build_model_from_dataset(catalogue(num_items))  # noqa: SLF001
    known = model.data_preparator.item_id_map.convert_to_internal(np.arange(num_items))
    return model, np.asarray(known)


def main() -> None:
    """Train, rank both parts' targets with the best weights, write the ranks."""
    export, out, told = sys.argv[1:]
    settings = json.loads(told)
    with np.load(export) as file:
        arrays = dict(file)
    start = time.perf_counter()
    model, known = build(settings, int(arrays["num_items"][0]))
    watch = Watch(arrays, known, settings)
    trainer = Trainer(
        max_epochs=settings["max_epochs"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    trainer.fit(model.lightning_model, Loader(arrays, settings, known))
    network = model.lightning_model.torch_model
    network.load_state_dict(watch.best_weights)
    temporary = Path(out).with_suffix(".part.npz")
    np.savez(
        temporary,
        validation=ranks(network, arrays, known, settings, "validation"),
        test=ranks(network, arrays, known, settings, "test"),
        scores=np.array(watch.scores),
        best_epoch=np.array([watch.best_epoch]),
        seconds=np.array([time.perf_counter() - start]),
        library=np.array([f"RecTools {rectools.__version__}"]),
    )
    temporary.replace(out)


if __name__ == "__main__":
    main()
