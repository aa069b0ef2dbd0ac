"""Negatives of a batch: a bank from all training documents, and each one's own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.vectors import Int64


@dataclass(frozen=True, slots=True)
class OwnNegatives:
    """Passages of the same document: the hardest candidates there are.

    They are drawn anew for each batch. What is in the context is no negative, since it
    is no candidate either (evaluation protocol, rule 5).
    """

    rows: Tensor
    """Drawn rows of each stretch's document, shape ``(B, E)``."""

    is_seen: Tensor
    """Whether the row is in the context of a position, shape ``(B, T, E)``."""

    @classmethod
    def draw(
        cls, corpus: Corpus, rows_BT: Int64, number: int, rng: np.random.Generator
    ) -> "OwnNegatives":
        """Draw negatives for a batch of stretches.

        Args:
            corpus: of documents; in items a row has no document of its own.
            rows_BT: contexts, padded at the end with -1.
            number: rows to draw for each, E, with replacement.
            rng: where to draw from.
        """
        first_B = rows_BT[:, 0]
        document_B = corpus.document_of_row[first_B]
        start_B = corpus.offsets[document_B]
        length_B = corpus.lengths[document_B]
        drawn_BE = rng.integers(length_B[:, None], size=(len(rows_BT), number))
        # rows of a document are contiguous, and so are those of a stretch
        back_BE = drawn_BE - corpus.position_of_row[first_B][:, None]
        position_T = np.arange(rows_BT.shape[1])
        is_seen = (back_BE >= 0)[:, None] & (back_BE[:, None] <= position_T[:, None])
        return cls(
            rows=torch.from_numpy(start_B[:, None] + drawn_BE),
            is_seen=torch.from_numpy(is_seen),
        )

    def cosines(
        self,
        prediction_BTD: Tensor,
        vectors_ND: Tensor,
        group_N: Tensor,
        target: Tensor,
    ) -> Tensor:
        """Cosine of every prediction with its negatives, -infinity where it has none.

        Args:
            prediction_BTD: unit vectors.
            vectors_ND: the catalogue.
            group_N: duplicate group of each row.
            target: row of the target of each position, shape ``(B, T)``.

        Returns:
            Shape ``(B, T, E)``.
        """
        rows_BE = self.rows.to(vectors_ND.device)
        cosine_BTE = prediction_BTD @ vectors_ND[rows_BE].transpose(1, 2)
        is_target = group_N[rows_BE][:, None] == group_N[target][..., None]
        masked = self.is_seen.to(vectors_ND.device) | is_target
        return cosine_BTE.masked_fill(masked, -torch.inf)
