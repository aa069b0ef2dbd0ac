"""Environments of their own for libraries that need other versions of others."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nextvec.training.errors import TrainingError
from nextvec.training.files import write_bytes

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Where models come from, and what trains one of them."""

    name: str
    """As its environment's folder is called."""

    requirements: Path
    """Its pins."""

    module: str
    """Run with Python there: ``MODULE EXPORT RANKS SETTINGS``."""


RECBOLE: Final = Library(
    name="recbole",
    requirements=_HERE / "requirements.txt",
    module="benchmarks.peers.recbole_models",
)
RECTOOLS: Final = Library(
    name="rectools",
    requirements=_HERE / "requirements-rectools.txt",
    module="benchmarks.peers.rectools_models",
)

LIBRARIES: Final = {"GRU4Rec": RECBOLE, "SASRec": RECBOLE, "HSTU": RECTOOLS}
"""By the name of a model."""


def make_environment(library: Library, environments: Path) -> Path:
    """Make a virtual environment, or take the one that is there.

    Args:
        library: for which.
        environments: folder of all of them; one that was made from other pins is made
            anew.

    Returns:
        Its Python.

    Raises:
        TrainingError: pip could not install the pins.
    """
    folder = environments / f"{library.name}-venv"
    python = folder.absolute() / "bin" / "python"
    pins = library.requirements.read_bytes()
    made = folder / "made-from"
    mark = hashlib.sha256(pins).hexdigest().encode()
    if made.exists() and made.read_bytes() == mark:
        return python
    torch = next(p for p in pins.decode().splitlines() if p.startswith("torch=="))
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        # with what it needs, which depends on the machine
        [*pip, torch],
        # without: they ask for libraries that these models never import
        [*pip, "--no-deps", "--requirement", str(library.requirements)],
    ):
        try:
            subprocess.run(command, check=True)  # noqa: S603 - fixed commands, no shell
        except subprocess.CalledProcessError as error:
            msg = f"{folder}: making the environment failed: {' '.join(command)}"
            raise TrainingError(msg) from error
    write_bytes(made, mark)
    return python
