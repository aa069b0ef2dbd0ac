"""Bodies decoded in slices are what they are when they are decoded whole."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.app.errors import (
    BodyTooLargeError,
    InvalidContextError,
    MalformedBodyError,
    RequestError,
)
from nextvec.app.steps import finish
from nextvec.app.wire import requests
from nextvec.app.wire.names import refuse_twice
from nextvec.app.wire.options import Limits
from nextvec.app.wire.slices import Numbers, decode

D = 40

long_lists = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    min_size=20,
    max_size=30,
)
words = st.text(max_size=8) | st.sampled_from(
    ['a "quoted" name', "back\\slash\\", "[1, 2]", "{", "]", "\n", "é" * 3000, "😀"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
    | long_lists,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3)
    ),
    max_leaves=12,
)


def sliced(body: bytes, max_values: int = 10_000) -> Any:  # noqa: ANN401 - JSON
    return finish(decode(body, max_values=max_values, small=0))


def whole(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Decode what is not decoded yet."""
    if isinstance(value, Numbers):
        return finish(value.decoded())
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    return value


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_slices_put_together_are_the_whole(
    value: Any,  # noqa: ANN401 - JSON
    is_ascii: bool,
    indent: int | None,
) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()

    assert whole(sliced(body)) == orjson.loads(body)


@given(values, st.integers(0, 10**6), st.sampled_from(b'",:[]{}x\\\x00\xff '))
def test_what_is_no_json_is_none_in_slices(
    value: Any,  # noqa: ANN401 - JSON
    at: int,
    byte: int,
) -> None:
    spoiled = bytearray(json.dumps([value, [0.5] * 30]).encode())
    spoiled[at % len(spoiled)] = byte
    body = bytes(spoiled)

    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(MalformedBodyError):
            whole(sliced(body))
    else:
        assert whole(sliced(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"contexts": [[' + b"0.25, " * 30 + b"0.25], nope]}",
        b'{"contexts": [\n[' + b"0.25, " * 30 + b"0.25,]]}",
        b'{"contexts": [[' + b"0.25, " * 30 + b"0.25] [1]]}",
        '{"é": ["é", '.encode() + b"[" + b"0.25,\n" * 30 + b"0.25], x]}",
        b'{"contexts": [[' + b"0.25, " * 30 + b"0.25]]",
        b'["' + b"a" * 5000 + b'\\q"]',
        b'["' + b"a" * 5000,
        b"[" + b"0.25, " * 30 + b"0.25]]",
        b"{[" + b"0.25, " * 30 + b"0.25] : 1}",
        b"",
    ],
)
def test_a_fault_is_told_as_of_the_whole(body: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError) as expected:
        orjson.loads(body)

    with pytest.raises(MalformedBodyError) as caught:
        whole(sliced(body))

    assert str(caught.value) == f"expected JSON: {expected.value}"


def test_numbers_that_json_has_not_are_named_with_their_place() -> None:
    body = b'{"a": "\xc3\xa9",\n "contexts": [[' + b"0.25, " * 30 + b"-Infinity]]}"

    with pytest.raises(MalformedBodyError, match="expected JSON"):
        whole(sliced(body))
    with pytest.raises(
        MalformedBodyError, match=r"found Infinity at line 2, column 196: JSON has"
    ):
        whole(sliced(body.replace(b"-Infinity", b"Infinity")))


def test_values_beside_numbers_are_bounded() -> None:
    numbers = b",".join([b"[" + b"0.25," * 30 + b"0.25]"] * 3)

    assert len(sliced(b"[" + numbers + b"]", max_values=2)) == 3
    for others in (b'"a","b","c","d"', b"1,2,3,4", b"[],[],[],[]", b"{},{},{},{}"):
        with pytest.raises(BodyTooLargeError, match="at most 2 values"):
            sliced(b"[" + others + b"]", max_values=2)


def test_no_string_is_longer_than_any_text() -> None:
    longest = "\\ud83d\\ude00" * 10_000

    assert sliced(f'["{longest}"]'.encode()) == ["😀" * 10_000]
    with pytest.raises(BodyTooLargeError, match="at most 131,072 bytes, got one"):
        sliced(b'["' + b"a" * 200_000 + b'"]')


HEADS = (b"", b"[", b'{"a":', b'{"a":[[', b'["', b'{"')
UNITS = (
    *(b"[],", b"[]", b"[", b"]", b'{"a":', b"{}", b'"a"', b'"a",', b'"a":1,', b"0,"),
    *(
        b"1",
        b" ",
        b"\n",
        b"\xff",
        b'\\"',
        b"\\\\",
        b'":',
        b",",
        b"[0,0],",
        b'{"id":"a"},',
    ),
    *(b"[" + b"0," * 40 + b"0]", b"[" + b"0," * 40 + b"0],", b'"' + b"a" * 999 + b'",'),
    *(
        b'"' + b"a" * 9999 + b'":1,',
        b'"' + b"\\u0101" * 99 + b'",',
        b"[[[[[[[[]]]]]]]],",
    ),
)


@given(
    st.sampled_from(HEADS),
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=2),
    st.sampled_from((b"", b"]}", b'"]', b"}")),
)
@settings(max_examples=150, deadline=None)
def test_the_work_for_any_body_is_bounded(
    head: bytes, units: list[bytes], tail: bytes
) -> None:
    size, most = 600_000, 200
    unit = b"".join(units)
    body = head + unit * (size // len(unit)) + tail

    steps = decode(body, max_values=most)
    taken = 0
    try:
        while True:
            next(steps)
            taken += 1
    except (StopIteration, RequestError):
        pass

    # several for each value, whatever their number, and some for each 64 KiB
    assert taken <= 12 * most + 4 * size // (1 << 16) + 20


def test_what_is_decoded_in_one_go_is_bounded() -> None:
    for inner in (b" " * 200, b"1" * 200, b'"' + b"a" * 250 + b'"'):
        with pytest.raises(BodyTooLargeError, match="at most 6,400 bytes beside lists"):
            sliced(b'{"a":' + inner * 100 + b"}", max_values=100)


def test_strings_and_lists_are_counted_where_there_are_no_commas() -> None:
    for inner in (b'"a"', b"[]", b"]", b'{"a":'):
        with pytest.raises(BodyTooLargeError, match="at most 30 strings and lists"):
            sliced(b"[" + inner * 31, max_values=10)


@pytest.mark.parametrize("small", [0, 1 << 16])
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"k": 1, "k": 1}', "k"),
        ('{"k":1,"l":{"a":1,"b":[],"a":{}}}', "a"),
        ('{"k":[{"id":"a","id":"b"}]}', "id"),
        ('[[{"id":"a"},{"id":"b","\\u0069d":"a"}]]', "id"),
        ('{"k":1,"k" :2}', "k"),
        ('{"k":1,"k"\n:2}', "k"),
        ('{"":1,"":2}', ""),
        ('{"é":"\\":","x":1,"é":2}', "é"),
        (f'{{"k":[{"0.5," * 40}0.5],"k":"{"a" * 5000}"}}', "k"),
    ],
)
def test_a_name_that_is_there_twice_is_refused(
    body: str, name: str, small: int
) -> None:
    with pytest.raises(
        MalformedBodyError, match=f"name of an object once, got {name!r}"
    ):
        finish(decode(body.encode(), max_values=10_000, small=small))


