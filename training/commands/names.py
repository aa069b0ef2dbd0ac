"""What people call corpora and runs: a path, or the name of one in the usual folder."""

from collections.abc import Sequence
from pathlib import Path

from nextvec.training.corpus.store import CARD as CORPUS_CARD
from nextvec.training.errors import CorpusError, TrainingError


def corpus_folder(given: Path, corpora: Path) -> Path:
    """Return the folder of a corpus that was given as a path or by its name.

    Args:
        given: what was typed; a folder that is there is taken as it is.
        corpora: folder in which names are looked for.

    Raises:
        CorpusError: neither is there; names those that are.
    """
    if given.exists() or (corpora / given / CORPUS_CARD).exists():
        return given if given.exists() else corpora / given
    found = (path.parent.name for path in corpora.glob(f"*/{CORPUS_CARD}"))
    # a dot begins the name of what is being written, or was when it was cut off
    known = sorted(name for name in found if not name.startswith("."))
    raise CorpusError(_nothing_there(given, "corpus", corpora, known))


def one_corpus(
    argument: Path | None, option: Path | None, corpora: Path
) -> Path | None:
    """Return the folder of the one corpus that was given, in one way or in both.

    Args:
        argument: what was typed without an option, None for nothing.
        option: what ``--corpus`` named, None for nothing.
        corpora: folder in which names are looked for.

    Returns:
        The folder; None if nothing was given.

    Raises:
        CorpusError: there is none of that name, or they are two.
    """
    given = [one for one in (argument, option) if one is not None]
    found = [corpus_folder(one, corpora) for one in given]
    if len({folder.resolve() for folder in found}) > 1:
        msg = f"expected one corpus, got {argument} and --corpus {option}"
        raise CorpusError(msg)
    return found[0] if found else None


def run_folder(given: Path, runs: Path) -> Path:
    """Return the folder of a run, a bundle or a checkpoint, given as path or by name.

    Args:
        given: what was typed; a folder that is there is taken as it is.
        runs: folder in which names are looked for.

    Raises:
        TrainingError: neither is there; names the runs that are.
    """
    if given.exists() or (runs / given).exists():
        return given if given.exists() else runs / given
    known = sorted(
        path.name
        for path in (runs.iterdir() if runs.is_dir() else ())
        if path.is_dir() and not path.name.startswith(".")
    )
    raise TrainingError(_nothing_there(given, "run", runs, known))


def _nothing_there(given: Path, what: str, folder: Path, known: Sequence[str]) -> str:
    there = ", ".join(known) or "none"
    return (
        f"{given}: no {what} here, and none of that name in {folder}; there are: "
        f"{there}"
    )
