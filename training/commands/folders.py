"""Where everything goes that is made, unless an option says another folder."""

from pathlib import Path
from typing import Final

ROOT: Final = Path("artifacts")
"""Folder of everything."""

CORPORA: Final = ROOT / "corpora"
"""Folder of the corpora."""

DOWNLOADS: Final = ROOT / "downloads"
"""Folder of fetched archives."""

RUNS: Final = ROOT / "runs"
"""Folder of the runs."""

STUDIES: Final = ROOT / "studies"
"""Folder of the studies."""
