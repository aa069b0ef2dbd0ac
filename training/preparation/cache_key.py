"""Which runs can share what: names of all that it is made from."""

import hashlib
from typing import Final

import orjson

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.evaluation.suite import PROTOCOL

CACHE_OPTIONS: Final = (
    "validation_share",
    "test_share",
    "split_seed",
    "stride",
    "selection_pool",
    "transform",
    "whiten_strength",
    "whiten_shrinkage",
)
"""The options that decide on windows, pools and space, and so on the baselines."""

_FORMAT: Final = 8
# Of the shared files; another number makes them anew.


def corpus_key(corpus: Corpus) -> str:
    """Name everything that duplicate groups depend on, in 16 letters."""
    return corpus.fingerprint[:16]


def cache_key(corpus: Corpus, config: TrainingConfig) -> str:
    """Name everything that windows, pools and baselines depend on, in 16 letters."""
    options = config.to_dict()
    told = [_FORMAT, PROTOCOL, [options[name] for name in CACHE_OPTIONS]]
    digest = hashlib.sha256(corpus.fingerprint.encode() + orjson.dumps(told))
    return digest.hexdigest()[:16]
