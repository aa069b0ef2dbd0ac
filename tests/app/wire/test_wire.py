from collections.abc import Callable

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from nextvec.app.errors import BodyTooLargeError, RequestError
from nextvec.app.steps import finish
from nextvec.app.wire.contexts import Context
from nextvec.app.wire.layouts import Layout
from nextvec.app.wire.options import Limits, Options, options_of_query
from nextvec.app.wire.problems import type_of_error
from nextvec.app.wire.requests import PredictRequest, decode_step
from nextvec.app.wire.requests import decode_json as json_steps
from nextvec.app.wire.requests import decode_octets as octet_steps
from nextvec.training.vectors import l2_normalize

LIMITS = Limits(dim=3, max_context=4, max_k=20, default_k=10)


def decode_json(body: bytes, limits: Limits) -> PredictRequest:
    return finish(json_steps(body, limits))


def decode_octets(body: bytes, options: Options, limits: Limits) -> PredictRequest:
    # of numbers as large as a float32 can be as well
    return finish(octet_steps(body, options, limits, Layout(is_declared=True)))


def the_context(asked: PredictRequest) -> Context:
    (context,) = asked.contexts
    return context


contexts = st_numpy.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.just(3)),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
).filter(lambda rows: bool((np.linalg.norm(rows.astype(float), axis=1) > 1e-6).all()))


@given(contexts)
def test_numbers_and_octets_decode_to_the_same_unit_vectors(rows: np.ndarray) -> None:
    as_json = the_context(decode_json(orjson.dumps({"context": rows.tolist()}), LIMITS))
    as_octets = the_context(
        decode_octets(rows.astype("<f4").tobytes(), Options(k=1), LIMITS)
    )

    assert as_json.vectors is not None
    assert as_octets.vectors is not None
    np.testing.assert_array_equal(as_json.vectors, as_octets.vectors)
    np.testing.assert_allclose(as_json.vectors, l2_normalize(rows), atol=1e-6)


@given(st.binary(max_size=200))
def test_any_octets_are_decoded_or_refused(body: bytes) -> None:
    try:
        asked = the_context(decode_octets(body, Options(k=1), LIMITS))
    except RequestError as error:
        assert type_of_error(error).status in {400, 422}  # noqa: PT017 - both ways are right
    else:
        assert asked.vectors is not None
        np.testing.assert_allclose(np.linalg.norm(asked.vectors, axis=1), 1, atol=1e-5)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["context", "ids", "k", "documents", "exclude_context", "x"]),
        json_values,
        max_size=4,
    )
)
def test_any_json_object_is_decoded_or_refused(fields: dict[str, object]) -> None:
    try:
        body = orjson.dumps(fields)
    except TypeError:  # an integer beyond 64 bits has no JSON form in orjson
        return
    try:
        decode_json(body, LIMITS)
    except RequestError as error:
        assert type_of_error(error).status in {400, 422}  # noqa: PT017 - both ways are right


def test_whole_numbers_are_numbers() -> None:
    asked = the_context(decode_json(b'{"context": [[3, 4, 0]]}', LIMITS))

    assert asked.vectors is not None
    np.testing.assert_allclose(asked.vectors, [[0.6, 0.8, 0.0]], atol=1e-7)


def test_a_state_may_be_as_long_as_its_vectors_and_no_longer() -> None:
    limits = Limits(dim=4096, max_context=100, max_k=20, default_k=10)
    # 100 vectors and rows, four characters for three bytes
    longest = 4 * 100 * 4 * 4097 // 3

    def asked(length: int) -> PredictRequest:
        state = b"A" * length
        body = b'{"ids": ["a"], "state": "' + state + b'"}'
        return finish(decode_step(body, limits))

    assert asked(longest).state == "A" * longest
    with pytest.raises(BodyTooLargeError, match="expected strings of at most"):
        asked(longest + 30_000)


def test_null_options_are_absent_options() -> None:
    asked = decode_json(b'{"ids": ["a"], "k": null, "documents": null}', LIMITS)

    assert asked.options == Options(k=10)


