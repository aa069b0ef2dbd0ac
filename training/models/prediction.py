"""What a model predicts: a vector, and for items which of the context may return."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.vectors import Int64

NEVER: Final = -1e4
"""Log weight of what cannot be: ``exp`` of it is 0, and its gradient 0 and not NaN."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions for some contexts."""

    vectors: Tensor
    """Shape ``(Q, D)``; unit rows for documents. Of items the length says how sure the
    prediction is: its product with an item's vector is a log-probability, up to the
    item's bias and a constant."""

    copies: Tensor | None = None
    """Log weight of each place of the context as the next item, beside ``exp`` of the
    products; shape ``(Q, T)``, `NEVER` or less for none. None: nothing is copied."""

    rows: Int64 | None = None
    """Row of the catalogue at each place, -1 for none; shape ``(Q, T)``. None until
    somebody says which rows these were."""

    def __len__(self) -> int:
        """Return the number of predictions, Q."""
        return len(self.vectors)

    def __getitem__(self, chosen: slice | list[int]) -> Self:
        """Return some of them."""
        return replace(
            self,
            vectors=self.vectors[chosen],
            copies=None if self.copies is None else self.copies[chosen],
            rows=None if self.rows is None else self.rows[chosen],
        )

    def at(self, rows: Int64) -> Self:
        """Return them with the rows that the places of their contexts are.

        Args:
            rows: padded with -1 at the end; shape ``(Q, S)``, of which S may be more
                than T or less, since beyond the shorter there are no places.
        """
        if self.copies is None:
            return replace(self, rows=rows)
        width = min(rows.shape[1], self.copies.shape[1])
        return replace(self, copies=self.copies[:, :width], rows=rows[:, :width])

    def unit(self) -> Tensor:
        """Return the vectors scaled to length 1, shape ``(Q, D)``.

        Of items that of a network that has learned nothing is zero, and stays so.
        """
        return normalize(self.vectors, dim=-1)

    def cpu(self) -> Self:
        """Return them on the CPU."""
        copies = None if self.copies is None else self.copies.cpu()
        return replace(self, vectors=self.vectors.cpu(), copies=copies)

    @property
    def is_finite(self) -> bool:
        """Whether no vector holds NaN or infinity, and no weight of a copy NaN."""
        whole = bool(torch.isfinite(self.vectors).all())
        return whole and (self.copies is None or not bool(self.copies.isnan().any()))

    @classmethod
    def joined(cls, parts: "list[Prediction]") -> "Prediction":
        """Put blocks of predictions together; copies are padded to the widest."""
        vectors = torch.cat([part.vectors for part in parts])
        found = [part.copies for part in parts if part.copies is not None]
        if not found:
            return cls(vectors)
        width = max(copies.shape[1] for copies in found)
        padded = [
            torch.nn.functional.pad(c, (0, width - c.shape[1]), value=-np.inf)
            for c in found
        ]
        return cls(vectors, torch.cat(padded))


def as_prediction(predicted: "Tensor | Prediction") -> Prediction:
    """Return a prediction; vectors alone copy nothing."""
    return predicted if isinstance(predicted, Prediction) else Prediction(predicted)
