"""What the kinds of index are called; `index.py` says what they are."""

from typing import Final

INDEX_KIND_NAMES: Final = ("flat",)
"""Every key of `nextvec.app.bundle.index.INDEX_KINDS`, in this order."""