@pytest.mark.parametrize("small", [0, 1 << 16])
@pytest.mark.parametrize(
    "body",
    [
        '{"k":[{"id":"a"},{"id":"a"}],"id":{"k":"k"}}',
        '{"a":"\\":","b":"\\": ","c":":{}"}',
        '{"a" : {"a" : {"a" : []}}}',
        '["a", {"k": "a"}, "k", {"k": "k"}, 3]',
    ],
)
def test_a_name_may_be_there_again_elsewhere(body: str, small: int) -> None:
    value = finish(decode(body.encode(), max_values=10_000, small=small))

    assert value == json.loads(body)


@given(values)
def test_names_of_other_objects_are_no_second_ones(value: Any) -> None:  # noqa: ANN401 - JSON
    body = json.dumps(value).encode()

    finish(refuse_twice(body, None))


def test_many_numbers_of_a_short_vector_are_numbers_for_all_that() -> None:
    rows = np.ones((4, 100, 9))
    limits = Limits(dim=9, max_context=100, max_k=9, default_k=9, max_contexts=4)
    body = orjson.dumps({"contexts": rows.astype(int).tolist(), "documents": ["a"]})

    # no list is long, and beside one there may be places of contexts and 20,000 names
    asked = finish(requests.decode_json_batch(body + b" " * (1 << 16), limits))

    for context in asked.contexts:
        assert context.vectors is not None
        assert context.vectors.shape == (100, 9)


