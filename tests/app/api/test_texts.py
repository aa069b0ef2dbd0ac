"""Texts as a question, alone and beside ids and vectors."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from nextvec.app.api.app import create_app
from nextvec.app.bundle.manifest import EncoderFacts, Manifest
from nextvec.app.commands.client import Client
from nextvec.app.commands.main import cli
from nextvec.app.inference.encoding import TextEncoding
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.corpus.corpus import CorpusCard
from nextvec.training.corpus.text import encoders
from nextvec.training.corpus.text.making import make_document_corpus
from nextvec.training.corpus.text.text import Document
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import l2_normalize
from tests.app.conftest import make_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nextvec.training.corpus.corpus import Corpus
    from nextvec.training.vectors import Float32

WORDS = ["red", "green", "blue", "white", "black", "brown", "pink", "grey"]


class WordEncoder:
    """Counts eight words, in whichever thread it is asked."""

    name = "words"
    version = "words 1"
    checksum = hashlib.sha256(b"words").hexdigest()
    dim = len(WORDS)

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def encode(self, texts: Sequence[str]) -> Float32:
        self.threads.add(threading.get_ident())
        counts = [[text.split().count(word) for word in WORDS] for text in texts]
        return np.array(counts, np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Path]:
    """A corpus of text, and the folder of bundles with the one made from it."""
    folder = tmp_path_factory.mktemp("texts")
    rng = np.random.default_rng(0)
    documents = [
        Document(
            f"d{number}",
            "\n\n".join(
                f"S{number}x{place} " + " ".join(rng.choice(WORDS, 20)) + "."
                for place in range(130)
            ),
        )
        for number in range(12)
    ]
    card = CorpusCard(name="colors", encoder="words", source="made up")
    corpus = make_document_corpus(
        documents,
        WordEncoder(),
        card,
        folder / "corpus",
        words=20,
        min_coherence=None,
        progress=lambda *_: None,
    )
    make_run(corpus, folder / "runs/one", folder / "corpus")
    Registry(folder / "bundles").make_live(
        build_bundle(folder / "runs/one", folder / "bundles")
    )
    return corpus, folder / "bundles"


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> WordEncoder:
    """What is installed here."""
    only = WordEncoder()
    monkeypatch.setitem(encoders._ENCODERS, "words", lambda: only)  # noqa: SLF001
    return only


@pytest.fixture
def reader(made: tuple[Corpus, Path]) -> Iterator[TestClient]:
    """A service that has texts, and maybe their encoder."""
    with TestClient(create_app(Settings(bundles=made[1], threads=1))) as client:
        yield client


def test_the_bundle_knows_its_encoder(made: tuple[Corpus, Path]) -> None:
    registry = Registry(made[1])

    manifest = Manifest.load(registry.live())

    assert manifest.encoder == EncoderFacts(
        name="words", version="words 1", checksum=WordEncoder.checksum
    )


def test_texts_are_answered_as_their_ids_are(
    reader: TestClient, made: tuple[Corpus, Path], encoder: WordEncoder
) -> None:
    corpus = made[0]
    assert corpus.texts is not None
    ids, texts = list(corpus.ids[5:15]), list(corpus.texts[5:15])
    vectors = np.asarray(corpus.vectors[5:15]).tolist()
    mixed = [{"id": ids[0]}, *({"text": text} for text in texts[1:5]), *vectors[5:]]

    by_id = reader.post("/predict", json={"ids": ids})
    by_text = reader.post("/predict", json={"texts": texts})
    by_all = reader.post("/predict", json={"context": mixed})

    assert by_text.status_code == by_all.status_code == 200, by_all.text
    expected = [near["id"] for near in by_id.json()["neighbors"]]
    for answer in (by_text, by_all):
        assert [near["id"] for near in answer.json()["neighbors"]] == expected
        assert answer.json()["num_context"] == 10
    assert threading.get_ident() not in encoder.threads
    assert reader.get("/info").json()["encodes_texts"] is True


@pytest.mark.usefixtures("encoder")
def test_texts_of_several_contexts_are_encoded_together(
    made: tuple[Corpus, Path], reader: TestClient
) -> None:
    corpus, _ = made
    assert corpus.texts is not None
    ids, texts = list(corpus.ids[5:15]), list(corpus.texts[5:15])
    mixed = [{"text": texts[0]}, {"id": ids[1]}, {"text": texts[2]}]

    by_text = reader.post(
        "/predict/batch", json={"texts": [texts[:3], texts[3:], texts]}
    )
    by_both = reader.post(
        "/predict/batch", json={"contexts": [mixed, [{"text": texts[5]}]]}
    )
    by_id = reader.post(
        "/predict/batch", json={"ids": [ids[:3], ids[3:], ids, ids[5:6]]}
    )

    found = [
        [near["id"] for near in one["neighbors"]]
        for answer in (by_text, by_both)
        for one in answer.json()["predictions"]
    ]
    expected = [
        [near["id"] for near in one["neighbors"]] for one in by_id.json()["predictions"]
    ]
    assert found == [*expected[:3], expected[0], expected[3]]


@pytest.mark.usefixtures("encoder")
def test_of_several_contexts_the_text_at_fault_is_named(reader: TestClient) -> None:
    refused = reader.post(
        "/predict/batch", json={"texts": [["red", "blue"], ["red", "nothing known"]]}
    )

    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("texts[1][1]: the encoder finds no")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"texts": []}, "expected 1 to 100 vectors of context, got 0"),
        ({"texts": "red"}, "texts: expected a list of strings, got a string"),
        ({"texts": [1]}, "texts[0]: expected a string, got an integer"),
        ({"texts": ["red", " "]}, "texts[1]: expected a text of 1 to 10,000"),
        ({"texts": ["red " * 2501]}, "that are not all blank, got 10,004"),
        ({"texts": ["nothing known"]}, "texts[0]: the encoder finds no word in it"),
        ({"texts": ["red"], "ids": ["a"]}, "ids and texts, got ids and texts"),
        ({"context": [{}]}, 'context[0]: expected a list of 8 numbers, {"id"'),
        ({"context": [{"text": "red", "id": "a"}]}, "got an object of other members"),
        ({"context": [{"id": 1}]}, "context[0]: expected a string as id, got an int"),
        ({"context": [{"text": "red"}, [1.0]]}, "context[1]: expected 8 numbers"),
        ({"context": [{"text": "red"}, None]}, "context[1]: expected a list of 8"),
        ({"context": [{"text": "red"}] * 101}, "expected 1 to 100 vectors"),
    ],
)
@pytest.mark.usefixtures("encoder")
def test_what_cannot_be_encoded_is_refused(
    reader: TestClient, body: dict[str, object], words: str
) -> None:
    refused = reader.post("/predict", json=body)

    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:nextvec:problem:invalid-context"
    assert words in refused.json()["detail"]


def test_an_unknown_id_is_told_the_nearest_one(reader: TestClient) -> None:
    alone = reader.post("/predict", json={"ids": ["d3#1290"]})
    mixed = reader.post("/predict", json={"context": [{"id": "zzz"}]})

    assert alone.json()["detail"] == (
        "ids[0]: no vector is called 'd3#1290'; the nearest name is 'd3#129'"
    )
    assert mixed.json()["detail"] == "context[0]: no vector is called 'zzz'"


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_numbers_that_json_has_not_are_named_with_their_place(
    reader: TestClient, word: str
) -> None:
    refused = reader.post(
        "/predict",
        content=f'{{"context": [\n[1, {word}]]}}',
        headers={"Content-Type": "application/json"},
    )

    assert refused.status_code == 400
    assert refused.json()["detail"] == (
        f"expected JSON, found {word} at line 2, column 5: JSON has finite numbers only"
    )


def test_an_encoder_that_is_missing_is_named(reader: TestClient) -> None:
    refused = reader.post("/predict", json={"texts": ["red"]})

    assert refused.status_code == 501
    assert refused.json()["type"] == "urn:nextvec:problem:no-encoder"
    assert (
        "the corpus was encoded by words 1: no encoder named 'words'"
        in (refused.json()["detail"])
    )


def test_an_encoder_of_other_weights_is_refused(
    reader: TestClient, encoder: WordEncoder
) -> None:
    encoder.checksum = "0" * 64
    encoder.version = "words 2"

    refused = reader.post("/predict", json={"texts": ["red"]})

    assert refused.status_code == 501
    assert "found words 2, weights 000000000000" in refused.json()["detail"]


def test_a_corpus_of_vectors_takes_no_texts(client: TestClient) -> None:
    refused = client.post("/predict", json={"texts": ["red"]})

    assert refused.status_code == 400
    assert refused.json()["type"] == "urn:nextvec:problem:not-applicable"
    assert (
        "were made from no texts that are known here; send vectors or ids"
        in (refused.json()["detail"])
    )


def test_an_encoder_that_takes_too_long_meets_the_deadline(
    made: tuple[Corpus, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow() -> WordEncoder:
        goes_on.wait(5)
        return WordEncoder()

    monkeypatch.setitem(encoders._ENCODERS, "words", slow)  # noqa: SLF001
    settings = Settings(bundles=made[1], threads=1, request_timeout_s=0.05)
    with TestClient(create_app(settings)) as client:
        refused = client.post("/predict", json={"texts": ["red"]})
        goes_on.set()

    assert refused.status_code == 504
    assert "wait for the encoder to be loaded" in refused.json()["detail"]


@pytest.mark.usefixtures("encoder")
def test_the_encoder_is_loaded_once(made: tuple[Corpus, Path]) -> None:
    bundle = build_bundle(made[1].parent / "runs/one", made[1])
    encoding = TextEncoding(bundle)

    one = asyncio.run(encoding.encode({"one": "red red blue"}))
    encoders._ENCODERS.pop("words")  # noqa: SLF001
    two = encoding.encode_now({"one": "red red blue"})
    encoding.stop()

    assert one.tolist() == two.tolist()
    assert np.allclose(one, l2_normalize(np.array([[2, 0, 1, 0, 0, 0, 0, 0]])))
    with pytest.raises(CorpusError, match="no encoder named 'words'"):
        encoders.get_encoder("words")


def test_the_command_asks_with_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def predict(_: Client, **request: object) -> dict[str, object]:
        asked.append(request)
        return {"num_context": 2, "bundle": "b", "neighbors": []}

    monkeypatch.setattr(Client, "_predict", predict)

    done = CliRunner().invoke(
        cli, ["predict", "--text", "red, red", "--text", "blue", "--k", "3"]
    )

    assert done.exit_code == 0, done.output
    assert asked == [{"json": {"texts": ["red, red", "blue"], "k": 3}}]
