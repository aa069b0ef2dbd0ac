"""Which engine runs the network of a new bundle: the fastest here that agrees."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.engine_names import AUTO, EAGER, ENGINES
from nextvec.app.bundle.manifest import EngineFacts, EngineTrial
from nextvec.app.bundle.ranking import ranker_of
from nextvec.app.inference.engine import Engine
from nextvec.app.inference.kernel import load_kernel
from nextvec.app.inference.predictors import Predictor, engines_for, make_predictor
from nextvec.app.inference.threads import inference_threads
from nextvec.training.corpus.windows import Windows
from nextvec.training.errors import BundleError
from nextvec.training.models.prediction import NEVER, Prediction
from nextvec.training.vectors import CONTEXT_LENGTH

MOST_HIT_LOSS: Final = 0.002
"""How far Hit@K may be from that of the network as it was trained: 0.2 points."""

LEAST_COSINE: Final = 0.999
"""Least mean cosine to its predictions."""

MOST_COPY_CHANGE: Final = 0.05
"""How far log weights of copies may be from its own, in the mean: five percent."""

BATCHES: Final = (1, 4, 16, 32)
"""Contexts at a time that engines are timed at."""

_NUM_WINDOWS: Final = 512
# So many that one of them is less than 0.2 points, and few enough for a second or two.
_AT_ONCE: Final = 32
_REPEATS: Final = 5


def require_engine(asked: str) -> None:
    """Refuse an engine that is not there.

    Raises:
        BundleError: it is neither auto nor one of `ENGINES`.
    """
    if asked not in (AUTO, *ENGINES):
        msg = f"expected an engine out of {', '.join((AUTO, *ENGINES))}, got {asked!r}"
        raise BundleError(msg)


def choose_engine(
    bundle: Bundle, asked: str, *, say: Callable[[str], None] = lambda _: None
) -> EngineFacts:
    """Choose what runs the network of a bundle.

    Args:
        bundle: loaded; what its manifest says of an engine is not looked at.
        asked: auto measures all engines and takes the fastest that agrees with the
            network as it was trained; one that is named is taken if it agrees.
        say: told the choice in plain words.

    Returns:
        The choice, why, and what was measured. One that was named and does not agree
        is refused for eager, and that is said.

    Raises:
        BundleError: there is no engine of that name.
    """
    require_engine(asked)
    model = bundle.checkpoint.model
    there = engines_for(model)
    if asked == EAGER:
        return EngineFacts(name=EAGER, reason="asked for")
    reason = None
    if there == (EAGER,):
        reason = "nothing recurrent is run, so that no engine differs from eager"
    elif load_kernel() is None:
        reason = "there is no C compiler here"
    if reason is not None:
        if asked != AUTO:
            say(f"engine {asked} is refused for {EAGER}: {reason}")
        return EngineFacts(name=EAGER, reason=reason)
    names = there if asked == AUTO else (EAGER, asked)
    predictors = {name: make_predictor(model, name) for name in names}
    threads, windows = inference_threads(), _some(bundle.suite.windows)
    with _threads(threads):
        times_ms = measure(bundle, predictors)
        trials = _trials(bundle, windows, predictors, times_ms)
    name, reason = decide(asked, trials)
    if name != asked:
        say(f"engine {name}: {reason}")
    return EngineFacts(
        name=name,
        reason=reason,
        threads=threads,
        k=bundle.suite.k,
        num_windows=len(windows),
        trials=trials,
    )


def decide(asked: str, trials: Mapping[str, EngineTrial]) -> tuple[str, str]:
    """Return the engine that is taken, and why.

    Args:
        asked: auto, or one of the trials.
        trials: of eager and at least one other.
    """
    if asked != AUTO:
        trial = trials[asked]
        if trial.is_passed:
            return asked, "asked for, and it agrees with eager"
        return EAGER, f"{asked} is refused, {_in_words(trial, trials[EAGER])}"
    passed = {name: trial for name, trial in trials.items() if trial.is_passed}
    name = min(passed, key=lambda name: _relative(passed[name], trials[EAGER]))
    reason = "the fastest of those that agree with eager"
    refused = [
        f"{other} does not, {_in_words(trial, trials[EAGER])}"
        for other, trial in trials.items()
        if not trial.is_passed
    ]
    return name, "; ".join([reason, *refused])


def measure(
    bundle: Bundle, predictors: Mapping[str, Predictor]
) -> dict[str, dict[str, float]]:
    """Time engines on batches of full contexts, in turn.

    Returns:
        By engine and number of contexts, the median in milliseconds.
    """
    longest = bundle.suite.windows.context_rows[0]
    rows = np.resize(longest[longest >= 0], CONTEXT_LENGTH)
    context_TD = bundle.index.vectors[rows]
    times_ms: dict[str, dict[str, float]] = {name: {} for name in predictors}
    for size in BATCHES:
        engines = {name: Engine(bundle, one) for name, one in predictors.items()}
        took: dict[str, list[float]] = {name: [] for name in predictors}
        for _ in range(1 + _REPEATS):
            # in turn, so that a slow moment of the machine meets all of them
            for name, engine in engines.items():
                began = time.perf_counter()
                engine.predict([context_TD] * size)
                took[name].append(1000 * (time.perf_counter() - began))
        for name, values in took.items():
            # without the first, which pays for what is made once
            times_ms[name][str(size)] = round(float(np.median(values[1:])), 3)
    return times_ms


def _trials(
    bundle: Bundle,
    windows: Windows,
    predictors: Mapping[str, Predictor],
    times_ms: Mapping[str, dict[str, float]],
) -> dict[str, EngineTrial]:
    ranker = ranker_of(bundle, windows, "index")
    found = {
        name: _predict(Engine(bundle, predictor), windows)
        for name, predictor in predictors.items()
    }
    hits = {
        name: float((ranker.ranks(one) <= bundle.suite.k).mean())
        for name, one in found.items()
    }
    trials = {}
    for name, prediction in found.items():
        cosine = _mean_cosine(prediction, found[EAGER])
        copies = _copy_change(prediction, found[EAGER])
        is_passed = (
            cosine >= LEAST_COSINE
            # a hair more, since shares of windows are no exact numbers
            and abs(hits[name] - hits[EAGER]) <= MOST_HIT_LOSS + 1e-9
            and (copies is None or copies <= MOST_COPY_CHANGE)
        )
        trials[name] = EngineTrial(
            times_ms=times_ms[name],
            cosine=cosine,
            hit=hits[name],
            copies=copies,
            is_passed=is_passed,
        )
    return trials


def _predict(engine: Engine, windows: Windows) -> Prediction:
    vectors = engine.bundle.index.vectors
    starts = range(0, len(windows), _AT_ONCE)
    parts = [windows.known(slice(start, start + _AT_ONCE)) for start in starts]
    joined = Prediction.joined(
        [engine.predict([vectors[rows] for rows in part]) for part in parts]
    )
    # by cosine alone nothing is copied either
    return joined.at(windows.context_rows) if engine.bundle.manifest.betas else joined


def _mean_cosine(one: Prediction, other: Prediction) -> float:
    pair = one.vectors.double(), other.vectors.double()
    cosine_Q = torch.nn.functional.cosine_similarity(*pair, dim=1)
    # of items a network that learned nothing predicts zero: equal, without direction
    is_same_Q = (one.vectors == other.vectors).all(dim=1)
    return float(torch.where(is_same_Q, 1.0, cosine_Q).mean())


def _copy_change(one: Prediction, other: Prediction) -> float | None:
    if one.copies is None or other.copies is None:
        return None
    counts_QT = other.copies > NEVER
    change_QT = (one.copies - other.copies).abs()[counts_QT]
    return float(change_QT.mean()) if len(change_QT) else 0.0


def _relative(trial: EngineTrial, eager: EngineTrial) -> float:
    """Return its time over that of eager, the geometric mean of all batches."""
    ratios = [trial.times_ms[size] / eager.times_ms[size] for size in eager.times_ms]
    return float(np.exp(np.mean(np.log(ratios))))


def _in_words(trial: EngineTrial, eager: EngineTrial) -> str:
    told = (
        f"mean cosine {trial.cosine:.5f} (at least {LEAST_COSINE}), hits "
        f"{100 * (trial.hit - eager.hit):+.2f} points (at most "
        f"{100 * MOST_HIT_LOSS:.1f})"
    )
    if trial.copies is None:
        return told
    return f"{told}, copies {trial.copies:.4f} apart (at most {MOST_COPY_CHANGE})"


def _some(windows: Windows) -> Windows:
    """Return windows from all over, at most as many as are asked."""
    number = min(len(windows), _NUM_WINDOWS)
    return windows.take(np.linspace(0, len(windows) - 1, number).astype(np.int64))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch use as many threads as the service will."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
