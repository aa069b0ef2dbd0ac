"""The best baseline that a run of this project measured on the same windows."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.export import PARTS, Export
from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import Split
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.evaluation import KS
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.preparation.kept_baselines import read_ranks
from nextvec.training.run_folder import BASELINES, TEST_BASELINES
from nextvec.training.vectors import Int64

_FILES = dict(zip(PARTS, (BASELINES, TEST_BASELINES), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class BestBaseline:
    """What every lift is over: chosen on validation, judged on both parts."""

    name: str

    k: int
    """Cut-off of the lift."""

    ranks: dict[str, Int64]
    """By part: the rank it gives the target of each window, shape ``(Q,)``."""

    def hit_at(self, part: str) -> dict[str, float]:
        """Return its Hit@K by cut-off, as a result tells it."""
        return {str(k): hit_at_k(self.ranks[part], k) for k in KS}


def read_best_baseline(
    run: Path, corpus: Corpus, split: Split, export: Export
) -> BestBaseline:
    """Read it from the folder of a finished run.

    Args:
        run: the folder.
        corpus: whose items are ranked.
        split: of it.
        export: the windows on which it is judged.

    Raises:
        CheckpointError: there is no finished run.
        TrainingError: it is of another corpus, split or stride, or its ranks are
            missing.
    """
    card = read_checkpoint_card(run)
    found = (card["corpus"]["fingerprint"], card["split"]["fingerprint"])
    wanted = (corpus.fingerprint, split.fingerprint(corpus))
    if found != wanted:
        msg = (
            f"{run}: expected a run on {corpus.card.name} ({wanted[0][:12]}, split "
            f"{wanted[1][:12]}), got {card['corpus']['name']} ({found[0][:12]}, split "
            f"{found[1][:12]})"
        )
        raise TrainingError(msg)
    (pool,) = card["evaluation"]["pools"]
    try:
        ranks = {p: read_ranks(run / file)[pool["pool"]] for p, file in _FILES.items()}
    except (OSError, KeyError, ValueError) as error:
        msg = f"{run}: expected the ranks of its best baseline: {error}"
        raise TrainingError(msg) from error
    for part, rank_Q in ranks.items():
        if len(rank_Q) != len(export.windows[part]):
            msg = (
                f"{run}: expected ranks of {len(export.windows[part])} {part} windows, "
                f"got {len(rank_Q)}: take a run with the default --stride"
            )
            raise TrainingError(msg)
    return BestBaseline(name=pool["baseline"], k=card["k"], ranks=ranks)
