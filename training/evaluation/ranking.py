"""The rank of the target among its candidates, by exact search."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nextvec.training.corpus.windows import Windows
from nextvec.training.errors import VectorError
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.score import Score, add_copies, scores
from nextvec.training.models.prediction import Prediction, as_prediction
from nextvec.training.vectors import Float32, Int64

_BLOCK_BYTES = 128 << 20
# Scores held at a time: 128 queries against 250,000 candidates.


class Ranker:
    """Ranks targets in one pool, for any number of predictors of the same windows.

    Rank = 1 + the number of other candidates that score at least as high as the
    target: ties count against us. Members of the target's duplicate group compete
    with nobody (evaluation protocol, rules 5 and 6). What scores is `Score`.
    """

    def __init__(
        self,
        vectors_ND: Tensor,
        group_N: Int64,
        windows: Windows,
        pool: Pool,
        *,
        exclude_context: bool = True,
        score: Score | None = None,
    ) -> None:
        """Prepare the candidates.

        Args:
            vectors_ND: the whole catalogue in the searched space, on any device.
            group_N: duplicate group of each row (`duplicate_groups`).
            windows: the queries; a target that is no candidate counts as a miss.
            pool: the candidates.
            exclude_context: whether the vectors of the context are no candidates.
            score: how candidates are scored; None is plain cosine.
        """
        self.pool, self._device = pool, vectors_ND.device
        self._search(vectors_ND, score or Score.plain(len(vectors_ND)))
        column_N = np.full(len(vectors_ND), -1, dtype=np.int64)
        column_N[pool.rows] = np.arange(len(pool.rows))
        self._column_N = column_N
        rows_Q = windows.target_rows
        self._column_Q = np.where(rows_Q < 0, -1, column_N[rows_Q])
        self._target_Q = self._column_Q.copy()
        self._group_Q = _group_columns(group_N, windows, pool)
        self._context_Q = [torch.empty(0, dtype=torch.int64)] * len(windows)
        if exclude_context:
            self._context_Q = _context_columns(windows, column_N)
            # an item that returns is no candidate either
            is_back_Q = (windows.context_rows == rows_Q[:, None]).any(axis=1)
            self._target_Q[is_back_Q] = -1
        self._block = max(1, _BLOCK_BYTES // (4 * len(pool.rows)))

    def __len__(self) -> int:
        """Return the number of queries, Q."""
        return len(self._target_Q)

    def searching(self, vectors_ND: Tensor, score: Score) -> Self:
        """Return it for the same windows with other vectors and scores of candidates.

        Args:
            vectors_ND: the whole catalogue, on the same device as before.
            score: how candidates are scored.
        """
        other = copy(self)
        other._search(vectors_ND, score)  # noqa: SLF001 - its own
        return other

    def _search(self, vectors_ND: Tensor, score: Score) -> None:
        """Take the candidates out of a catalogue; the whole of one is not copied."""
        self.beta = score.beta(self.pool.name)
        rows_C = torch.from_numpy(self.pool.rows)
        self._hubness_C = score.hubness[rows_C].to(self._device)
        whole = len(rows_C) == len(vectors_ND)
        self._candidates_CD = vectors_ND if whole else vectors_ND[rows_C]

    def ranks(self, predicted: Tensor | Prediction) -> Int64:
        """Rank every target.

        Args:
            predicted: one prediction for each window, in the searched space.

        Returns:
            Shape ``(Q,)``, 1 is best; a target that is no candidate gets the number
            of candidates plus 1.

        Raises:
            VectorError: another number of predictions, or one that is not finite (it
                would compare with nothing and look perfect).
        """
        return self.ranks_and_included(predicted)[0]

    def ranks_at(
        self, predicted: Tensor | Prediction, betas: Sequence[float]
    ) -> list[Int64]:
        """Rank every target by each of some shares of hubness, from one product.

        Args:
            predicted: one prediction for each window, in the searched space; nothing
                is copied.
            betas: shares of the hubness that are taken off; 0 is plain cosine.

        Returns:
            For each beta as `ranks`.
        """
        found: list[list[Int64]] = [[] for _ in betas]
        for start in range(0, len(self), self._block):
            part = as_prediction(predicted).vectors[start : start + self._block]
            cosine_QC = self._scores(Prediction(part), beta=0.0)
            for ranks, beta in zip(found, betas, strict=True):
                score_QC = cosine_QC - beta * self._hubness_C
                ranks.append(self._ranks(score_QC, start)[0])
        return [np.concatenate(ranks) for ranks in found]

    def ranks_and_included(self, predicted: Tensor | Prediction) -> tuple[Int64, Int64]:
        """Rank every target, and once more with the context among the candidates.

        The second costs next to nothing beside the first. It means something only in
        pools in which all queries have the same candidates.
        """
        prediction = as_prediction(predicted)
        if len(prediction) != len(self):
            msg = f"expected {len(self)} predictions, got {len(prediction)}"
            raise VectorError(msg)
        return self._in_blocks(lambda part: self._scores(prediction[part]))

    def surprise(self, prediction: Prediction) -> Float32:
        """Return how little each target was expected: ``-log P`` among its candidates.

        Scores are taken for log-probabilities up to a constant, which they are where
        training made them so: of items. Everything that is no candidate has none.

        Returns:
            Natural logarithms, shape ``(Q,)``; NaN for a target that is no candidate.
        """
        found = []
        for start in range(0, len(self), self._block):
            score_QC = self._scores(prediction[start : start + self._block])
            part = slice(start, start + len(score_QC))
            target_Q = torch.from_numpy(self._target_Q[part]).to(self._device)
            target_score_Q1 = score_QC.gather(1, target_Q.clamp(min=0)[:, None])
            for query, score_C in enumerate(score_QC):
                self._leave_out(score_C, start + query, group=False)
            lost_Q = torch.logsumexp(score_QC, dim=1) - target_score_Q1[:, 0]
            found.append(lost_Q.masked_fill(target_Q < 0, torch.nan).cpu().numpy())
        return np.concatenate(found)

    def ranks_of(self, prediction: Prediction, start: int) -> Int64:
        """Rank the targets of the queries from number ``start`` on.

        The part of `ranks` that one block is; for callers that must pause between.
        """
        return self._ranks(self._scores(prediction), start)[0]

    def ranks_of_scores(self, score_QN: Tensor, start: int) -> Int64:
        """Rank the targets of the queries from number ``start`` on, by given scores.

        Args:
            score_QN: of the whole catalogue, higher is better.
            start: number of the first query.
        """
        score_QC = score_QN[:, torch.from_numpy(self.pool.rows)].to(self._device)
        return self._ranks(score_QC, start)[0]

    def ranks_by(self, score_N: Tensor) -> Int64:
        """Rank every target by scores that are the same for all queries.

        Args:
            score_N: score of each row of the catalogue, higher is better.

        Returns:
            As `ranks`.
        """
        score_C = score_N.to(self._device)[torch.from_numpy(self.pool.rows)]

        def repeated(part: slice) -> Tensor:
            return score_C.repeat(part.stop - part.start, 1)

        return self._in_blocks(repeated)[0]

    def ranks_by_scores(self, score: Callable[[slice], Tensor]) -> Int64:
        """Rank every target by scores of the whole catalogue.

        Args:
            score: of the queries of a slice, shape ``(Q, N)``, higher is better.

        Returns:
            As `ranks`.
        """
        return self.ranks_and_included_by_scores(score)[0]

    def ranks_and_included_by_scores(
        self, score: Callable[[slice], Tensor]
    ) -> tuple[Int64, Int64]:
        """Rank as `ranks_by_scores`, and once more with the context, too."""
        rows_C = torch.from_numpy(self.pool.rows)
        return self._in_blocks(lambda part: score(part)[:, rows_C].to(self._device))

    def _in_blocks(self, score: Callable[[slice], Tensor]) -> tuple[Int64, Int64]:
        """Rank block by block, from what scores a block."""
        ranks: list[tuple[Int64, Int64]] = []
        for start in range(0, len(self), self._block):
            part = slice(start, min(start + self._block, len(self)))
            ranks.append(self._ranks(score(part), start))
        if not ranks:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rank_Q, included_Q = zip(*ranks, strict=True)
        return np.concatenate(rank_Q), np.concatenate(included_Q)

    def _ranks(self, score_QC: Tensor, start: int) -> tuple[Int64, Int64]:
        """Ranks without and with the context; the scores are spent."""
        part = slice(start, start + len(score_QC))
        column_Q = torch.from_numpy(self._column_Q[part]).to(self._device)
        target_score_Q1 = score_QC.gather(1, column_Q.clamp(min=0)[:, None])
        seen_Q = np.zeros(len(score_QC), dtype=np.int64)
        # then the context is counted apart, which gives both ranks in one pass
        is_shared = self.pool.members is None
        for query, target_score in enumerate(target_score_Q1):
            score_C = score_QC[query]
            self._leave_out(score_C, start + query, context=not is_shared)
            if is_shared:
                context = self._context_Q[start + query]
                seen_Q[query] = int((score_C[context] >= target_score).sum())
        if self.pool.members is not None:
            members = torch.from_numpy(self.pool.members[part])
            score_QC = score_QC.gather(1, members.to(self._device))
        included_Q = 1 + _count(score_QC >= target_score_Q1)
        rank_Q = included_Q - seen_Q
        last = score_QC.shape[1] + 1
        rank_Q[self._target_Q[part] < 0] = last
        included_Q[self._column_Q[part] < 0] = last
        return rank_Q, included_Q

    def nearest(
        self, predicted: Tensor | Prediction, *, without_target: bool = False
    ) -> Int64:
        """Return the best candidate of every query, as a row of the catalogue.

        For pools in which all queries have the same candidates.

        Args:
            predicted: one prediction for each window, in the searched space.
            without_target: leave out the target and its duplicates: the best wrong
                answer.

        Returns:
            Shape ``(Q,)``.
        """
        found = []
        for start in range(0, len(self), self._block):
            part = as_prediction(predicted)[start : start + self._block]
            score_QC = self._scores(part)
            for query in range(len(score_QC)):
                self._leave_out(score_QC[query], start + query, group=without_target)
            found.append(self.pool.rows[score_QC.argmax(dim=1).cpu().numpy()])
        return np.concatenate(found)

    def best_first(
        self, prediction: Prediction, queries: Sequence[int]
    ) -> list[tuple[Int64, Float32]]:
        """Return who competes for some windows, best first.

        For pools in which all queries have the same candidates.

        Args:
            prediction: one for each of these windows.
            queries: numbers of the windows, few: their scores are held at once.

        Returns:
            For each of them rows of the catalogue, and their scores: the target and
            all candidates but its like and the context. Of equals the target is last,
            so that its place, counted from 1, is its rank; one that is in its context,
            and so a miss, stands where it would.
        """
        found = []
        for query, score_C in zip(queries, self._scores(prediction), strict=True):
            is_target_C = torch.arange(len(score_C)) == int(self._column_Q[query])
            target_score = score_C[is_target_C]
            self._leave_out(score_C, query)
            score_C[is_target_C] = target_score
            found_C = score_C.cpu().numpy()
            order = np.lexsort((is_target_C.numpy(), -found_C))
            order = order[np.isfinite(found_C[order])]
            found.append((self.pool.rows[order], found_C[order]))
        return found

    def _leave_out(
        self, score_C: Tensor, query: int, *, group: bool = True, context: bool = True
    ) -> None:
        """Take the scores of those who do not compete for a window.

        Only here is said who that is: the target's duplicate group, itself among them
        (its score is known by then), and the vectors of the context.
        """
        if group:
            score_C[self._group_Q[query]] = -torch.inf
        if context:
            score_C[self._context_Q[query]] = -torch.inf

    def _scores(self, prediction: Prediction, beta: float | None = None) -> Tensor:
        if not prediction.is_finite:
            msg = "a prediction holds NaN or infinity"
            raise VectorError(msg)
        prediction_QD = prediction.vectors.to(self._device)
        beta = self.beta if beta is None else beta
        score_QC = scores(prediction_QD, self._candidates_CD, self._hubness_C, beta)
        if prediction.copies is not None and prediction.rows is not None:
            column_QT = torch.from_numpy(self._columns(prediction.rows))
            copies_QT = prediction.copies.to(self._device)
            add_copies(score_QC, column_QT.to(self._device), copies_QT)
        return score_QC

    def _columns(self, rows: Int64) -> Int64:
        """Return the column of each row, -1 for those that are no candidates."""
        return np.where(rows < 0, -1, self._column_N[rows])


def _count(is_as_high_QC: Tensor) -> Int64:
    """Count the true ones of each row.

    On the CPU by NumPy, which took a tenth of torch's time: 0.03 s against 0.3 s for 61
    queries and 545,000 candidates, of 1.1 s in all.
    """
    if is_as_high_QC.device.type == "cpu":
        counts_Q: Int64 = np.count_nonzero(is_as_high_QC.numpy(), axis=1)
    else:
        counts_Q = is_as_high_QC.sum(dim=1).cpu().numpy()
    return counts_Q


def _group_columns(group_N: Int64, windows: Windows, pool: Pool) -> list[Tensor]:
    """Columns of each target's duplicate group, its own among them."""
    # members of each group among the candidates, found by one sort
    group_C = group_N[pool.rows]
    order = np.argsort(group_C, kind="stable")
    # no group is called -1
    group_Q = np.where(windows.target_rows < 0, -1, group_N[windows.target_rows])
    low_Q = np.searchsorted(group_C[order], group_Q)
    high_Q = np.searchsorted(group_C[order], group_Q, side="right")
    return [
        torch.from_numpy(order[low:high])
        for low, high in zip(low_Q, high_Q, strict=True)
    ]


def _context_columns(windows: Windows, column_N: Int64) -> list[Tensor]:
    """Columns of each context's vectors that are candidates."""
    columns = []
    for context in windows.context_rows:
        # an item that came twice is one candidate
        in_pool = column_N[np.unique(context[context >= 0])]
        columns.append(torch.from_numpy(in_pool[in_pool >= 0]))
    return columns
