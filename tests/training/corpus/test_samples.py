from dataclasses import replace

import pytest

from training.corpus.samples import SAMPLES, get_sample, sample_card
from training.errors import CorpusError


def test_an_unknown_sample_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        CorpusError, match="no sample named 'x'; there are: docs, docs-large, smoke"
    ):
        get_sample("x")


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_archive_is_pinned_and_licensed(name: str) -> None:
    sample = get_sample(name)

    card = sample_card(name, sample, "wordllama")

    assert len(card.licenses) == len(sample.archives) == len(card.source.split(", "))
    for archive in sample.archives:
        assert len(bytes.fromhex(archive.sha256)) == 32
        assert archive.version in archive.file
        assert card.licenses[f"{archive.name} {archive.version}"] == archive.license
        assert replace(archive, license="") != archive


def test_the_large_sample_holds_the_small_one_and_no_archive_twice() -> None:
    large = get_sample("docs-large")

    files = [archive.file for archive in large.archives]

    assert large.archives[:4] == get_sample("docs").archives
    assert len(files) > 90
    assert len(set(files)) == len({a.name.lower() for a in large.archives})
    assert len(set(files)) == len(files)
