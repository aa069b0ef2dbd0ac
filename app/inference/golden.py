"""The golden query: a bundle answers a question whose answer is known, or stays out."""

from pathlib import Path
from typing import Final

import numpy as np

from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.engine_names import INT8
from nextvec.app.bundle.manifest import GOLDEN_K, Golden
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.app.inference.baseline_engine import engine_of
from nextvec.app.inference.engine import Engine, Query, answer
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.errors import BundleError

_TOLERANCE: Final = 1e-4
# Other processors and thread counts round differently: up to 1e-6 was seen over a
# hundred recurrent steps. A changed weight that matters moves far more.

_CODED_SHARE: Final = 0.05
# Of the length of a prediction, where the bundle was asked in int8: a machine without a
# compiler asks the network as it was trained. Two that have the least cosine at which
# int8 is taken, 0.999, are 0.045 of their length apart.


def open_engine(
    folder: Path,
    progress: Progress = ignore_progress,
    verified: VerifiedFiles | None = None,
) -> Engine:
    """Load a bundle that can go live: whole, and it answers its golden query.

    Args:
        folder: of the bundle.
        progress: told as by `load_bundle`.
        verified: as `load_bundle` takes it.

    Raises:
        ProjectError: it is missing, damaged, or answers something else.
    """
    engine = engine_of(load_bundle(folder, progress, verified))
    check_golden(engine)
    return engine


def make_golden(engine: Engine) -> Golden:
    """Ask a new bundle its question: the first validation window."""
    windows = engine.bundle.suite.windows
    rows = windows.context_rows[0][: windows.lengths[0]]
    prediction_D = engine.golden_vector(rows)
    found = answer([Query(engine=engine, rows=rows, k=GOLDEN_K)])[0].found
    return Golden(
        context_rows=rows.tolist(),
        prediction=prediction_D.tolist(),
        rows=found.rows.tolist(),
        scores=found.scores.tolist(),
    )


def check_golden(engine: Engine) -> None:
    """Ask the question again, through the way that live requests take.

    Raises:
        BundleError: the answer is another one.
    """
    golden = engine.bundle.manifest.golden
    version = engine.bundle.manifest.version
    if golden is None:
        msg = f"{version}: holds no golden query: expected a bundle that has been asked"
        raise BundleError(msg)
    try:
        rows = np.array(golden.context_rows)
        prediction_D = engine.golden_vector(rows)
        apart_D = np.abs(prediction_D - np.array(golden.prediction))
        moved = float(apart_D.max(initial=0.0))
    except (IndexError, ValueError) as error:
        msg = f"{version}: the golden query cannot be asked: {error}"
        raise BundleError(msg) from error
    found = answer([Query(engine=engine, rows=rows, k=GOLDEN_K)])[0].found
    tolerance = _TOLERANCE
    if engine.bundle.manifest.engine.name == INT8:
        tolerance = _CODED_SHARE * max(1.0, float(np.linalg.norm(golden.prediction)))
    if not moved <= tolerance:
        msg = (
            f"{version}: the golden query's prediction moved by {moved:.2g}, expected "
            f"at most {tolerance:g}"
        )
        raise BundleError(msg)
    expected = np.array(golden.scores)
    # neighbors whose scores are closer than the tolerance may change places
    sure = expected > expected[-1] + 2 * tolerance
    lost = set(np.array(golden.rows)[sure].tolist()) - set(found.rows.tolist())
    if (
        lost
        or found.scores.shape != expected.shape
        or (np.abs(found.scores - expected) > tolerance).any()
    ):
        msg = (
            f"{version}: the golden query found rows {found.rows.tolist()}, expected "
            f"{golden.rows}"
        )
        raise BundleError(msg)
