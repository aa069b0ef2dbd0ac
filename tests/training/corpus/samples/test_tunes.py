import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nextvec.training.corpus.samples.item_sample import read_item_sample
from nextvec.training.corpus.samples.tunes import TUNES, Collection, Tunes
from nextvec.training.errors import CorpusError

READABLE = "X:1\nT:The First\nK:D\nDFA\n"
VOICES = "X:2\nT:A Duet\nV:1\nK:C\nC\n"

Wheel = Callable[..., Tunes]


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    """Make a tiny wheel of one collection that is in the downloads already."""

    def make(files: dict[str, str | bytes]) -> Tunes:
        path = tmp_path / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        pinned = replace(
            TUNES.archive,
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        airs = Collection(name="Airs", path="tiny/airs", terms="read, don't sell")
        return replace(TUNES, archive=pinned, collections=(airs,))

    return make


def test_tunes_become_sequences_in_the_order_of_the_files(
    wheel: Wheel, tmp_path: Path
) -> None:
    sample = wheel(
        {
            "tiny/airs/b.abc": READABLE.replace("DFA", "D/F/A/"),
            "tiny/airs/a.abc": READABLE
            + "\nX:1\nT:The First\nK:G\nGz\n\nX:3\nK:C\nE\n",
            "tiny/airs/a.txt": READABLE,
            "tiny/airs.abc/c.abc": READABLE,
        }
    )

    found = read_item_sample(sample, tmp_path)

    sequences = found.sequences
    assert sequences.sequence_ids == [
        "airs/a 1 The First",
        "airs/a 1 The First (2)",
        "airs/a 3",
        "airs/b 1 The First",
    ]
    named = [
        [sequences.item_ids[item] for item in items] for items in sequences.sequences()
    ]
    assert named == [
        ["C4 1/8", "E4 1/8", "G4 1/8"],
        ["C4 1/8", "rest 1/8"],
        ["E4 1/8"],
        ["C4 1/16", "E4 1/16", "G4 1/16"],
    ]
    assert sequences.families is not None
    assert sequences.families.tolist() == [0, 0, 1, 0]
    assert found.texts is None
    assert found.notes == {"tunes_left_out": {}}


def test_tunes_that_cannot_be_read_are_counted_by_reason(
    wheel: Wheel, tmp_path: Path
) -> None:
    odd = "X:3\nK:H\nC\n\nX:4\nK:C\nC=20\n\nX:5\nK:C\n5C\n"

    found = read_item_sample(
        wheel({"tiny/airs/a.abc": f"{READABLE}\n{VOICES}\n{odd}"}), tmp_path
    )

    assert found.sequences.sequence_ids == ["airs/a 1 The First"]
    assert found.notes == {
        "tunes_left_out": {"several voices": 1, "unknown key": 1, "unreadable": 2}
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({"tiny/x.abc": READABLE}, "with tiny/airs", id="no files"),
        pytest.param(
            {"tiny/airs/a.abc": VOICES}, "none that can be read", id="no tunes"
        ),
        pytest.param(
            {"tiny/airs/a.abc": b"\xff"}, "whole wheel of music21", id="bytes"
        ),
    ],
)
def test_a_wheel_of_something_else_is_named(
    wheel: Wheel, tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(CorpusError, match=rf"tiny-1\.0.*\.whl: expected .*{message}"):
        read_item_sample(wheel(files), tmp_path)


def test_every_collection_names_its_terms() -> None:
    assert len(TUNES.licenses) == len(TUNES.collections) == 5
    for collection in TUNES.collections:
        assert collection.path.startswith("music21/corpus/")
        assert "license.txt" in TUNES.licenses[collection.name]
        assert "commercial" in TUNES.licenses[collection.name]
