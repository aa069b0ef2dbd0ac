"""The space that is searched: vectors of all candidates, and how they are scored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.score import Score
from nextvec.training.models.model import NextVectorModel, predict
from nextvec.training.models.prediction import Prediction


@dataclass(frozen=True, slots=True)
class SearchedSpace:
    """A catalogue as it is searched; of items that learn a network has its own."""

    vectors: Tensor
    """Of the whole catalogue, unit rows, shape ``(N, D)``, on the CPU."""

    score: Score
    """How candidates are scored."""

    def contexts(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Return context vectors ``(Q, T, D)``, zero where padded, and lengths."""
        context_QTD = windows.contexts(self.vectors.numpy())
        return torch.from_numpy(context_QTD), torch.from_numpy(windows.lengths)

    def predict(self, model: NextVectorModel, windows: Windows) -> Prediction:
        """Predict after each window with the model whose space this is.

        Returns:
            On the CPU, with the rows of the contexts.
        """
        prediction = predict(model, *self.contexts(windows))
        return prediction.cpu().at(windows.context_rows)


def ranker_in(ranker: Ranker, space: SearchedSpace, given: SearchedSpace) -> Ranker:
    """Return a ranker of the given space in another; in the same it is itself."""
    return ranker if space is given else ranker.searching(space.vectors, space.score)


def judge_in(judge: Judge, space: SearchedSpace, given: SearchedSpace) -> Judge:
    """Return a judge of the given space in another; in the same it is itself.

    Documents stay in one space: on `docs-large` another judge's copy of the pool
    "documents" alone is 82 MB.
    """
    return judge if space is given else judge.searching(space.vectors, space.score)


def space_of(model: NextVectorModel, given: SearchedSpace) -> SearchedSpace:
    """Return the space that a model searches.

    Args:
        model: as it is now; what it learns later changes nothing here.
        given: the space it started from; of documents it stays that.
    """
    if model.items is None:
        return given
    with torch.no_grad():
        vectors_ND = model.items.unit().cpu()
        bias_N = model.items.bias_N.detach().cpu().clone()
    return SearchedSpace(vectors_ND, Score.of_biases(bias_N, "index"))