def test_all_options_are_read_from_json() -> None:
    body = {
        "ids": ["a"],
        "k": 3,
        "exclude_context": False,
        "documents": ["d"],
        "exclude_documents": ["e", "f"],
        "return_vector": True,
        "return_texts": False,
    }

    asked = decode_json(orjson.dumps(body), LIMITS)

    assert the_context(asked).ids == ["a"]
    assert asked.options == Options(
        k=3,
        exclude_context=False,
        documents=("d",),
        exclude_documents=("e", "f"),
        return_vector=True,
        return_texts=False,
    )


def test_all_options_are_read_from_the_query() -> None:
    pairs = [
        ("k", "3"),
        ("exclude_context", "false"),
        ("documents", "d"),
        ("exclude_documents", "e"),
        ("exclude_documents", "f"),
        ("return_vector", "1"),
        ("return_texts", "False"),
    ]

    assert options_of_query(pairs, LIMITS) == Options(
        k=3,
        exclude_context=False,
        documents=("d",),
        exclude_documents=("e", "f"),
        return_vector=True,
        return_texts=False,
    )


def one_vector(**fields: object) -> Callable[[], object]:
    body = orjson.dumps({"context": [[1.0, 0.0, 0.0]], **fields})
    return lambda: decode_json(body, LIMITS)


def json_body(body: bytes) -> Callable[[], object]:
    return lambda: decode_json(body, LIMITS)


def octets(body: bytes) -> Callable[[], object]:
    return lambda: decode_octets(body, Options(k=1), LIMITS)


def query(*pairs: tuple[str, str]) -> Callable[[], object]:
    return lambda: options_of_query(pairs, LIMITS)


