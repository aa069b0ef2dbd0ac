"""The library, as a program imports it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import nextvec
from nextvec import onnx_export
from nextvec.training.corpus.store import load_corpus

PAGE = Path(__file__).parent.parent / "docs/library.md"


def walks(documents: int = 30) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    names = [f"d{number}" for number in range(documents) for _ in range(130)]
    return rng.normal(size=(len(names), 8)), names


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nextvec.Run:
    folder = tmp_path_factory.mktemp("library")
    vectors, names = walks()
    texts = [f"text {number}" for number in range(len(names))]
    corpus = nextvec.make_corpus(
        folder / "corpus", vectors, names, texts=texts, encoder="mine"
    )
    return nextvec.train(
        corpus, recipe="smoke", runs=folder / "runs", max_epochs=1, hidden_size=8
    )


@pytest.mark.slow
def test_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    scope: dict[str, object] = {}

    for block in blocks:
        exec(block, scope)  # noqa: S102 - our own page

    shown = capsys.readouterr().out
    assert len(blocks) == 4
    assert "The true next one is its first answer in" in shown
    assert re.search(r"^walk-\d+#\d+ 0\.\d+$", shown, re.MULTILINE)
    assert "corpora/walks: corpus walks is there; replace=True makes it again" in shown


def test_every_name_is_there_and_on_the_page() -> None:
    page = PAGE.read_text()

    for name in nextvec.__all__:
        assert getattr(nextvec, name) is not None
        assert name in dir(nextvec)
        assert f"`{name}" in page
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        nextvec.nothing  # noqa: B018 - the access is the test


def test_it_lives_beside_packages_called_app_and_training(tmp_path: Path) -> None:
    for name in ("app", "training"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True")
    script = (
        "import app, training, nextvec\n"
        "from nextvec.app.settings import Settings\n"
        "assert app.MINE and training.MINE and nextvec.NextvecError\n"
        "assert Settings.__module__ == 'nextvec.app.settings'\n"
    )

    subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script], cwd=tmp_path, check=True
    )


def test_a_run_says_what_it_is(run: nextvec.Run) -> None:
    again = nextvec.open_run(run.folder)
    judged = nextvec.evaluate(run.folder)

    assert again.card == run.card
    assert run.report.exists()
    assert run.verdict in {"GO", "NO-GO"}
    assert run.is_better_than_base == (run.card["best_epoch"] > 0)
    assert "On test, looked at once" in str(run)
    assert judged["pools"] == run.card["evaluation"]["pools"]


def test_ids_and_vectors_are_answered_alike(run: nextvec.Run) -> None:
    vectors, _ = walks()
    ids = [f"d0#{place}" for place in range(12)]
    with nextvec.open_predictor(run.folder) as predictor:
        by_id = predictor.predict(ids, k=4)
        by_vector = predictor.predict(vectors[:12], k=4)
        by_both = predictor.predict([*ids[:5], *vectors[5:12].tolist()], k=4)
        inside = predictor.predict(ids, documents=["d1"], k=1000)
        outside = predictor.predict(ids, exclude_documents=["d1"], k=4000)
        serves = predictor.serves
        assert predictor.dim == 8
        assert predictor.version.startswith("corpus-")
        assert predictor.card == run.card

    assert [n.id for n in by_id.neighbors] == [n.id for n in by_vector.neighbors]
    assert [n.id for n in by_id.neighbors] == [n.id for n in by_both.neighbors]
    assert by_id.num_context == 12
    assert by_id.vector is not None
    assert by_id.vector.shape == (8,)
    assert np.linalg.norm(by_id.vector) == pytest.approx(1, abs=1e-5)
    assert {n.document for n in inside.neighbors} == {"d1"}
    assert len(inside.neighbors) == 130
    assert "d1" not in {n.document for n in outside.neighbors}
    assert by_id.neighbors[0].text is not None
    assert serves


def test_a_batch_is_answered_as_one_by_one(run: nextvec.Run) -> None:
    vectors, _ = walks()
    contexts = [vectors[start : start + 1 + start % 50] for start in range(0, 400, 10)]
    with nextvec.open_predictor(run.folder) as predictor:
        together = predictor.predict_batch(
            [*contexts, ["d0#0", vectors[1]]], k=3, documents=["d1", "d2"]
        )
        alone = [
            predictor.predict(context, k=3, documents=["d1", "d2"])
            for context in [*contexts, vectors[:2]]
        ]
        none = predictor.predict_batch([])

    assert none == []
    assert len(together) == 41  # more than are computed at once
    for one, other in zip(together, alone, strict=True):
        assert [n.id for n in one.neighbors] == [n.id for n in other.neighbors]
        assert one.num_context == other.num_context
        assert one.vector is not None
        assert other.vector is not None
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)


def test_of_a_batch_the_place_of_a_fault_is_named(run: nextvec.Run) -> None:
    with (
        nextvec.open_predictor(run.folder) as predictor,
        pytest.raises(nextvec.NextvecError, match=r"contexts\[1\]\[1\]: no vector is"),
    ):
        predictor.predict_batch([["d0#0"], ["d0#0", "nobody"]])


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ([], "expected 1 to 100 places, got 0"),
        (["d0#0"] * 101, "expected 1 to 100 places, got 101"),
        (["nobody"], "no vector is called 'nobody'"),
        (
            [[1.0, 2.0]],
            r"context\[0\]: expected a vector of 8 numbers, got shape \(2,\)",
        ),
        ([None], r"context\[0\]: expected a vector of 8 numbers, got shape \(\)"),
        ([["a"] * 8], r"context\[0\]: expected an id, a text or 8 numbers"),
        ([[np.nan] * 8], "context: row 0"),
        ([{"text": " "}], r"context\[0\]: expected {\"text\": ...} that is not blank"),
        ([{"id": "d0#0"}], r"context\[0\]: expected {\"text\": ...}"),
        ([{"text": "a text"}], "were made from no texts"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    run: nextvec.Run, context: list[object], words: str
) -> None:
    with (
        nextvec.open_predictor(run.folder) as predictor,
        pytest.raises(nextvec.NextvecError, match=words),
    ):
        predictor.predict(context)  # type: ignore[arg-type]


def test_an_option_out_of_bounds_is_refused(run: nextvec.Run) -> None:
    with (
        nextvec.open_predictor(run.folder) as predictor,
        pytest.raises(nextvec.NextvecError, match="k: expected 1 to 1, got 0"),
    ):
        predictor.predict(["d0#0"], k=0)


def test_nothing_to_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(nextvec.NextvecError, match=r"expected a bundle .* or a run"):
        nextvec.open_predictor(tmp_path)


def test_texts_become_a_corpus_and_a_question(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.array(["query", "model", "table", "session", "task", "worker", "view"])
    documents = {
        f"page {number}": " ".join(
            f"Line{number}n{line} " + " ".join(rng.choice(words, 18)) + " end."
            for line in range(125)
        )
        for number in range(4)
    }

    corpus = nextvec.make_text_corpus(tmp_path / "pages", documents)
    run = nextvec.train(corpus, recipe="smoke", runs=tmp_path / "runs", max_epochs=0)
    loaded = load_corpus(corpus)
    assert loaded.texts is not None
    with nextvec.open_predictor(run.folder) as predictor:
        by_text = predictor.predict([{"text": text} for text in loaded.texts[:5]])
        by_id = predictor.predict(loaded.ids[:5])

    assert list(loaded.document_ids) == list(documents)
    assert [n.id for n in by_text.neighbors] == [n.id for n in by_id.neighbors]
    with pytest.raises(nextvec.NextvecError, match="replace=True makes it again"):
        nextvec.make_text_corpus(corpus, documents)
    assert nextvec.make_text_corpus(corpus, documents, replace=True) == corpus


@pytest.mark.slow
def test_an_onnx_file_answers_as_the_model_does(
    run: nextvec.Run, tmp_path: Path
) -> None:
    vectors, _ = walks()
    context = np.zeros((1, 100, 8), np.float32)
    context[0, :7] = vectors[:7] / np.linalg.norm(vectors[:7], axis=1, keepdims=True)
    with nextvec.open_predictor(run.folder) as predictor:
        made = nextvec.export_onnx(predictor, tmp_path / "model.onnx")
        transform = predictor.engine.bundle.checkpoint.transform
        (here,) = predictor.engine.predict([transform.apply(context[0, :7])]).vectors

    session = onnxruntime.InferenceSession(made.path)
    there = session.run(None, {"context": context, "length": np.array([7])})[0][0]

    assert made.least_cosine > 0.9999
    assert made.num_checked == 64
    assert np.allclose(here.numpy(), there, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx"]


def test_a_file_that_answers_otherwise_is_deleted(
    run: nextvec.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        onnx_export, "_write", lambda _g, _c, _l, path: path.write_bytes(b"half")
    )
    monkeypatch.setattr(onnx_export, "_least_cosine", lambda *_: 0.5)

    with (
        nextvec.open_predictor(run.folder) as predictor,
        pytest.raises(nextvec.NextvecError, match=r"at least 0\.9999, got 0\.5"),
    ):
        nextvec.export_onnx(predictor, tmp_path / "model.onnx")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["onnxscript", "onnxruntime"])
def test_what_is_not_installed_is_named(
    run: nextvec.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with (
        nextvec.open_predictor(run.folder) as predictor,
        pytest.raises(nextvec.NextvecError, match=r"pip install 'nextvec\[onnx\]'"),
    ):
        nextvec.export_onnx(predictor, tmp_path / "model.onnx")
