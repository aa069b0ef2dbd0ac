"""Octets: whatever is in them and said of them, they are read as that or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.errors import MalformedBodyError, RequestError
from nextvec.app.steps import finish
from nextvec.app.wire.layouts import DTYPES, layout_of_batch, layout_of_one
from nextvec.app.wire.options import Limits, Options
from nextvec.app.wire.requests import PredictRequest, decode_octets

LIMITS = Limits(dim=16, max_context=20, max_k=9, default_k=9, max_contexts=6)
sizes = st.one_of(
    st.integers(-3, 40),
    st.sampled_from((2**31, 2**32, 2**63, 2**64, 10**8, 999_999_999, 10**400)),
)
numbers = st.one_of(sizes.map(str), st.text("0123456789,-+eE. x٣", max_size=12))


def decoded(body: bytes, *pairs: tuple[str, str]) -> PredictRequest:
    if any(name in {"shape", "lengths"} for name, _ in pairs):
        layout, _ = layout_of_batch(list(pairs), LIMITS)
    else:
        layout, _ = layout_of_one(list(pairs))
    return finish(decode_octets(body, Options(k=3), LIMITS, layout))


def only_context(asked: PredictRequest) -> np.ndarray:
    (context,) = asked.contexts
    assert context.vectors is not None
    return context.vectors


def vectors(number: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(number).normal(size=(number, 16)).astype(dtype)


@given(
    st.binary(max_size=3000) | st.integers(0, 30).map(lambda n: vectors(n).tobytes()),
    st.lists(
        st.tuples(st.sampled_from(("dtype", "shape", "lengths")), numbers)
        | st.tuples(st.just("dtype"), st.sampled_from(tuple(DTYPES)))
        | st.tuples(st.just("shape"), st.tuples(sizes, sizes, sizes).map(str))
        | st.tuples(
            st.just("shape"), st.tuples(sizes, sizes).map(lambda s: f"{s[0]},{s[1]},16")
        ),
        max_size=3,
    ),
)
def test_whatever_is_said_of_octets_is_held_against_them(
    body: bytes, pairs: list[tuple[str, str]]
) -> None:
    try:
        asked = decoded(body, *pairs)
    except RequestError:
        return

    width = DTYPES[dict(pairs).get("dtype", "float32")].itemsize
    contexts = [context.vectors for context in asked.contexts]
    assert 1 <= len(contexts) <= LIMITS.max_contexts
    total = 0
    for context in contexts:
        assert context is not None
        assert 1 <= len(context) <= LIMITS.max_context
        np.testing.assert_allclose(np.linalg.norm(context, axis=1), 1.0, atol=1e-5)
        total += len(context)
    # not one octet more or less than was said
    assert total * 16 * width == len(body)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.data())
def test_lengths_that_lie_are_refused(lengths: list[int], data: st.DataObject) -> None:
    body = vectors(sum(lengths)).tobytes()
    told = list(lengths)
    place = data.draw(st.integers(0, len(told) - 1))
    told[place] = data.draw(st.integers(1, 20).filter(lambda n: n != told[place]))

    assert len(decoded(body, ("lengths", ",".join(map(str, lengths)))).contexts) == len(
        lengths
    )
    with pytest.raises(MalformedBodyError, match=f"expected {sum(told) * 64} bytes"):
        decoded(body, ("lengths", ",".join(map(str, told))))


@pytest.mark.parametrize(
    "shape",
    [
        "999999999,999999999,16",
        "999999999,20,16",
        "6,999999999,16",
        "18446744073709551616,1,16",
        "0,20,16",
        "1,0,16",
        "-1,-1,16",
        "1,1,-16",
        "1,1",
        "1,1,16,1",
        "",
    ],
)
def test_shapes_that_no_body_has_are_refused_before_anything_is_made(
    shape: str,
) -> None:
    with pytest.raises(RequestError):
        decoded(vectors(1).tobytes(), ("shape", shape))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_another_width_that_happens_to_fit_is_read_as_it_was_declared(
    dtype: str,
) -> None:
    rows = vectors(4, dtype)

    context = only_context(decoded(rows.tobytes(), ("dtype", dtype)))

    expected = rows / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    np.testing.assert_allclose(context, expected, atol=1e-6)


@pytest.mark.parametrize("is_widened", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_float64_that_nobody_declared_are_told_apart(
    seed: int, *, is_widened: bool
) -> None:
    rows = np.random.default_rng(seed).normal(size=(10, 16))
    if is_widened:
        rows = rows.astype(np.float32).astype(float)

    with pytest.raises(MalformedBodyError, match="dtype=float64 or dtype=float32"):
        decoded(rows.tobytes())


def test_numbers_that_large_are_taken_where_they_are_declared() -> None:
    rows = np.float32(1e19) * vectors(3)

    with pytest.raises(MalformedBodyError, match="such as"):
        decoded(rows.tobytes())
    context = only_context(decoded(rows.tobytes(), ("dtype", "float32")))

    same = only_context(decoded(vectors(3).tobytes()))
    np.testing.assert_allclose(context, same, atol=1e-6)