def test_small_bodies_are_decoded_at_once() -> None:
    body = orjson.dumps([[0.25] * 100])

    assert finish(decode(body, max_values=0)) == [[0.25] * 100]


class TestLargeRequests:
    """Bodies that are decoded in slices for their size."""

    limits = Limits(dim=D, max_context=100, max_k=9, default_k=9, max_contexts=4)

    def vectors(self) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(4, 100, D))

    def decoded(self, body: bytes) -> requests.PredictRequest:
        assert len(body) > 1 << 16
        return finish(requests.decode_json_batch(body, self.limits))

    def test_they_are_read_as_octets_are(self) -> None:
        rows = self.vectors().astype(np.float32)

        asked = self.decoded(orjson.dumps({"k": 3, "contexts": rows.tolist()}))

        assert asked.options.k == 3
        for context, row in zip(asked.contexts, rows, strict=True):
            assert context.vectors is not None
            norm = np.linalg.norm(row.astype(float), axis=1, keepdims=True)
            np.testing.assert_allclose(context.vectors, row / norm, atol=1e-7)

    def test_they_are_read_vector_by_vector(self) -> None:
        body = orjson.dumps({"contexts": self.vectors().tolist()})

        steps = requests.decode_json_batch(body, self.limits)

        assert sum(1 for _ in steps) > 400

    def test_they_may_be_mixed(self) -> None:
        given: list[Any] = self.vectors().tolist()
        given[1][3] = {"id": "a"}
        given[2][7] = {"text": "long, " * 1000}

        asked = self.decoded(orjson.dumps({"contexts": given}))

        assert asked.texts == {"contexts[2][7]": "long, " * 1000}
        assert asked.contexts[1].mixture is not None
        assert asked.contexts[1].mixture.ids == {3: "a"}
        assert len(asked.contexts[1].mixture.vectors) == 99

    @pytest.mark.parametrize(
        ("place", "entry", "words"),
        [
            (7, [0.5] * (D - 1), rf"contexts\[2\]\[7\]: expected {D} numbers, got 39"),
            (7, [0.5] * 10**5, r"contexts\[2\]\[7\]: expected 40 numbers, got 100000"),
            (7, [0.5] * (D - 1) + [True], r"\[7\]\[39\]: .* got a boolean"),
            (7, [0.5] * (D - 1) + [None], r"\[7\]\[39\]: .* got null"),
            (7, [0.5] * (D - 1) + [[]], r"\[7\]\[39\]: .* got a list"),
            (7, [[0.5] * D] * D, r"\[7\]\[0\]: expected a number, got a list"),
            (7, [0.5] * (D - 1) + ["1"], r"\[7\]\[39\]: .* got a string"),
            (7, "word", r"\[7\]: expected a list of 40 numbers, got a string"),
            (7, [0.0] * D, r"contexts\[2\]: row 7 is a zero vector"),
        ],
    )
    def test_their_faults_are_named(
        self, place: int, entry: object, words: str
    ) -> None:
        given: list[Any] = self.vectors().tolist()
        given[2][place] = entry

        with pytest.raises(InvalidContextError, match=words):
            self.decoded(orjson.dumps({"contexts": given}))

    def test_a_number_of_thousands_of_digits_is_not_read(self) -> None:
        given: list[Any] = self.vectors().tolist()
        given[2][7][3] = 0.25
        body = orjson.dumps({"contexts": given}).replace(b"0.25,", b"9" * 6000 + b",")

        with pytest.raises(InvalidContextError, match=r"\[7\]: .* 128 bytes each, got"):
            self.decoded(body)

    def test_lists_of_numbers_are_lists_elsewhere_as_well(self) -> None:
        many = [0.5] * 20_000
        for fields, words in (
            ({"ids": many}, "ids: expected a list of contexts, got a list of numbers"),
            ({"contexts": many}, "expected a list of contexts, got a list of numbers"),
            ({"contexts": [many]}, r"contexts\[0\]: expected a list of vectors, got a"),
            ({"ids": [["a"]], "k": many}, "k: expected an integer, .*a list of numb"),
            ({"ids": [["a"]], "documents": many}, "documents: expected a list of str"),
            ({"ids": [many]}, r"ids\[0\]: expected a list of strings, got a list of n"),
        ):
            with pytest.raises(RequestError, match=words):
                self.decoded(orjson.dumps(fields))
