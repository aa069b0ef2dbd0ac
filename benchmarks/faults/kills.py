"""kill -9 at the steps in which training, building and promoting write.

``python -m benchmarks.faults.kills [--trials N]`` runs ``nextvec up`` on a small corpus
where another bundle of it is live, counts every step that changes a file, and then does
it again from the start for some of the steps (all of them with 0), killed there. After
every kill it asks:

* what is live is whole and answers its golden query, and is what was live before or
  what was to be;
* the same command, run again, ends well, and what it was to promote is live;
* weights are those of a run that nobody disturbed, to the byte;
* nothing is left that the killed process had begun.

The children are forks of one process, which has imported everything and computed
nothing: a trial takes seconds, and most of that is the training.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import typer

from benchmarks.faults.written import WriteSteps
from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.commands import bundle as _bundle  # noqa: F401 - before the forks
from nextvec.app.commands import pipeline as _pipeline  # noqa: F401 - likewise
from nextvec.app.commands.main import cli
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import POINTER, Registry
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import ProjectError
from nextvec.training.run_folder import WEIGHTS
from nextvec.training.vectors import l2_normalize

_DOCUMENTS, _LENGTH, _DIM = 12, 130, 12
# The least that has every pool; a training takes a second.

_STAYS: Final = frozenset((".lock", ".shared"))
# Names with a dot that belong there; so do those that end in .lock.


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one kill."""

    step: int
    """Before which the process was killed, from 1."""

    num_steps: int
    """Of a process that nobody kills."""

    faults: tuple[str, ...]
    """What was not as it should be; empty if all was well."""