@pytest.mark.parametrize(
    ("decode", "slug", "words"),
    [
        pytest.param(json_body(b"{"), "malformed-body", "expected JSON", id="json"),
        pytest.param(json_body(b""), "malformed-body", "expected JSON", id="empty"),
        pytest.param(
            json_body(b'{"context": [[NaN, 1, 2]]}'),
            "malformed-body",
            "expected JSON",
            id="nan is no json",
        ),
        pytest.param(
            json_body(b"\xff\xfe"), "malformed-body", "expected JSON", id="not utf-8"
        ),
        pytest.param(
            json_body(b"[[1, 2, 3]]"), "malformed-body", "got a list", id="bare list"
        ),
        pytest.param(json_body(b"{}"), "invalid-context", "none of them", id="neither"),
        pytest.param(
            one_vector(ids=["a"]), "invalid-context", "got context and ids", id="both"
        ),
        pytest.param(
            json_body(b'{"context": 5}'), "invalid-context", "an integer", id="number"
        ),
        pytest.param(
            json_body(b'{"context": []}'), "invalid-context", "got 0", id="no vector"
        ),
        pytest.param(
            json_body(b'{"context": [[1,0,0],[1,0,0],[1,0,0],[1,0,0],[1,0,0]]}'),
            "invalid-context",
            "1 to 4 vectors of context, got 5",
            id="too long",
        ),
        pytest.param(
            json_body(b'{"context": [[1, 2]]}'),
            "invalid-context",
            r"context\[0\]: expected 3 numbers, got 2",
            id="wrong D",
        ),
        pytest.param(
            json_body(b'{"context": [[1, 2, 3], [1, 2]]}'),
            "invalid-context",
            r"context\[1\]: expected 3 numbers, got 2",
            id="ragged",
        ),
        pytest.param(
            json_body(b'{"context": [1, 2, 3]}'),
            "invalid-context",
            r"context\[0\]: expected a list of 3 numbers, got an integer",
            id="flat",
        ),
        pytest.param(
            json_body(b'{"context": [[[1], [2], [3]]]}'),
            "invalid-context",
            r"context\[0\]\[0\]: expected a number, got a list",
            id="too deep",
        ),
        pytest.param(
            json_body(b'{"context": [[1, "2", 3]]}'),
            "invalid-context",
            r"context\[0\]\[1\]: expected a number, got a string",
            id="string",
        ),
        pytest.param(
            json_body(b'{"context": [[1, 2, true]]}'),
            "invalid-context",
            r"context\[0\]\[2\]: expected a number, got a boolean",
            id="boolean",
        ),
        pytest.param(
            json_body(b'{"context": [[1, null, 3]]}'),
            "invalid-context",
            "got null",
            id="null",
        ),
        pytest.param(
            json_body(b'{"context": [[0, 0, 0.0]]}'),
            "invalid-context",
            "row 0 is a zero vector",
            id="zero",
        ),
        pytest.param(
            json_body(b'{"context": [[1, 1, 1], [1, -1e39, 1]]}'),
            "invalid-context",
            r"context\[1\]\[1\]: expected a number within float32",
            id="beyond float32",
        ),
        pytest.param(
            json_body(b'{"context": [[1, 1, 1e999]]}'),
            "malformed-body",
            "expected JSON",
            id="beyond float64",
        ),
        pytest.param(
            json_body(b'{"ids": "a"}'), "invalid-context", "got a string", id="ids text"
        ),
        pytest.param(
            json_body(b'{"ids": []}'), "invalid-context", "got 0", id="no ids"
        ),
        pytest.param(
            json_body(b'{"ids": ["a", 1]}'),
            "invalid-context",
            r"ids\[1\]: expected a string, got an integer",
            id="id number",
        ),
        pytest.param(
            json_body(b'{"ids": ["a","a","a","a","a"]}'),
            "invalid-context",
            "1 to 4",
            id="too many ids",
        ),
        pytest.param(one_vector(k=0), "invalid-option", "1 to 20, got 0", id="k 0"),
        pytest.param(one_vector(k=21), "invalid-option", "got 21", id="k large"),
        pytest.param(one_vector(k=1.0), "invalid-option", "fraction", id="k float"),
        pytest.param(
            json_body(b'{"ids": ["a"], "k": ' + b"1" + 30 * b"0" + b"}"),
            "invalid-option",
            "expected an integer, 1 to 20, got a number beyond 64 bits",
            id="k huge",
        ),
        pytest.param(
            query(("k", "1" + 30 * "0")),
            "invalid-option",
            "at most 9 digits",
            id="query k huge",
        ),
        pytest.param(one_vector(k=True), "invalid-option", "a boolean", id="k bool"),
        pytest.param(
            one_vector(top_k=3), "invalid-option", "'top_k' is unknown", id="unknown"
        ),
        pytest.param(
            one_vector(return_vector=1),
            "invalid-option",
            "expected true or false, got an integer",
            id="flag number",
        ),
        pytest.param(
            one_vector(documents="d"), "invalid-option", "a list", id="documents text"
        ),
        pytest.param(
            one_vector(documents=[]),
            "invalid-option",
            "at least one",
            id="no documents",
        ),
        pytest.param(octets(b""), "invalid-context", "1 to 4 vectors", id="no octets"),
        pytest.param(
            octets(bytes(13)), "malformed-body", "multiple of 12 bytes", id="truncated"
        ),
        pytest.param(
            octets(bytes(12)), "invalid-context", "zero vector", id="zero octets"
        ),
        pytest.param(
            octets(np.array([1, np.nan, 1], "<f4").tobytes()),
            "invalid-context",
            "NaN or infinity",
            id="nan octets",
        ),
        pytest.param(
            octets(np.array([1, np.inf, 1], "<f4").tobytes()),
            "invalid-context",
            "NaN or infinity",
            id="infinite octets",
        ),
        pytest.param(
            octets(np.ones(15, "<f4").tobytes()),
            "invalid-context",
            "got 5",
            id="too many octets",
        ),
        pytest.param(query(("k", "x")), "invalid-option", "integer", id="query k"),
        pytest.param(query(("k", "-1")), "invalid-option", "integer", id="query minus"),
        pytest.param(
            query(("k", "\u0663")), "invalid-option", "integer", id="other digits"
        ),
        pytest.param(
            query(("k", "1"), ("k", "2")), "invalid-option", "one value", id="twice"
        ),
        pytest.param(
            query(("return_vector", "yes")),
            "invalid-option",
            "true or",
            id="query flag",
        ),
        pytest.param(query(("ids", "a")), "invalid-option", "unknown", id="query ids"),
    ],
)
def test_bad_input_is_refused_precisely(
    decode: Callable[[], object], slug: str, words: str
) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        decode()

    kind = type_of_error(caught.value)
    assert kind.slug == slug
    assert kind.status < 500
