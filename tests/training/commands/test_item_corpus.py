import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nextvec.training.commands.corpus_group import corpus_app
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.samples.movielens import MOVIELENS
from nextvec.training.corpus.samples.samples import SAMPLES
from nextvec.training.corpus.samples.tunes import TUNES, Collection
from nextvec.training.corpus.split import PARTS, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import load_corpus


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(corpus_app, [str(argument) for argument in arguments])


def events(num_items: int, *, separator: str = ",", length: int = 30) -> str:
    """Twelve walks of 30 events or more, newest first, and a short one."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(12):
        walk = (
            rng.integers(num_items) + np.cumsum(rng.integers(1, 4, length))
        ) % num_items
        rows += [(f"u{user}", f"i{item}", time) for time, item in enumerate(walk)]
    rows.append(("short", "i0", 1))
    return "\n".join(separator.join(map(str, row)) for row in reversed(rows))


@pytest.fixture
def clicks() -> Path:
    path = Path("clicks.csv")
    path.write_text("sequence,item,time\n" + events(16))
    return path


def test_sequences_become_a_corpus_once(clicks: Path) -> None:
    Path("titles.csv").write_text("item,text\ni1,One\n")

    made = call("items", clicks, "--dim", 5, "--window", 2, "--texts", "titles.csv")
    again = call("items", clicks, "--dim", 5, "--window", 2, "--texts", "titles.csv")
    other = call("items", clicks, "--dim", 6, "--window", 2)
    shown = call("show", "artifacts/corpora/clicks")

    assert made.exit_code == again.exit_code == shown.exit_code == 0, made.output
    assert "already there" in again.output
    assert other.exit_code == 1
    assert "texts was titles.csv, and this is None" in other.output
    assert "dim was 5, and this is 6" in other.output
    corpus = load_corpus(Path("artifacts/corpora/clicks"))
    assert corpus.kind == "items"
    assert corpus.dim == 5
    assert corpus.card.encoder == "co-occurrence"
    assert corpus.card.source == "clicks.csv"
    assert corpus.card.vectors_split == {"seed": 0, "validation": 0.15, "test": 0.25}
    first = corpus.sequence(corpus.document_ids.index("u0"))
    assert len(first) == 30
    said = " ".join(shown.output.replace("│", " ").split())
    assert "13, of 30 entries (median)" in said
    assert "12 of at least 21 entries" in said
    assert "seed 0, validation 0.15, test 0.25" in said
    assert "window 2, dim 5" in said
    assert "of 1 items" in said
    assert "documents" not in said


def test_another_split_gives_other_vectors(clicks: Path) -> None:
    split = ["--split-seed", 3, "--validation-share", 0.2, "--test-share", 0.2]
    one = call("items", clicks, "--dim", 5, "--out", "one")
    two = call("items", clicks, "--dim", 5, "--out", "two", *split)

    assert one.exit_code == two.exit_code == 0, two.output
    assert load_corpus(Path("one")).fingerprint != load_corpus(Path("two")).fingerprint
    card = json.loads(Path("two/card.json").read_text())
    assert card["vectors_split"] == {"seed": 3, "validation": 0.2, "test": 0.2}


def test_vectors_that_were_brought_are_the_catalogue(clicks: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    np.savez("v.npz", ids=[f"i{item}" for item in range(20)], vectors=vectors)

    made = call("items", clicks, "--vectors", "v.npz", "--encoder", "mine")

    assert made.exit_code == 0, made.output
    corpus = load_corpus(Path("artifacts/corpora/clicks"))
    assert len(corpus.vectors) == 20
    assert corpus.card.encoder == "mine"
    assert corpus.card.vectors_split is None
    assert "vectors from" not in made.output


def test_columns_of_other_names(clicks: Path) -> None:
    text = clicks.read_text().replace("sequence,item,time", "user,film,at")
    Path("films.csv").write_text(text)
    names = ["--sequence-column", "user", "--item-column", "film"]

    made = call("items", "films.csv", "--dim", 5, *names, "--time-column", "at")

    assert made.exit_code == 0, made.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--item-column", "film"], "found sequence, item, time", id="col"),
        pytest.param(["--dim", 16], "vectors of length 16 need more", id="dim"),
        pytest.param(["--vectors", "v.npz", "--dim", 5], "got both", id="both"),
        pytest.param(["--encoder", "mine"], "expected --vectors beside", id="encoder"),
        pytest.param(["--vectors", "v.npz"], "14 have none, first 'i10'", id="missing"),
        pytest.param(["--test-share", 0.9], "shares leave no training", id="shares"),
        pytest.param(["--texts", "gone.csv"], "gone.csv: expected", id="texts"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(
    clicks: Path, options: list[object], message: str
) -> None:
    np.savez("v.npz", ids=["i0", "i1"], vectors=np.eye(2))

    failed = call("items", clicks, *options)

    assert failed.exit_code == 1
    assert message in failed.output
    # above it at most the bar that had begun
    lines = failed.output.strip().splitlines()
    assert lines[-1].startswith("Error: ")
    assert len(lines) <= 2
    assert not list(Path().rglob("card.json"))


def test_short_sequences_alone_are_refused() -> None:
    Path("t.csv").write_text("sequence,item,time\n1,2,3\n")

    failed = call("items", "t.csv")

    assert failed.exit_code == 1
    assert "no sequence is long enough" in failed.output


@pytest.fixture
def films(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample of item sequences whose wheel is in the downloads already."""
    downloads = Path("downloads")
    downloads.mkdir()
    file = downloads / "tiny-1.0-py3-none-any.whl"
    header = "user_id:token\titem_id:token\ttimestamp:float\n"
    titles = "item_id:token\tmovie_title:token_seq\trelease_year:token\ni1\tOne\t1999\n"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(
            MOVIELENS.events, header + events(150, length=45, separator="\t")
        )
        wheel.writestr(MOVIELENS.titles, titles)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    pinned = replace(MOVIELENS.archive, file=file.name, sha256=digest)
    monkeypatch.setitem(SAMPLES, "films", replace(MOVIELENS, archive=pinned))
    return downloads


