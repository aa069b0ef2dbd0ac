"""An environment of its own for a library that needs old versions of others."""

import hashlib
import subprocess
import sys
from pathlib import Path

from training.errors import TrainingError
from training.files import write_bytes

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def make_environment(folder: Path) -> Path:
    """Make the virtual environment, or take the one that is there.

    Args:
        folder: where it lies; made anew if it was made from other pins.

    Returns:
        Its Python.

    Raises:
        TrainingError: pip could not install the pins.
    """
    python = folder.absolute() / "bin" / "python"
    pins = REQUIREMENTS.read_bytes()
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
        # without: RecBole asks for libraries that these two models never import
        [*pip, "--no-deps", "--requirement", str(REQUIREMENTS)],
    ):
        try:
            subprocess.run(command, check=True)  # noqa: S603 - fixed commands, no shell
        except subprocess.CalledProcessError as error:
            msg = f"{folder}: making the environment failed: {' '.join(command)}"
            raise TrainingError(msg) from error
    write_bytes(made, mark)
    return python
