"""The folder of a run: what each of its files is, and which of them go where.

The names stand here and nowhere else. Where a file takes long to make, runs find it in
the folder `SHARED` beside theirs, and keep a copy.
"""

from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
"""Held by the process that works in the folder; stays when it is done."""

OPTIONS: Final = "options.json"
"""What the run was told; a run that was told otherwise is refused."""

GROUPS: Final = "groups.npy"
"""Duplicate group of each row of the corpus, int64 ``(N,)``."""

VALIDATION: Final = "validation.npz"
"""The validation windows and their pools."""

TRAINED: Final = "trained.npy"
"""Keys of the vectors trained on, so that on another corpus they can be left out."""

HUBNESS: Final = "hubness.npy"
"""How near each row of the corpus is to predictions in general, float32 ``(N,)``."""

BANK: Final = "bank.safetensors"
"""The predictions that hubness is measured by, float16 ``(M, D)``, and the document of
each, so that rows that come later can be measured by the same; none for items."""

SCORE: Final = "score.json"
"""How much of it candidates are scored less, as validation chose for each pool."""

BASELINES: Final = "baselines.safetensors"
"""Rank that the best baseline of each pool gives each validation target."""

BASELINE_SCORES: Final = "baselines.json"
"""Which baselines these are, and how every other one did."""

TEST_BASELINES: Final = "test-baselines.safetensors"
"""Rank that they give each test target."""

SEQUENCES: Final = "sequences.json"
"""Hits of the model and of the best baseline by sequence; of a run on items alone."""

ITEM_BASELINE: Final = "item_baseline.safetensors"
"""A closed form over ids that answers in place of the network; of items alone, and only
where somebody asked for it (`nextvec.training.baseline_run`)."""

WEIGHTS: Final = "best_hit5.safetensors"
"""Weights of the best epoch so far, and the transform."""

STATE: Final = "state.safetensors"
"""Where the training stands after its last epoch; gone when the run is finished."""

HISTORY: Final = "history.csv"
"""One line for each epoch."""

REPORT: Final = "report.html"
"""The results analysis, in one file."""

MARKDOWN: Final = "report.md"
"""The same in Markdown."""

CURVES: Final = "curves.svg"
"""The picture that the Markdown shows."""

CARD: Final = "card.json"
"""Everything that is known about the run. It comes last: a folder with a card holds a
finished run."""

FINISHED: Final = (
    OPTIONS,
    GROUPS,
    VALIDATION,
    HUBNESS,
    BANK,
    SCORE,
    TRAINED,
    BASELINES,
    BASELINE_SCORES,
    TEST_BASELINES,
    WEIGHTS,
    HISTORY,
    REPORT,
    MARKDOWN,
    CURVES,
    CARD,
)
"""The files of a finished run, on items with `SEQUENCES` besides."""

BUNDLED: Final = (WEIGHTS, CARD, VALIDATION, GROUPS, BASELINES, HUBNESS, BANK)
"""What a bundle takes over as it is. Its version is a digest of them in this order."""

SHARED: Final = ".shared"
"""Folder beside the runs, for what they leave each other."""


def is_finished(folder: Path) -> bool:
    """Whether a run in this folder came to its end."""
    return (folder / CARD).exists()
