from dataclasses import replace

import pytest

from training.corpus.samples.movielens import MOVIELENS
from training.corpus.samples.samples import (
    SAMPLES,
    Sample,
    get_sample,
    item_sample_card,
    sample_card,
)
from training.errors import CorpusError


def test_an_unknown_sample_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        CorpusError,
        match="no sample named 'x'; there are: docs, docs-large, movielens, smoke",
    ):
        get_sample("x")


def text_sample(name: str) -> Sample:
    sample = get_sample(name)
    assert isinstance(sample, Sample)
    return sample


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"movielens"}))
def test_every_archive_is_pinned_and_licensed(name: str) -> None:
    sample = text_sample(name)

    card = sample_card(name, sample, "wordllama")

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


def test_the_item_sample_is_pinned_and_names_its_terms() -> None:
    assert get_sample("movielens") is MOVIELENS

    card = item_sample_card("movielens", MOVIELENS)

    assert len(bytes.fromhex(MOVIELENS.archive.sha256)) == 32
    assert MOVIELENS.archive.version in MOVIELENS.archive.file
    assert card.source == "MovieLens 100k in the wheel of recbole 1.2.1"
    assert "https://doi.org/10.1145/2827872" in card.licenses["MovieLens 100k"]
