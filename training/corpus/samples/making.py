"""A corpus from a sample: fetched, read, encoded, saved."""

from pathlib import Path

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.making import make_sequence_corpus
from nextvec.training.corpus.origin import Origin
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.samples.item_sample import ItemSample, read_item_sample
from nextvec.training.corpus.samples.samples import (
    get_sample,
    item_sample_card,
    read_sample,
    sample_card,
    sample_origin,
)
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.text.chunking import PASSAGE_WORDS
from nextvec.training.corpus.text.default_encoder import DEFAULT_ENCODER
from nextvec.training.corpus.text.encoders import get_encoder
from nextvec.training.corpus.text.making import make_document_corpus, text_options
from nextvec.training.errors import CorpusError


def corpus_name(sample: str, split_seed: int = 0) -> str:
    """Name the corpus of a sample whose vectors are made for a split."""
    return f"{sample}-{split_seed}" if split_seed else sample


def origin_of_sample(
    name: str,
    *,
    encoder: str = DEFAULT_ENCODER,
    words: int = PASSAGE_WORDS,
    min_coherence: float | None = None,
    split_seed: int = 0,
) -> Origin:
    """Tell what `make_sample_corpus` makes a corpus of.

    Raises:
        CorpusError: no such sample.
    """
    sample = get_sample(name)
    if isinstance(sample, ItemSample):
        return sample_origin(sample, {"split_seed": split_seed})
    return sample_origin(sample, text_options(encoder, words, min_coherence))


def make_sample_corpus(
    name: str,
    folder: Path,
    *,
    downloads: Path,
    encoder: str = DEFAULT_ENCODER,
    words: int = PASSAGE_WORDS,
    min_coherence: float | None = None,
    split_seed: int = 0,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Make the corpus of a sample, fetching what is not there yet.

    Args:
        name: which sample.
        folder: where the corpus goes; an older one is replaced.
        downloads: folder of the archives; made if missing.
        encoder: as in `make_text_corpus`, as are the next two; samples of items have
            no text and take none of the three.
        words: number of words that a passage aims at.
        min_coherence: as in `build_corpus`.
        split_seed: of the split that vectors of items are made for; those of text are
            made for none.
        progress: told after each step.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: no such sample or encoder, an option that does not go with the
            sample, or an archive that cannot be had or read; nothing is written.
    """
    sample = get_sample(name)
    if isinstance(sample, ItemSample):
        if (encoder, words, min_coherence) != (DEFAULT_ENCODER, PASSAGE_WORDS, None):
            msg = (
                f"{name} holds no text to encode: expected none of encoder, words and "
                "min_coherence"
            )
            raise CorpusError(msg)
        split = SplitConfig(seed=split_seed)
        origin = origin_of_sample(name, split_seed=split_seed)
        named = corpus_name(name, split_seed)
        card = item_sample_card(named, sample, origin)
        return _make_items(sample, card, folder, downloads, split, progress)
    if split_seed:
        msg = (
            f"{name}: vectors of text are made for no split: expected no split seed "
            f"here, got {split_seed}; name it when you train"
        )
        raise CorpusError(msg)
    # an encoder that is not there must not show only after the download
    loaded = get_encoder(encoder)
    origin = origin_of_sample(
        name, encoder=encoder, words=words, min_coherence=min_coherence
    )
    return make_document_corpus(
        read_sample(sample, downloads, progress=progress),
        loaded,
        sample_card(name, sample, encoder, origin),
        folder,
        words=words,
        min_coherence=min_coherence,
        progress=progress,
    )


def _make_items(
    sample: ItemSample,
    card: CorpusCard,
    folder: Path,
    downloads: Path,
    split: SplitConfig,
    progress: Progress,
) -> Corpus:
    found = read_item_sample(sample, downloads, progress=progress)
    return make_sequence_corpus(
        found.sequences,
        card,
        folder,
        split=split,
        cooccurrence=CooccurrenceConfig(),
        texts=found.texts,
        notes=found.notes,
        progress=progress,
    )
