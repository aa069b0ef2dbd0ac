import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nextvec.training.corpus.samples.item_sample import ItemSample, read_item_sample
from nextvec.training.corpus.samples.movielens import MOVIELENS
from nextvec.training.errors import CorpusError

EVENTS = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "10\t2\t1\t881250950\n"
    "10\t1\t5\t881250949\n"
    "9\t1\t3\t881250949\n"
)
TITLES = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    '2\t"Unknown"\t\tDrama\n'
)

Wheel = Callable[..., ItemSample]


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    """Make a tiny wheel that is in the downloads already."""

    def make(events: str | None = EVENTS, titles: str = TITLES) -> ItemSample:
        path = tmp_path / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            if events is not None:
                archive.writestr(MOVIELENS.events, events)
            archive.writestr(MOVIELENS.titles, titles)
            archive.writestr("tiny/__init__.py", "raise SystemExit")
        pinned = replace(
            MOVIELENS.archive,
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        return replace(MOVIELENS, archive=pinned)

    return make


def test_ratings_become_sequences_by_time(wheel: Wheel, tmp_path: Path) -> None:
    stages: list[tuple[str, int, int]] = []

    found = read_item_sample(
        wheel(), tmp_path, progress=lambda *told: stages.append(told)
    )

    sequences = found.sequences
    assert sequences.sequence_ids == ["10", "9"]
    assert sequences.item_ids == ["1", "2"]
    assert [items.tolist() for items in sequences.sequences()] == [[0, 1], [0]]
    assert found.texts == {"1": "Toy Story (1995)", "2": '"Unknown"'}
    assert stages == [("recbole 1.2.1", 0, 1), ("recbole 1.2.1", 1, 1)]


def test_a_wheel_without_the_tables_is_named(wheel: Wheel, tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError,
        match=r"tiny-1\.0.*\.whl: expected a whole wheel of recbole: .*inter",
    ):
        read_item_sample(wheel(events=None), tmp_path)


def test_a_wheel_of_another_digest_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    sample = wheel()
    with (tmp_path / sample.archive.file).open("ab") as file:
        file.write(b"!")

    with pytest.raises(CorpusError, match=r"\.whl: expected SHA-256"):
        read_item_sample(sample, tmp_path)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        pytest.param({"events": "a\tb\n1\t2\n"}, r"ml-100k\.inter: expected", id="e"),
        pytest.param({"titles": "a\tb\n1\t2\n"}, r"ml-100k\.item: expected", id="t"),
    ],
)
def test_a_table_of_something_else_is_named(
    wheel: Wheel, tmp_path: Path, tables: dict[str, str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_item_sample(wheel(**tables), tmp_path)
