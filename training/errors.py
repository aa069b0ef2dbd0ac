"""Errors a caller of this project can act on.

* ProjectError
  - VectorError         an array is not what the operation needs
  - CorpusError         a corpus or its source is missing, unreadable or unusable
    - TuneError         one tune of a collection cannot be read
  - TrainingError       a run cannot start, go on, or be read back
  - CheckpointError     a checkpoint is missing, unreadable or of another format
  - BundleError         a bundle is missing, damaged, or cannot be promoted
  - IndexMismatchError  model and index disagree (dimension, fingerprint)
"""


class ProjectError(Exception):
    """Base of every error that names a state of the world, not a wrong call."""


class VectorError(ProjectError):
    """An array is not what the operation needs: shape, dtype or values."""


class CorpusError(ProjectError):
    """A corpus, or the source it is made from, is missing or unusable."""


class TuneError(CorpusError):
    """One tune of a collection cannot be read: it is left out, its reason counted."""


class TrainingError(ProjectError):
    """A run cannot start, go on, or be read back."""


class CheckpointError(ProjectError):
    """A checkpoint is missing, unreadable or of another format."""


class BundleError(ProjectError):
    """A bundle is missing, damaged, or cannot be promoted."""


class IndexMismatchError(ProjectError):
    """Model and index disagree about dimension or fingerprint."""