@pytest.mark.slow
def test_a_sample_of_item_sequences_is_made_once(films: Path) -> None:
    made = call("sample", "films", "--downloads", films)
    again = call("sample", "films", "--downloads", films)

    assert made.exit_code == again.exit_code == 0, made.output
    assert "already there" in again.output
    corpus = load_corpus(Path("artifacts/corpora/films"))
    assert corpus.card.name == "films"
    assert corpus.card.licenses == {"MovieLens 100k": MOVIELENS.archive.license}
    assert "10.1145/2827872" in corpus.card.licenses["MovieLens 100k"]
    assert corpus.texts is not None
    assert corpus.texts[corpus.row_of_id["i1"]] == "One (1999)"


@pytest.fixture
def songs(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample of tunes whose wheel is in the downloads already.

    Ten tunes, a variant of each in another key and under another title, a duplicate,
    and one that cannot be read.
    """
    downloads = Path("downloads")
    downloads.mkdir()
    file = downloads / "tiny-1.0-py3-none-any.whl"
    rng = np.random.default_rng(0)
    walks = [
        "".join("CDEFGAB"[note] for note in rng.integers(7, size=40)) for _ in range(10)
    ]
    higher = str.maketrans("CDEFGAB", "GABcdef")
    tunes = [("C", "Tune", walk) for walk in walks]
    tunes += [("G", "Variant", walk.translate(higher) + "G2z") for walk in walks]
    tunes += [("C", "Again", walks[0]), ("H", "Unknown", walks[1])]
    with zipfile.ZipFile(file, "w") as wheel:
        for number, (key, title, notes) in enumerate(tunes):
            wheel.writestr(
                f"tiny/tunes/{number:02d}.abc",
                f"X:{number}\nT:{title} no. {number}x\nL:1/8\nK:{key}\n{notes}|\n",
            )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    sample = replace(
        TUNES,
        archive=replace(TUNES.archive, file=file.name, sha256=digest),
        collections=(Collection(name="Tiny", path="tiny/tunes", terms="none"),),
    )
    monkeypatch.setitem(SAMPLES, "songs", sample)
    monkeypatch.setattr(
        "nextvec.training.corpus.samples.making.CooccurrenceConfig",
        lambda: CooccurrenceConfig(dim=4),
    )
    return downloads


def test_a_sample_is_made_for_another_split(songs: Path) -> None:
    made = call("sample", "songs", "--downloads", songs, "--split-seed", 2)
    plain = call("sample", "songs", "--downloads", songs)

    assert made.exit_code == plain.exit_code == 0, made.output
    one, two = (
        load_corpus(Path("artifacts/corpora") / name) for name in ("songs", "songs-2")
    )
    assert two.card.name == "songs-2"
    assert two.card.vectors_split == {"seed": 2, "validation": 0.15, "test": 0.25}
    assert two.document_ids == one.document_ids
    assert two.fingerprint != one.fingerprint


def test_a_sample_of_text_is_made_for_no_split() -> None:
    made = call("sample", "smoke", "--split-seed", 2)

    assert made.exit_code == 1
    said = " ".join(made.output.split())
    assert "vectors of text are made for no split: expected no split seed here" in said
    assert not Path("artifacts/corpora/smoke-2").exists()


def test_a_sample_of_tunes_keeps_variants_together(songs: Path) -> None:
    made = call("sample", "songs", "--downloads", songs)

    assert made.exit_code == 0, made.output
    assert "10, each in one part of a split" in made.output
    corpus = load_corpus(Path("artifacts/corpora/songs"))
    assert corpus.card.licenses == {"Tiny": "none"}
    assert corpus.card.notes["tunes_left_out"] == {"unknown key": 1}
    assert corpus.card.notes["duplicate_sequences_left_out"] == 1
    assert corpus.texts is None
    assert set(corpus.ids) <= {
        *(f"{note}4 1/8" for note in "CDEFGAB"),
        "C4 1/4",
        "rest 1/8",
    }
    assert corpus.families is not None
    assert corpus.families.tolist() == [*range(10), *range(10)]
    split = split_documents(corpus, SplitConfig())
    for name in PARTS:
        assert set(Counter(corpus.families[split.part(name)].tolist()).values()) == {2}


@pytest.mark.parametrize(
    "option", [["--words", 30], ["--encoder", "x"], ["--min-coherence", 0.1]]
)
def test_options_of_text_do_not_go_with_item_sequences(
    films: Path, option: list[object]
) -> None:
    failed = call("sample", "films", "--downloads", films, *option)

    assert failed.exit_code == 1
    assert "films holds no text to encode" in failed.output


def test_few_items_get_shorter_vectors_unless_a_length_is_told(clicks: Path) -> None:
    short = call("items", clicks)
    told = call("items", clicks, "--dim", 128, "--name", "told")

    assert short.exit_code == 0, short.output
    corpus = load_corpus(Path("artifacts/corpora/clicks"))
    assert corpus.dim == len(corpus.vectors) // 2
    assert corpus.card.notes["cooccurrence"] == {"window": 10, "dim": corpus.dim}
    assert told.exit_code == 1
    assert "vectors of length 128 need more than 128 items" in told.output
