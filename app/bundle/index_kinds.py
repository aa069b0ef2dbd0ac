"""What the kinds of index are called; `index.py` says what they are."""

from typing import Final

INDEX_KIND_NAMES: Final = ("flat-int8", "flat")
"""Every key of `nextvec.app.bundle.index.INDEX_KINDS`, in this order."""

DEFAULT_KIND: Final = "flat-int8"
"""What a bundle gets that names none: it answers as the flat one, and is used where it
takes less time of processors, which is measured at the first search."""
