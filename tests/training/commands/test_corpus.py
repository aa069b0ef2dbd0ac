import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nextvec.training.commands.corpus_group import corpus_app
from nextvec.training.corpus.samples.archives import SourceArchive
from nextvec.training.corpus.samples.samples import SAMPLES, Sample
from nextvec.training.corpus.store import load_corpus


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(corpus_app, [str(argument) for argument in arguments])


def prose(seed: int, passages: int) -> str:
    rng = np.random.default_rng(seed)
    words = np.array(["query", "model", "table", "session", "task", "worker", "view"])
    return " ".join(
        f"Line{seed}n{number} " + " ".join(rng.choice(words, 18)) + " end."
        for number in range(passages)
    )


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample whose archive is in the downloads already."""
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    file = downloads / "tiny-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for number in range(2):
            content = prose(number, 210).encode()
            member = tarfile.TarInfo(f"tiny-1.0/docs/{number}.rst")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    archive = SourceArchive(
        name="tiny",
        version="1.0",
        file=file.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        folder="docs",
        license="MIT",
    )
    tiny = Sample(archives=(archive,), description="tiny")
    monkeypatch.setitem(SAMPLES, "tiny", tiny)
    return downloads


def test_a_sample_is_made_once(sample: Path) -> None:
    first = call("sample", "tiny", "--downloads", sample)
    second = call("sample", "tiny", "--downloads", sample)
    third = call("sample", "tiny", "--downloads", sample, "--words", 40, "--force")

    assert first.exit_code == second.exit_code == third.exit_code == 0
    assert "license of tiny 1.0" in first.output
    assert "artifacts/corpora/tiny is already there (corpus tiny)" in second.output
    corpus = load_corpus(Path("artifacts/corpora/tiny"))
    assert corpus.document_ids == ["tiny/0.rst", "tiny/1.rst"]
    assert corpus.card.encoder == "wordllama"
    assert corpus.card.licenses == {"tiny 1.0": "MIT"}
    assert 202 <= len(corpus.vectors) < 300  # half of what 20 words give


def test_a_sample_made_otherwise_is_refused(sample: Path) -> None:
    call("sample", "tiny", "--downloads", sample)

    other = call("sample", "tiny", "--downloads", sample, "--words", 40)

    assert other.exit_code == 1
    assert "corpus tiny is there, and words was 20, and this is 40." in other.output
    assert "--force replaces it" in other.output


def test_another_file_under_the_same_name_is_refused() -> None:
    Path("one.jsonl").write_text(json.dumps({"document_id": 1, "text": prose(1, 105)}))
    Path("two.jsonl").write_text(json.dumps({"document_id": 1, "text": prose(2, 105)}))
    vectors = np.random.default_rng(0).normal(size=(120, 5))
    np.savez("mine.npz", vectors=vectors, document_ids=[0] * 120)
    assert call("text", "one.jsonl", "--name", "mine").exit_code == 0
    made = Path("artifacts/corpora/mine/card.json").read_bytes()

    same = call("text", "one.jsonl", "--name", "mine")
    renamed = Path("one.jsonl").rename("renamed.jsonl")
    others = [
        call("text", "two.jsonl", "--name", "mine"),
        call("text", renamed, "--name", "mine"),
        call("vectors", "mine.npz"),
        call("sample", "smoke", "--out", "artifacts/corpora/mine"),
    ]

    assert same.exit_code == 0
    assert "already there" in same.output
    assert [other.exit_code for other in others] == [1, 1, 1, 1]
    assert "it was made from other contents (SHA-256" in others[0].output
    assert "it was made from other contents" in others[1].output
    assert "it was made from text, and this is vectors" in others[2].output
    assert "it was made from text, and this is sample" in others[3].output
    assert Path("artifacts/corpora/mine/card.json").read_bytes() == made
    assert call("vectors", "mine.npz", "--force").exit_code == 0


def test_lengths_beside_vectors_are_a_part_of_the_source() -> None:
    np.save("mine.npy", np.random.default_rng(0).normal(size=(120, 5)))
    lengths = Path("mine.lengths.txt")
    lengths.write_text("120")
    assert call("vectors", "mine.npy").exit_code == 0

    again = call("vectors", "mine.npy")
    lengths.write_text("110 10")
    changed = call("vectors", "mine.npy")

    assert again.exit_code == 0
    assert changed.exit_code == 1
    assert "other contents" in changed.output


def test_a_corpus_from_before_its_source_was_recorded_is_left_alone() -> None:
    vectors = np.random.default_rng(0).normal(size=(120, 5))
    np.savez("mine.npz", vectors=vectors, document_ids=[0] * 120)
    call("vectors", "mine.npz")
    path = Path("artifacts/corpora/mine/card.json")
    card = json.loads(path.read_text())
    del card["origin"]
    path.write_text(json.dumps(card))

    again = call("vectors", "mine.npz")

    assert again.exit_code == 0
    assert "from before its source was recorded" in again.output


def test_text_of_ones_own_becomes_a_corpus(tmp_path: Path) -> None:
    pages = tmp_path / "handbook"
    pages.mkdir()
    (pages / "one.md").write_text(prose(1, 105))
    (tmp_path / "more.jsonl").write_text(
        json.dumps({"document_id": "two", "text": prose(2, 5)})
    )

    made = call("text", pages, tmp_path / "more.jsonl", "--out", "mine")

    assert made.exit_code == 0, made.output
    corpus = load_corpus(Path("mine"))
    assert corpus.card.name == "handbook"
    assert corpus.document_ids == ["one.md", "two"]
    again = call("text", pages, tmp_path / "more.jsonl", "--out", "mine")
    assert again.output.startswith("mine is already")


def test_vectors_of_ones_own_become_a_corpus() -> None:
    vectors = np.random.default_rng(0).normal(size=(120, 5))
    np.savez("mine.npz", vectors=vectors, document_ids=[0] * 110 + [1] * 10)

    made = call("vectors", "mine.npz", "--encoder", "gtr-t5-base")
    shown = call("show", "artifacts/corpora/mine")

    assert made.exit_code == shown.exit_code == 0, made.output
    assert "gtr-t5-base, 5 numbers in a vector" in shown.output
    assert "passages" not in shown.output
    assert sorted(path.name for path in Path("artifacts/corpora").iterdir()) == [
        ".mine.lock",
        "mine",
    ]
    again = call("vectors", "mine.npz", "--encoder", "gtr-t5-base")
    assert "already there" in again.output


def test_independent_windows_are_recorded() -> None:
    windows = np.random.default_rng(0).normal(size=(3, 101, 4)).astype(np.float32)
    np.savez("w.npz", context_sequences=windows[:, :-1], target_vectors=windows[:, -1])

    refused = call("vectors", "w.npz")
    made = call("vectors", "w.npz", "--windows-independent", "--min-coherence", -1)

    assert refused.exit_code == 1
    assert "expected chain_ids" in refused.output
    assert "declared independent by the user" in made.output
    card = json.loads(Path("artifacts/corpora/w/card.json").read_text())
    assert card["windows_declared_independent"] is True
    assert card["notes"]["incoherent_documents_left_out"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["sample", "x"], "no sample named 'x'", id="sample"),
        pytest.param(["text", "gone"], "gone: expected a folder", id="text"),
        pytest.param(["vectors", "gone.npz"], "gone.npz: expected", id="vectors"),
        pytest.param(["show", "gone"], "gone: no corpus here", id="show"),
        pytest.param(
            ["text", "here", "--encoder", "x"], "no encoder named 'x'", id="encoder"
        ),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(
    arguments: list[str], message: str
) -> None:
    Path("here").mkdir()
    Path("here/a.txt").write_text("Text.")

    failed = call(*arguments)

    assert failed.exit_code == 1
    assert f"Error: {message}" in failed.output
    assert len(failed.output.strip().splitlines()) == 1
    assert not list(Path().rglob("card.json"))


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_folder_of_something_else_is_not_replaced(force: list[str]) -> None:
    Path("precious").mkdir()
    Path("precious/thesis.txt").write_text("Years of work.")

    failed = call("vectors", "x.npz", "--out", "precious", *force)

    assert failed.exit_code == 1
    assert "precious: expected a corpus or no such folder" in failed.output
    assert Path("precious/thesis.txt").read_text() == "Years of work."


@pytest.mark.parametrize("command", ["sample", "text", "vectors", "items", "show"])
def test_every_command_explains_itself(command: str) -> None:
    shown = call(command, "--help")

    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_corpora_are_listed_and_shown_by_name_and_as_json() -> None:
    assert "No corpus in artifacts/corpora" in call("list").output
    vectors = np.random.default_rng(0).normal(size=(120, 5))
    np.savez("mine.npz", vectors=vectors, document_ids=[0] * 120)
    call("vectors", "mine.npz")
    # a crash left it, as good as whole
    corpora = Path("artifacts/corpora")
    shutil.copytree(corpora / "mine", corpora / ".other.new.tmp")

    listed = call("list")
    (card,) = json.loads(call("list", "--json").output)
    shown = json.loads(call("show", "mine", "--json").output)

    assert "mine\n    documents: 120 vectors of 5 numbers by unknown" in listed.output
    assert card == shown
    assert card["folder"] == "artifacts/corpora/mine"
    assert card["fingerprint"] in call("show", "mine").output.split()
