"""`POST /predict/batch`, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.settings import Settings
from tests.app.asking import JSON, OCTETS, ask, assert_problem, service_of

if TYPE_CHECKING:
    from tests.app.conftest import World

LENGTHS = (100, 1, 37, 12)


@pytest.fixture
def contexts(world: World) -> list[np.ndarray]:
    """Vectors of four contexts of different lengths."""
    starts = np.arange(4) * 130
    return [
        np.array(world.corpus.vectors[start : start + length])
        for start, length in zip(starts.tolist(), LENGTHS, strict=True)
    ]


@pytest.fixture
def names(world: World) -> list[list[str]]:
    """The same, by name."""
    starts = np.arange(4) * 130
    return [
        list(world.corpus.ids[start : start + length])
        for start, length in zip(starts.tolist(), LENGTHS, strict=True)
    ]


def ask_batch(client: TestClient, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as httpx2 takes it
    answer = client.post("/predict/batch", **request)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def assert_same(found: dict[str, Any], expected: dict[str, Any], atol: float) -> None:
    """Compare what was found after one context."""
    assert found["num_context"] == expected["num_context"]
    near, far = found["neighbors"], expected["neighbors"]
    assert [n["id"] for n in near] == [n["id"] for n in far]
    for number in ("score", "cosine"):
        np.testing.assert_allclose(
            [n[number] for n in near], [n[number] for n in far], atol=atol
        )


class TestAnswers:
    def test_each_context_is_answered_as_if_it_were_asked_alone(
        self, client: TestClient, world: World, names: list[list[str]]
    ) -> None:
        content = ask_batch(
            client, json={"ids": names, "k": 7, "documents": ["doc7", "doc9"]}
        )

        assert content["bundle"] == world.version
        assert len(content["predictions"]) == 4
        for ids, found in zip(names, content["predictions"], strict=True):
            alone = ask(client, ids=ids, k=7, documents=["doc7", "doc9"])
            assert_same(found, alone, 3e-6)
            assert found.keys() == {"neighbors", "num_context"}
            assert found["neighbors"][0]["text"] == alone["neighbors"][0]["text"]

    def test_ids_numbers_and_octets_get_the_same_answers(
        self, client: TestClient, contexts: list[np.ndarray], names: list[list[str]]
    ) -> None:
        by_id = ask_batch(client, json={"ids": names, "k": 5})
        by_number = ask_batch(
            client, json={"contexts": [c.tolist() for c in contexts], "k": 5}
        )
        mixed: list[list[Any]] = [[{"id": i} for i in names[0]]]
        mixed += [[*({"id": i} for i in names[2][:5]), *contexts[2][5:].tolist()]]
        by_both = ask_batch(client, json={"contexts": mixed, "k": 5})
        by_octets = ask_batch(
            client,
            content=np.concatenate(contexts).tobytes(),
            params={"lengths": "100,1,37,12", "k": 5},
            headers=OCTETS,
        )

        for other in (by_number, by_octets):
            for found, expected in zip(
                other["predictions"], by_id["predictions"], strict=True
            ):
                assert_same(found, expected, 3e-6)
        assert_same(by_both["predictions"][0], by_id["predictions"][0], 3e-6)
        assert_same(by_both["predictions"][1], by_id["predictions"][2], 3e-6)

    @pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
    def test_contexts_of_one_length_are_one_array(
        self, client: TestClient, world: World, dtype: str
    ) -> None:
        array = np.array(world.corpus.vectors[:90]).reshape(3, 30, -1)

        content = ask_batch(
            client,
            content=array.astype(dtype).tobytes(),
            params={"shape": f"3,30,{array.shape[2]}", "dtype": dtype, "k": 4},
            headers=OCTETS,
        )

        for sent, found in zip(
            array.astype(dtype), content["predictions"], strict=True
        ):
            alone = ask(client, context=sent.astype(float).tolist(), k=4)
            assert_same(found, alone, 3e-6)

    def test_one_context_may_be_float16_as_well(
        self, client: TestClient, world: World
    ) -> None:
        half = np.array(world.corpus.vectors[:30], np.float16)

        answer = client.post(
            "/predict?dtype=float16&k=4", content=half.tobytes(), headers=OCTETS
        )

        assert_same(
            answer.json(), ask(client, context=half.astype(float).tolist(), k=4), 3e-6
        )

    def test_the_media_type_may_say_how_wide_numbers_are(
        self, client: TestClient, world: World
    ) -> None:
        half = world.corpus.vectors[:30].astype("<f2")
        kind = {"content-type": "application/octet-stream; dtype=float16"}

        told = client.post("/predict?k=4", content=half.tobytes(), headers=kind)
        twice = client.post(
            "/predict?k=4&dtype=float16", content=half.tobytes(), headers=kind
        )
        other = client.post(
            "/predict?k=4&dtype=float32", content=half.tobytes(), headers=kind
        )

        assert told.json()["num_context"] == 30
        assert told.json() == twice.json()
        assert_problem(other, "invalid-option", "dtype: expected one value, got 2")

    def test_vectors_are_returned_where_they_are_wanted(
        self, client: TestClient, names: list[list[str]]
    ) -> None:
        content = ask_batch(
            client, json={"ids": names, "return_vector": True, "return_texts": False}
        )

        for ids, found in zip(names, content["predictions"], strict=True):
            alone = ask(client, ids=ids, return_vector=True)
            np.testing.assert_allclose(found["vector"], alone["vector"], atol=1e-5)
            assert "text" not in found["neighbors"][0]

    def test_many_neighbors_are_written_whole(
        self, client: TestClient, names: list[list[str]]
    ) -> None:
        content = ask_batch(client, json={"ids": names, "k": 250})

        for ids, found in zip(names, content["predictions"], strict=True):
            assert_same(found, ask(client, ids=ids, k=250), 3e-6)

    def test_they_are_computed_together(
        self, settings: Settings, names: list[list[str]]
    ) -> None:
        with TestClient(create_app(settings)) as client:
            answer = client.post("/predict/batch", json={"ids": names})
            metrics = client.get("/metrics").text

        timing = answer.headers["server-timing"]
        stages = [part.partition(";")[0] for part in timing.split(", ")]
        assert stages == ["parse", "queue", "model", "search"]
        assert "nextvec_executions_total 1.0" in metrics
        assert "nextvec_inferences_total 4.0" in metrics
        assert 'nextvec_stage_seconds_count{stage="model"} 4.0' in metrics


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_of", "slug", "words"),
        [
            pytest.param(
                {"json": {"ids": [["doc1#0"], ["doc1#1", "no such"]]}},
                "unknown-id",
                "ids[1][1]: no vector is called 'no such'",
                id="unknown id",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], [[1.0] * 8, [1.0] * 7]]}},
                "invalid-context",
                "contexts[1][1]: expected 8 numbers, got 7",
                id="wrong D",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], [[1.0] * 7 + ["1"]]]}},
                "invalid-context",
                "contexts[1][0][7]: expected a number, got a string",
                id="no number",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], [[1e300] * 8]]}},
                "invalid-context",
                "contexts[1][0][0]: expected a number within float32",
                id="too large a number",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], [[0.0] * 8]]}},
                "invalid-context",
                "contexts[1]: row 0 is a zero vector",
                id="zero",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], []]}},
                "invalid-context",
                "contexts[1]: expected 1 to 100 vectors of context, got 0",
                id="empty context",
            ),
            pytest.param(
                {"json": {"contexts": [[[1.0] * 8], [{"id": "no such"}]]}},
                "unknown-id",
                "contexts[1][0]: no vector is called 'no such'",
                id="mixed",
            ),
            pytest.param(
                {"json": {"texts": [["red"], "blue"]}},
                "invalid-context",
                "texts[1]: expected a list of strings, got a string",
                id="texts",
            ),
            pytest.param(
                {"json": {"contexts": []}},
                "invalid-context",
                "expected 1 to 32 contexts, got 0",
                id="none",
            ),
            pytest.param(
                {"json": {"ids": [["doc1#0"]] * 33}},
                "invalid-context",
                "expected 1 to 32 contexts, got 33",
                id="too many",
            ),
            pytest.param(
                {"json": {"contexts": {"a": 1}}},
                "invalid-context",
                "contexts: expected a list of contexts, got an object",
                id="no list",
            ),
            pytest.param(
                {"json": {"context": [[1.0] * 8]}},
                "invalid-context",
                "expected one of contexts, ids and texts, got none of them",
                id="of one",
            ),
            pytest.param(
                {"json": {"ids": [["doc1#0"]], "context": [[1.0] * 8]}},
                "invalid-option",
                "'context' is unknown; expected any of contexts, ids, texts, k",
                id="beside",
            ),
            pytest.param(
                {"content": bytes(64), "headers": OCTETS},
                "invalid-option",
                "expected either shape (B,W,D) or lengths",
                id="no layout",
            ),
            pytest.param(
                {
                    "content": bytes(64),
                    "headers": OCTETS,
                    "params": {"shape": "1,2,8", "lengths": "2"},
                },
                "invalid-option",
                "as a query parameter, got both",
                id="two layouts",
            ),
            pytest.param(
                {
                    "content": bytes(64),
                    "headers": OCTETS,
                    "params": {"shape": "1,4,4"},
                },
                "invalid-option",
                "shape: expected B,W,8, got '1,4,4'",
                id="shape",
            ),
            pytest.param(
                {
                    "content": bytes(64),
                    "headers": OCTETS,
                    "params": {"lengths": "1,x"},
                },
                "invalid-option",
                "lengths: expected an integer of at most 9 digits, got 'x'",
                id="lengths",
            ),
            pytest.param(
                {
                    "content": bytes(64),
                    "headers": OCTETS,
                    "params": {"lengths": "1", "dtype": "bfloat16"},
                },
                "invalid-option",
                "dtype: expected float32, float16 or float64, got 'bfloat16'",
                id="dtype",
            ),
            pytest.param(
                {
                    "content": bytes(64),
                    "headers": OCTETS,
                    "params": {"lengths": "1", "width": "8"},
                },
                "invalid-option",
                "'width' is unknown; expected any of dtype, shape, lengths, k",
                id="unknown parameter",
            ),
            pytest.param(
                {
                    "content": np.ones(24, "<f4").tobytes(),
                    "headers": OCTETS,
                    "params": {"lengths": "1,1"},
                },
                "malformed-body",
                "expected 64 bytes (2 vectors in 2 contexts), got 96",
                id="other octets",
            ),
            pytest.param(
                {
                    "content": bytes(30),
                    "headers": OCTETS,
                    "params": {"lengths": "1,1", "dtype": "float16"},
                },
                "malformed-body",
                "expected a multiple of 16 bytes (8 float16), got 30",
                id="part of a vector",
            ),
            pytest.param(
                {
                    "content": np.arange(16, dtype="<f4").repeat(8).tobytes(),
                    "headers": OCTETS,
                    "params": {"lengths": "0,16"},
                },
                "invalid-context",
                "contexts[0]: expected 1 to 100 vectors of context, got 0",
                id="empty octets",
            ),
            pytest.param(
                {
                    "content": np.r_[np.ones(8), np.full(8, np.nan)]
                    .astype("<f2")
                    .tobytes(),
                    "headers": OCTETS,
                    "params": {"lengths": "1,1", "dtype": "float16"},
                },
                "invalid-context",
                "contexts[1]: row 0 holds NaN or infinity",
                id="nan",
            ),
            pytest.param(
                {
                    "content": b"",
                    "headers": OCTETS,
                    "params": {"shape": "999999999,1,8"},
                },
                "invalid-context",
                "expected 1 to 32 contexts, got 33",
                id="shape of too many",
            ),
            pytest.param(
                {"content": b'{"contexts": [[', "headers": JSON},
                "malformed-body",
                "expected JSON",
                id="json",
            ),
            pytest.param(
                {"json": {"ids": [["doc1#0"]]}, "params": {"lengths": "1"}},
                "invalid-option",
                "'lengths': the options of a JSON request belong in its body",
                id="parameter beside json",
            ),
        ],
    )
    def test_one_fault_refuses_all_and_says_where_it_is(
        self, client: TestClient, request_of: dict[str, Any], slug: str, words: str
    ) -> None:
        before = service_of(client).metrics.inferences._value.get()  # noqa: SLF001

        answer = client.post("/predict/batch", **request_of)

        assert_problem(answer, slug, words)
        assert service_of(client).metrics.inferences._value.get() == before  # noqa: SLF001

    def test_infinite_float16_of_one_context_is_refused(
        self, client: TestClient
    ) -> None:
        answer = client.post(
            "/predict?dtype=float16",
            content=np.full(8, np.inf, np.float16).tobytes(),
            headers=OCTETS,
        )

        assert_problem(answer, "invalid-context", "holds NaN or infinity")

    def test_layouts_of_several_are_unknown_for_one(self, client: TestClient) -> None:
        answer = client.post("/predict?lengths=1", content=bytes(32), headers=OCTETS)

        assert_problem(
            answer, "invalid-option", "'lengths' is unknown; expected any of dtype, k"
        )

    def test_never_more_than_may_wait(
        self, world: World, names: list[list[str]]
    ) -> None:
        settings = Settings(bundles=world.bundles, threads=1, max_queue=3)
        with TestClient(create_app(settings)) as client:
            assert client.get("/info").json()["limits"]["max_contexts"] == 3
            answer = client.post("/predict/batch", json={"ids": names})

        assert_problem(answer, "invalid-context", "expected 1 to 3 contexts, got 4")
