"""What ranks targets among the candidates of a bundle, as its index scores them."""

import torch

from nextvec.app.bundle.bundle import Bundle
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.score import Score


def ranker_of(bundle: Bundle, windows: Windows, name: PoolName) -> Ranker:
    """Return what ranks the targets of windows in one pool of a bundle.

    Args:
        bundle: loaded.
        windows: of its validation, or some of them where the pool is the same for all.
        name: of the pool.
    """
    return Ranker(
        torch.from_numpy(bundle.index.vectors),
        bundle.groups,
        windows,
        bundle.suite.pool(name),
        exclude_context=bundle.suite.excludes_context,
        score=Score(
            hubness=torch.from_numpy(bundle.index.hubness),
            curves={},
            fixed={name: bundle.manifest.betas.get(name, 0.0)},
        ),
    )