def main(argv: Sequence[str] | None = None) -> list[str]:
    """Run the trials, and return the section of the report.

    Raises:
        SystemExit: not all was well; what was not is printed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24, help="0 for every step")
    told = parser.parse_args(argv)
    # a fork of a process whose threads compute can wait for them for ever
    torch.set_num_threads(1)
    set_index_threads(1)
    with tempfile.TemporaryDirectory(prefix="nextvec-kills-") as name:
        began, outcomes = time.monotonic(), list(trials(Path(name), told.trials))
    lines = ["## Kills", ""]
    for outcome in outcomes:
        lines += [f"- before step {outcome.step}: {f}" for f in outcome.faults]
    bad = sum(bool(outcome.faults) for outcome in outcomes)
    lines.append(
        f"`nextvec up` writes in {outcomes[0].num_steps} steps; killed (`kill -9`) "
        f"before {len(outcomes)} of them, all was well after {len(outcomes) - bad} "
        f"({time.monotonic() - began:.0f} s)."
    )
    if bad:
        print("\n".join(lines))
        raise SystemExit(1)
    return lines


def trials(root: Path, count: int) -> Iterator[Outcome]:
    """Kill ``nextvec up`` at some of its steps, each time from the same start.

    Args:
        root: an empty folder.
        count: how many, spread evenly; 0 for every step.

    Yields:
        What came of each.
    """
    start, whole = root / "start", root / "work"
    save_corpus(_corpus(), root / "corpus")
    _require(in_child(lambda: _up(root, "hierarchical"), root), "the first up")
    (root / "made").rename(start)
    shutil.copytree(start, root / "made")
    counted = root / "steps.txt"
    _require(in_child(lambda: _up(root), root / "made", counted=counted), "up")
    shutil.move(root / "made", whole)
    before, after = _live(start), _live(whole)
    weights = {run.parent.name: run.read_bytes() for run in _weights(whole)}
    steps = int(counted.read_text())
    if before == after or len(weights) != 2:
        msg = f"expected two runs and the second to go live, got {before}, {after}"
        raise ProjectError(msg)
    chosen = np.linspace(1, steps, count or steps, dtype=int)
    for step in np.unique(chosen).tolist():
        shutil.copytree(start, root / "made")
        faults = tuple(_faults_of_kill(root, step, before, after, weights))
        shutil.rmtree(root / "made")
        yield Outcome(step=step, num_steps=steps, faults=faults)


def in_child(
    work: Callable[[], None],
    folder: Path,
    *,
    step: int | None = None,
    counted: Path | None = None,
) -> int:
    """Do something in a fork of this process, silently.

    Args:
        work: what to do.
        folder: whose changes are counted.
        step: before which it is killed; None for none.
        counted: file that gets the number of steps.

    Returns:
        Its exit status, negative for a signal.
    """
    child = os.fork()
    if child == 0:
        _be_child(work, folder, step, counted)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _be_child(
    work: Callable[[], None], folder: Path, step: int | None, counted: Path | None
) -> None:
    """Do the work and end the process, whatever comes."""
    code = 1
    try:
        with (folder.parent / "said.txt").open("a") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        steps = WriteSteps(folder, step)
        work()
        number = steps.count
        if counted is not None:
            counted.write_text(str(number))
        code = 0
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def _up(root: Path, architecture: str = "baseline") -> None:
    words = ["up", "--corpus", str(root / "corpus"), "--root", str(root / "made")]
    words += ["--recipe", "smoke", "--no-serve", "--architecture", architecture]
    try:
        cli(words, standalone_mode=False)
    except typer.Exit as error:
        raise SystemExit(error.exit_code) from error


def _faults_of_kill(
    root: Path, step: int, before: str, after: str, weights: dict[str, bytes]
) -> Iterator[str]:
    """Kill it once, run it again, and yield whatever is wrong then."""
    made = root / "made"
    code = in_child(lambda: _up(root), made, step=step)
    if code != -signal.SIGKILL:
        yield f"expected to be killed, ended with status {code}"
    yield from _faults_of_live(made, {before, after})
    code = in_child(lambda: _up(root), made)
    if code:
        yield f"the next up ended with status {code}"
    yield from _faults_of_live(made, {after})
    for run in _weights(made):
        if run.read_bytes() != weights[run.parent.name]:
            yield f"{run.parent.name}: other weights than those of a whole run"
    for path in made.rglob(".*"):
        if path.name not in _STAYS and not path.name.endswith(".lock"):
            yield f"{path.relative_to(made)} is left"


def _faults_of_live(made: Path, expected: set[str]) -> Iterator[str]:
    """Yield why what is live is not whole."""
    try:
        live = Registry(made / "bundles").live()
        open_engine(live)
    except ProjectError as error:
        yield f"{POINTER}: {error}"
        return
    if _live(made) not in expected:
        yield f"{POINTER}: {live.name} is live, expected {' or '.join(expected)}"


def _live(made: Path) -> str:
    """Return whose bundle is live: versions differ, for cards have times in them."""
    return Registry(made / "bundles").live().name.rpartition("-")[0]


def _weights(made: Path) -> list[Path]:
    return sorted(made.glob(f"runs/[!.]*/{WEIGHTS}"))


def _require(code: int, what: str) -> None:
    if code:
        msg = f"{what} ended with status {code}, undisturbed"
        raise ProjectError(msg)


def _corpus() -> Corpus:
    """Return documents of noisy passages, each the one before it, turned."""
    rng = np.random.default_rng(5)
    turn, _ = np.linalg.qr(rng.normal(size=(_DIM, _DIM)))
    rows = np.empty((_DOCUMENTS, _LENGTH, _DIM))
    rows[:, 0] = l2_normalize(rng.normal(size=(_DOCUMENTS, _DIM)))
    for place in range(1, _LENGTH):
        rows[:, place] = rows[:, place - 1] @ turn.T
    noisy = (rows + 0.12 * rng.normal(size=rows.shape)).reshape(-1, _DIM)
    places = [(d, p) for d in range(_DOCUMENTS) for p in range(_LENGTH)]
    return Corpus(
        vectors=l2_normalize(noisy),
        ids=[f"doc{document}#{place}" for document, place in places],
        rows=np.arange(len(noisy)),
        offsets=np.arange(_DOCUMENTS + 1) * _LENGTH,
        document_ids=[f"doc{document}" for document in range(_DOCUMENTS)],
        card=CorpusCard(name="tiny", encoder="none", source="made by a benchmark"),
    )


if __name__ == "__main__":
    print("\n".join(main()))
