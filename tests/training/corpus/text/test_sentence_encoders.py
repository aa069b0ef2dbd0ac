import logging
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from nextvec.training.corpus.building import build_corpus
from nextvec.training.corpus.corpus import CorpusCard
from nextvec.training.corpus.store import load_corpus
from nextvec.training.corpus.text.encoders import get_encoder
from nextvec.training.corpus.text.passages import parts_from_documents
from nextvec.training.corpus.text.text import Document
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Float32

PACKAGE = "sentence_transformers"
SWITCHES = "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"


class Letters:
    """What is used of SentenceTransformer: counts of a, e and t, and a marker's 1.

    As in the real one, numbers change a little with the place in a batch, no texts
    give no shape, and a name that is no folder asks the network.
    """

    def __init__(self, model: str, *, local_files_only: bool) -> None:
        if not local_files_only:
            msg = "couldn't connect"
            raise OSError(msg)
        if not (Path(model) / "modules.json").exists():
            msg = f"Unrecognized model in {model}"
            raise ValueError(msg)
        self.marker = float((Path(model) / "modules.json").read_text())
        logging.getLogger().addHandler(logging.NullHandler())

    def encode(
        self,
        inputs: str | list[str],
        *,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> Float32:
        assert show_progress_bar is False
        if isinstance(inputs, str):
            only: Float32 = self.encode([inputs], show_progress_bar=False)[0]
            return only
        if not inputs:
            return np.zeros(0, dtype=np.float32)
        rows = [[*map(text.count, "aet"), self.marker] for text in inputs]
        rounding = 1e-6 * (np.arange(len(inputs)) % batch_size)
        return np.asarray(rows + rounding[:, None], dtype=np.float32)


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType(PACKAGE)
    package.SentenceTransformer = Letters  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    for switch in SWITCHES:
        monkeypatch.setenv(switch, "")  # so that it is as before afterwards
        monkeypatch.delenv(switch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "modules.json").write_text("1")
    return folder


def test_a_folder_gives_its_name_and_dim(model: Path) -> None:
    name = f"sentence-transformers:{model}"

    encoder = get_encoder(name)

    assert encoder.name == name
    assert encoder.dim == 4


def test_rows_stand_in_the_order_of_the_texts(model: Path) -> None:
    encoder = get_encoder(f"sentence-transformers:{model}")

    vectors = encoder.encode(["tea", "a", "", "eel"])

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(
        vectors, [[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1], [0, 2, 0, 1]], atol=1e-5
    )


def test_equal_texts_get_equal_vectors(model: Path) -> None:
    encoder = get_encoder(f"sentence-transformers:{model}")

    vectors = encoder.encode(["tea", "a", "tea", "a", "tea"])

    np.testing.assert_array_equal(vectors, vectors[[0, 1, 0, 1, 0]])


def test_no_text_is_encoded(model: Path) -> None:
    assert get_encoder(f"sentence-transformers:{model}").encode([]).shape == (0, 4)


def test_a_corpus_is_made_with_it(model: Path, tmp_path: Path) -> None:
    prose = " ".join(f"Tea {number}{' eat at ten' * 6}." for number in range(101))
    encoder = get_encoder(f"sentence-transformers:{model}")
    card = CorpusCard(name="tea", encoder=encoder.name, source="made up")

    parts = parts_from_documents([Document("tea", prose)], encoder, source="tea")
    build_corpus(parts, card, tmp_path / "tea")

    corpus = load_corpus(tmp_path / "tea")
    assert corpus.dim == 4
    assert corpus.card.encoder == encoder.name


def test_a_text_that_gets_zeros_is_named(model: Path) -> None:
    (model / "modules.json").write_text("0")  # no marker: no token, no direction
    encoder = get_encoder(f"sentence-transformers:{model}")

    parts = parts_from_documents([Document("1", "100")], encoder, source="numbers")

    with pytest.raises(VectorError, match=r"numbers: .* row 0 is a zero vector"):
        parts.read(0, 1)


@pytest.mark.parametrize(
    ("found", "because"),
    [
        pytest.param("all-MiniLM", "couldn't connect", id="no network"),
        pytest.param("gone/model", "couldn't connect", id="no such folder"),
        pytest.param("empty", "Unrecognized model", id="no model in it"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_named(
    found: str, because: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()

    with pytest.raises(
        CorpusError, match=f"model '{found}', expected a folder.* Hub .*: {because}"
    ):
        get_encoder(f"sentence-transformers:{found}")


def test_a_missing_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)  # as if it were not installed

    with pytest.raises(CorpusError) as caught:
        get_encoder("sentence-transformers:all-MiniLM-L6-v2")

    message = str(caught.value)
    assert message.startswith("sentence-transformers:all-MiniLM-L6-v2 needs a package")
    assert "pip install 'nextvec[sentence-transformers]'" in message
    assert "pip install -e '.[sentence-transformers]'" in message


def test_loading_leaves_the_root_logger_alone(model: Path) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level

    get_encoder(f"sentence-transformers:{model}")

    assert (root.handlers, root.level) == before


def test_neither_bars_nor_telemetry_unless_asked_for(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")

    get_encoder(f"sentence-transformers:{model}")

    assert [os.environ[switch] for switch in SWITCHES] == ["0", "1"]
