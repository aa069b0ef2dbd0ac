from dataclasses import replace

import pytest

from nextvec.training.corpus.samples.item_sample import ItemSample
from nextvec.training.corpus.samples.movielens import MOVIELENS
from nextvec.training.corpus.samples.sample_names import DEFAULT_SAMPLE, SAMPLE_NAMES
from nextvec.training.corpus.samples.samples import (
    SAMPLES,
    Sample,
    get_sample,
    item_sample_card,
    sample_card,
    sample_origin,
)
from nextvec.training.corpus.samples.tunes import FIDDLE, TUNES
from nextvec.training.errors import CorpusError
from nextvec.training.recipe import recipe_names


def test_an_unknown_sample_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        CorpusError,
        match="no sample named 'x'; there are: docs, docs-large, fiddle, movielens,",
    ):
        get_sample("x")


def test_the_names_that_help_shows_are_those_there_are() -> None:
    assert tuple(SAMPLES) == SAMPLE_NAMES
    assert DEFAULT_SAMPLE in SAMPLES


def text_sample(name: str) -> Sample:
    sample = get_sample(name)
    assert isinstance(sample, Sample)
    return sample


@pytest.mark.parametrize(
    "name", sorted(set(SAMPLES) - {"fiddle", "movielens", "tunes"})
)
def test_every_archive_is_pinned_and_licensed(name: str) -> None:
    sample = text_sample(name)

    card = sample_card(name, sample, "wordllama", sample_origin(sample, {}))

    assert len(card.licenses) == len(sample.archives) == len(card.source.split(", "))
    for archive in sample.archives:
        assert len(bytes.fromhex(archive.sha256)) == 32
        assert archive.version in archive.file
        assert card.licenses[f"{archive.name} {archive.version}"] == archive.license
        assert replace(archive, license="") != archive


def test_the_large_sample_holds_the_small_one_and_no_archive_twice() -> None:
    large = text_sample("docs-large")

    files = [archive.file for archive in large.archives]

    assert large.archives[:4] == text_sample("docs").archives
    assert len(files) > 90
    assert len(set(files)) == len({a.name.lower() for a in large.archives})
    assert len(set(files)) == len(files)


@pytest.mark.parametrize(
    ("name", "sample", "source"),
    [
        ("fiddle", FIDDLE, "fiddle tunes in the wheel of music21 10.5.1"),
        ("movielens", MOVIELENS, "MovieLens 100k in the wheel of recbole 1.2.1"),
        ("tunes", TUNES, "folk tunes in the wheel of music21 10.5.1"),
    ],
)
def test_item_samples_are_pinned_and_name_their_terms(
    name: str, sample: ItemSample, source: str
) -> None:
    assert get_sample(name) is sample

    card = item_sample_card(name, sample, sample_origin(sample, {}))

    assert len(bytes.fromhex(sample.archive.sha256)) == 32
    assert sample.archive.version in sample.archive.file
    assert card.source == source
    assert card.licenses == sample.licenses
    assert card.recipe in {None, *recipe_names()}


def test_the_words_for_people_do_not_make_another_sample() -> None:
    sample = text_sample("smoke")
    archive = replace(sample.archives[0], folder="other")

    origin = sample_origin(sample, {})

    assert sample_origin(replace(sample, description="x"), {}) == origin
    assert sample_origin(replace(sample, archives=(archive,)), {}) != origin


def test_films_ask_for_an_acknowledgement() -> None:
    assert "https://doi.org/10.1145/2827872" in MOVIELENS.licenses["MovieLens 100k"]
