"""Cross-entropy over a catalogue of items, and what of the context may return."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.fit.losses import same_group
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.prediction import NEVER
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Int64


@dataclass(frozen=True, kw_only=True)
class ItemLoss:
    """``-log P`` of the item that comes next, among all of training or a sample.

    With all of them it is the full softmax, which most of what is told of GRU4Rec's
    descendants comes from (Klenitskiy and Vasilev 2023,
    https://arxiv.org/abs/2309.07602). A sample is drawn as often as items occur, and
    each logit is less ``log(size * share of the item)``, so that the sum estimates
    that over all (Bengio and Senecal 2008; logQ in Yi et al. 2019).
    """

    rows: Int64
    """Items that training meets, each once; shape ``(M,)``."""

    events: Int64
    """Items of training as often as they occur."""

    log_shares: Tensor
    """Log of the share of the events that each item is, shape ``(N,)``."""

    sample_size: int
    """Items of a sample; all of them if there are no more."""

    excludes_context: bool
    """Whether items of the context are no candidates."""

    @classmethod
    def of(cls, prepared: Preparation) -> Self:
        """Take the catalogue of a run."""
        count_N = prepared.item_counts
        share_N = torch.from_numpy(count_N / max(1, count_N.sum()))
        return cls(
            rows=prepared.train_rows,
            events=np.repeat(np.arange(len(count_N)), count_N),
            log_shares=share_N.log().float(),
            sample_size=prepared.config.bank_size,
            excludes_context=prepared.suite.excludes_context,
        )

    def __call__(
        self, model: NextVectorModel, rows_BT: Int64, rng: np.random.Generator
    ) -> Tensor:
        """Return the mean over all places that have an item after them.

        Args:
            model: of items.
            rows_BT: sequences, padded at the end with -1.
            rng: where samples are drawn from.
        """
        if model.items is None:
            msg = "expected a model of items, got one of documents"
            raise ValueError(msg)
        device = model.items.bias_N.device
        rows = torch.from_numpy(rows_BT).to(device)
        context_BT, next_BT = rows[:, :-1], rows[:, 1:]
        inside_BT = next_BT >= 0
        vectors = model.items.vectors_ND
        context_BTD = normalize(vectors[context_BT.clamp(min=0)], dim=-1)
        prediction = model.everywhere(context_BTD)
        target_P, vector_PD = next_BT[inside_BT], prediction.vectors[inside_BT]
        candidate_C, correction_C = self._candidates(rng, device)
        candidate_CD = normalize(vectors[candidate_C], dim=-1)
        bias_C = model.items.bias_N[candidate_C] - correction_C
        logit_PC = torch.addmm(bias_C, vector_PD, candidate_CD.T)
        out_of_question = same_group(target_P, candidate_C)
        logit_PC = logit_PC.index_put(out_of_question, logit_PC.new_tensor(NEVER))
        if self.excludes_context:
            seen = _seen(context_BT, inside_BT, candidate_C)
            logit_PC = logit_PC.index_put(seen, logit_PC.new_tensor(NEVER))
        target_PD = normalize(vectors[target_P], dim=-1)
        target_P1 = (vector_PD * target_PD).sum(-1) + model.items.bias_N[target_P]
        total_P = torch.logaddexp(torch.logsumexp(logit_PC, dim=1), target_P1)
        if prediction.copies is not None:
            copies_PT = prediction.copies[inside_BT]
            is_target_BTT = context_BT[:, None, :] == next_BT[:, :, None]
            own_PT = copies_PT.masked_fill(~is_target_BTT[inside_BT], NEVER)
            total_P = torch.logaddexp(total_P, torch.logsumexp(copies_PT, dim=1))
            target_P1 = torch.logaddexp(target_P1, torch.logsumexp(own_PT, dim=1))
        return (total_P - target_P1).mean()

    def _candidates(
        self, rng: np.random.Generator, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Rows to compare with, and what each logit is too large by."""
        if len(self.rows) <= self.sample_size:
            rows_C = torch.from_numpy(self.rows)
            return rows_C.to(device), torch.zeros(len(rows_C), device=device)
        drawn = self.events[rng.integers(len(self.events), size=self.sample_size)]
        rows_C = torch.from_numpy(drawn)
        correction_C = self.log_shares[rows_C] + np.log(self.sample_size)
        return rows_C.to(device), correction_C.to(device)


def _seen(
    context_BT: Tensor, inside_BT: Tensor, candidate_C: Tensor
) -> tuple[Tensor, Tensor]:
    """Pairs of a place and a candidate that its context holds already."""
    length = context_BT.shape[1]
    place_T = torch.arange(length, device=context_BT.device)
    is_past_TT = place_T[None, :] <= place_T[:, None]
    # number of each place among those inside, by stretch and position
    stretch_P, position_P = torch.nonzero(inside_BT, as_tuple=True)
    place, back = torch.nonzero(is_past_TT[position_P], as_tuple=True)
    seen_row = context_BT[stretch_P[place], back]
    pair, column = same_group(seen_row, candidate_C)
    return place[pair], column
