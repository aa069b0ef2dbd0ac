"""What the samples are called; `samples.py` says what they are."""

from typing import Final

SAMPLE_NAMES: Final = ("docs", "docs-large", "fiddle", "movielens", "smoke", "tunes")
"""Every key of `nextvec.training.corpus.samples.samples.SAMPLES`, in this order."""

DEFAULT_SAMPLE: Final = "fiddle"
"""What `up` makes where no corpus is given: order pays there, within minutes."""
