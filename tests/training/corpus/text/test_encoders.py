import logging
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.text.encoders import Encoder, get_encoder
from nextvec.training.errors import CorpusError

texts = st.lists(st.text(max_size=40), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return get_encoder("wordllama")


def test_the_default_needs_no_name(encoder: Encoder) -> None:
    assert get_encoder().name == encoder.name == "wordllama"
    assert encoder.dim == 256


@given(texts, st.data())
def test_a_text_is_encoded_the_same_in_any_batch(
    encoder: Encoder, batch: list[str], data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(batch) - 1))

    together = encoder.encode(batch)
    alone = encoder.encode([batch[row]])

    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[row], alone[0])


def test_close_texts_have_close_vectors(encoder: Encoder) -> None:
    vectors = encoder.encode(
        ["a database query", "queries of a database", "two cats asleep"]
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    assert unit[0] @ unit[1] > 0.5 > unit[0] @ unit[2]


def test_no_text_and_an_empty_text_are_encoded(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 256)
    np.testing.assert_array_equal(encoder.encode([""]), np.zeros((1, 256)))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("gtr", id="unknown"),
        pytest.param("gtr:base", id="unknown family"),
        pytest.param("wordllama:small", id="no family"),
        pytest.param("sentence-transformers", id="no model"),
        pytest.param("sentence-transformers:", id="empty model"),
    ],
)
def test_an_unknown_encoder_is_named_with_the_known_ones(name: str) -> None:
    known = "wordllama, sentence-transformers:<model or path>"

    with pytest.raises(CorpusError, match=f"no encoder named '{name}'.*: {known}"):
        get_encoder(name)


def test_loading_leaves_the_root_logger_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("wordllama")]:
        monkeypatch.delitem(sys.modules, name)
    root = logging.getLogger()
    before = root.handlers[:], root.level

    get_encoder()

    assert (root.handlers, root.level) == before


def test_a_package_without_weights_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import wordllama  # noqa: PLC0415

    monkeypatch.setattr(
        wordllama.WordLlama, "get_filename", staticmethod(lambda *_: "gone")
    )

    with pytest.raises(CorpusError, match=r"lacks its weights.*'gone' not found"):
        get_encoder()
