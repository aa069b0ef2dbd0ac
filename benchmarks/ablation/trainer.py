"""One run: a network trained as the original was, measured after every epoch."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.ablation.data import WATCHED, K, Progress, StudyData
from benchmarks.ablation.figures import (
    MemoryFigures,
    change_cosine,
    mean_pairwise_cosine,
    memory_figures,
)
from benchmarks.ablation.losses import original_loss
from benchmarks.ablation.networks import Answer, OriginalGRU
from benchmarks.ablation.results import EpochFigures, LeakFigures, Result, pack_hits
from benchmarks.ablation.variants import Variant
from benchmarks.ablation.windows import is_input, is_target
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import Pool, PoolName, targets_pool
from nextvec.training.evaluation.ranking import Ranker

_WEIGHT_DECAY = 0.01
_LONGEST_GRADIENT = 1.0
# Both as in the original's trainer. Its plateau schedule is left out: it watched the
# loss on the change, and would give each variant a rate of its own.

_BLOCK = 256


class VariantTrainer:
    """Trains one variant and measures it."""

    def __init__(self, data: StudyData, variant: Variant) -> None:
        """Draw the network's weights, the same for equal seeds."""
        self._data, self._variant = data, variant
        torch.manual_seed(data.config.seed)
        dim = data.target_QD.shape[1]
        self.network = OriginalGRU(dim, variant, data.config)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=variant.lr, weight_decay=_WEIGHT_DECAY
        )
        self._train = data.train_windows(variant)
        self._hits: dict[PoolName, list[str]] = {pool: [] for pool in WATCHED}

    def run(self, digest: str, progress: Progress) -> Result:
        """Train for all epochs.

        Args:
            digest: of corpus and options, to be kept with the result.
            progress: told after every epoch.
        """
        started, data = time.perf_counter(), self._data
        epochs = [self._measure(0, (None, None, None))]
        for number in range(1, data.config.epochs + 1):
            told = self._epoch(number)
            epochs.append(self._measure(number, told))
            progress(number, data.config.epochs)
        prediction_QD = self._predict(data.context_QTD).prediction
        hits = {pool: tuple(packed) for pool, packed in self._hits.items()}
        hits["index"] = (pack_hits(data.hits(prediction_QD, "index")),)
        return Result(
            variant=self._variant,
            digest=digest,
            num_train_windows=len(self._train),
            num_windows=len(data.windows),
            epochs=tuple(epochs),
            hits=hits,
            memory=self._memory(),
            leak=self._leak() if self._variant.dealt == "windows" else None,
            seconds=time.perf_counter() - started,
        )

    def _epoch(self, number: int) -> tuple[float, float, float]:
        """Take every step of an epoch; return loss, cosine and cosine of the change."""
        seed = np.random.SeedSequence([self._data.config.seed, number])
        torch.manual_seed(int(seed.generate_state(1)[0]))
        self.network.train()
        told = []
        for windows in self._batches(np.random.default_rng(seed)):
            context_BTD = self._data.contexts(windows)
            target_BD = self._data.targets(windows)
            last_BD = context_BTD[:, -1]
            answer = self.network(context_BTD)
            loss = original_loss(answer, last_BD, target_BD, self._variant)
            self._optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_GRADIENT)
            self._optimizer.step()
            told.append((float(loss.item()), *_cosines(answer, last_BD, target_BD)))
        loss_mean, cosine, change = np.mean(told, axis=0).tolist()
        return loss_mean, cosine, change

    def _batches(self, rng: np.random.Generator) -> Iterator[Windows]:
        order, size = rng.permutation(len(self._train)), self._data.config.batch_size
        for start in range(0, len(order), size):
            yield self._train.take(order[start : start + size])

    def _measure(
        self, number: int, told: tuple[float | None, float | None, float | None]
    ) -> EpochFigures:
        data = self._data
        answer = self._predict(data.context_QTD)
        last_QD = data.context_QTD[:, -1]
        cosine, change = _cosines(answer, last_QD, data.target_QD)
        hit5: dict[PoolName, float] = {}
        for pool in WATCHED:
            hit_Q = data.hits(answer.prediction, pool)
            self._hits[pool].append(pack_hits(hit_Q))
            hit5[pool] = float(hit_Q.mean())
        return EpochFigures(
            number=number,
            train_loss=told[0],
            train_cosine=told[1],
            train_change_cosine=told[2],
            cosine=cosine,
            change_cosine=change,
            change_alike=mean_pairwise_cosine(answer.change),
            prediction_alike=mean_pairwise_cosine(answer.prediction),
            hit5=hit5,
        )

    @torch.no_grad()
    def _predict(self, context_QTD: Tensor) -> Answer:
        self.network.eval()
        parts = [self.network(block) for block in context_QTD.split(_BLOCK)]
        return Answer(
            torch.cat([part.change for part in parts]),
            torch.cat([part.prediction for part in parts]),
        )

    def _memory(self) -> MemoryFigures | None:
        first = self._train.take(
            np.arange(self._data.config.batch_size) % len(self._train)
        )
        shown_QTD = self._data.context_QTD[:_BLOCK]
        return memory_figures(self.network, shown_QTD, self._data.contexts(first))

    def _leak(self) -> LeakFigures:
        """Measure what such a split says of itself, and what it is worth."""
        data, own = self._data, self._data.deal.validation
        corpus, split = data.prepared.corpus, data.prepared.split
        context_QTD = data.contexts(own)
        answers = (self._predict(context_QTD).prediction, context_QTD[:, -1])
        pool = Pool(name="targets", rows=np.unique(own.target_rows))
        documents = np.sort(np.concatenate([split.train, split.validation]))
        filled = targets_pool(corpus, own, documents)
        network, copy = (self._own_hit5(own, pool, answer) for answer in answers)
        in_targets: list[float | None] = [None, None]
        if filled is not None:
            in_targets = [self._own_hit5(own, filled, answer) for answer in answers]
        is_shared = ~is_target(self._train, data.windows)
        return LeakFigures(
            num_train=len(self._train),
            num_validation=len(own),
            input_share=float(is_input(self._train, own).mean()),
            own_size=pool.size,
            own_hit5=network,
            own_copy_hit5=copy,
            targets_hit5=in_targets[0],
            targets_copy_hit5=in_targets[1],
            is_shared=pack_hits(is_shared),
            shared_input_share=_share(is_input(self._train, data.windows)[is_shared]),
        )

    def _own_hit5(self, windows: Windows, pool: Pool, prediction_QD: Tensor) -> float:
        prepared = self._data.prepared
        ranker = Ranker(prepared.vectors, prepared.groups, windows, pool)
        return hit_at_k(ranker.ranks(prediction_QD), K)


def _cosines(answer: Answer, last_BD: Tensor, target_BD: Tensor) -> tuple[float, float]:
    cosine = (answer.prediction.detach() * target_BD).sum(dim=-1).mean()
    change = change_cosine(answer.change.detach(), last_BD, target_BD)
    return float(cosine), change


def _share(is_so: np.ndarray) -> float:
    return float(is_so.mean()) if len(is_so) else 0.0
