"""`POST /predict`, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from nextvec.app.inference.engine import Query, answer
from nextvec.app.inference.neighbors import CONTEXT_COSINE
from tests.app.asking import JSON, OCTETS, ask, assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

    from nextvec.app.inference.engine import Engine
    from tests.app.conftest import World


class TestPredict:
    def test_ids_numbers_and_octets_get_the_same_answer(
        self, client: TestClient, world: World, context: list[str]
    ) -> None:
        rows = np.array(world.corpus.vectors[130:230])

        by_id = ask(client, ids=context, k=7)
        by_number = ask(client, context=(3 * rows).tolist(), k=7)
        by_octets = client.post(
            "/predict?k=7", content=rows.tobytes(), headers=OCTETS
        ).json()

        names = [neighbor["id"] for neighbor in by_id["neighbors"]]
        assert len(names) == 7
        assert not set(names) & set(context)
        for other in (by_number, by_octets):
            assert [neighbor["id"] for neighbor in other["neighbors"]] == names
            np.testing.assert_allclose(
                [n["score"] for n in other["neighbors"]],
                [n["score"] for n in by_id["neighbors"]],
                atol=3e-6,
            )

    def test_it_finds_what_brute_force_finds(
        self, client: TestClient, engine: Engine, world: World, context: list[str]
    ) -> None:
        vectors = engine.bundle.index.vectors
        prediction = engine.predict([vectors[130:230]]).vectors[0].numpy()
        bundle = engine.bundle
        cosines = np.einsum("nd,d->n", vectors, prediction)
        scores = cosines - bundle.beta * bundle.index.hubness
        known = (vectors @ vectors[130:230].T).max(axis=1) >= CONTEXT_COSINE
        scores[known] = -np.inf
        best = np.lexsort((np.arange(len(scores)), -scores))[:20]

        found = ask(client, ids=context, k=20)["neighbors"]

        assert [n["id"] for n in found] == [
            world.corpus.ids[row] for row in best.tolist()
        ]
        for name, expected in (("score", scores), ("cosine", cosines)):
            shown = [neighbor[name] for neighbor in found]
            np.testing.assert_allclose(shown, expected[best], atol=1e-5)

    def test_a_neighbor_says_what_and_where_it_is(
        self, client: TestClient, world: World, context: list[str]
    ) -> None:
        content = ask(client, ids=context, k=1)

        found = content["neighbors"][0]
        document, _, position = found["id"].partition("#")
        assert (found["document"], found["position"]) == (document, int(position))
        assert found["text"] == f"text of {found['id']}"
        assert -1 <= found["score"] <= 1
        assert content["num_context"] == 100
        assert content["bundle"] == world.version
        assert "vector" not in content

    def test_texts_can_be_left_out(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, return_texts=False)["neighbors"]

        assert all("text" not in neighbor for neighbor in found)

    def test_the_vector_is_in_the_space_of_the_caller(
        self, client: TestClient, engine: Engine, context: list[str]
    ) -> None:
        vector = ask(client, ids=context, return_vector=True)["vector"]

        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        predicted = engine.predict([engine.bundle.index.vectors[130:230]])
        transform = engine.bundle.checkpoint.transform
        expected = transform.invert(predicted.vectors.numpy())[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)

    @pytest.mark.parametrize("length", [1, 2, 9, 10, 11, 37, 99, 100])
    def test_shorter_contexts_are_answered_as_if_alone(
        self, client: TestClient, engine: Engine, world: World, length: int
    ) -> None:
        rows = np.arange(260, 260 + length)

        vector = ask(
            client,
            ids=[world.corpus.ids[row] for row in rows.tolist()],
            return_vector=True,
        )["vector"]

        others = [np.arange(100), rows]
        together = answer([Query(engine=engine, rows=r, k=1) for r in others])[1]
        assert together.num_context == length
        model = engine.bundle.checkpoint.model
        with torch.inference_mode():
            alone = model(torch.tensor(engine.bundle.index.vectors[rows])[None])[0, -1]
        expected = engine.bundle.checkpoint.transform.invert(alone.numpy()[None])[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)

    def test_the_context_can_be_included(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, exclude_context=False, k=50)["neighbors"]

        assert {neighbor["id"] for neighbor in found} & set(context)

    def test_one_document_still_gives_k_results(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, documents=["doc7"], k=100)["neighbors"]

        assert {neighbor["document"] for neighbor in found} == {"doc7"}
        assert len(found) == 100

    def test_fewer_results_only_where_there_are_fewer_candidates(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, documents=["doc1"], k=100)["neighbors"]

        assert len(found) == 30  # of 130, the context's own 100 are left out

    def test_documents_can_be_excluded(
        self, client: TestClient, context: list[str]
    ) -> None:
        near = ask(client, ids=context, k=5)["neighbors"][0]["document"]

        found = ask(client, ids=context, exclude_documents=[near], k=50)["neighbors"]

        assert near not in {neighbor["document"] for neighbor in found}
        assert len(found) == 50

    def test_timings_are_in_a_header(
        self, client: TestClient, context: list[str]
    ) -> None:
        timing = client.post("/predict", json={"ids": context}).headers["server-timing"]

        names = [part.partition(";")[0] for part in timing.split(", ")]
        assert names == ["parse", "queue", "model", "search"]

    @pytest.mark.parametrize(
        ("request_of", "slug", "words"),
        [
            pytest.param(
                {"content": b"{", "headers": JSON}, "malformed-body", "JSON", id="json"
            ),
            pytest.param(
                {"content": b"", "headers": JSON}, "malformed-body", "JSON", id="empty"
            ),
            pytest.param(
                {"content": bytes(31), "headers": OCTETS},
                "malformed-body",
                "multiple of 32 bytes",
                id="truncated",
            ),
            pytest.param(
                {"content": bytes(32), "headers": OCTETS},
                "invalid-context",
                "zero vector",
                id="zero",
            ),
            pytest.param(
                {"content": bytes(32 * 101), "headers": OCTETS},
                "invalid-context",
                "1 to 100 vectors of context, got 101",
                id="too long",
            ),
            pytest.param(
                {"json": {"context": [[1.0, 2.0]]}},
                "invalid-context",
                "expected 8 numbers, got 2",
                id="wrong D",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0", "no such"]}},
                "unknown-id",
                "ids[1]: no vector is called 'no such'",
                id="unknown id",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "documents": ["no such"]}},
                "unknown-document",
                "documents: no document is called 'no such'",
                id="unknown document",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "exclude_documents": ["no such"]}},
                "unknown-document",
                "exclude_documents",
                id="unknown excluded document",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "k": 1001}},
                "invalid-option",
                "k: expected 1 to 1000, got 1001",
                id="k",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"]}, "params": {"k": 3}},
                "invalid-option",
                "'k': the options of a JSON request belong in its body",
                id="parameter beside json",
            ),
            pytest.param(
                {"content": b"<a/>", "headers": {"content-type": "text/xml"}},
                "unsupported-media-type",
                "expected application/json or application/octet-stream, got text/xml",
                id="content type",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"]}, "headers": {"content-encoding": "gzip"}},
                "unsupported-media-type",
                "Content-Encoding: expected identity, got 'gzip'",
                id="compressed",
            ),
            pytest.param(
                {
                    "content": b'{"ids": ["doc1#0"]}',
                    "headers": {"content-type": "application/json; charset=latin-1"},
                },
                "unsupported-media-type",
                "Content-Type: expected charset utf-8, got 'latin-1'",
                id="charset",
            ),
            pytest.param(
                {"content": b"{}"},
                "unsupported-media-type",
                "got no content type",
                id="no content type",
            ),
            pytest.param(
                {"content": bytes((8 << 20) + 1), "headers": OCTETS},
                "body-too-large",
                "8388609 bytes announced",
                id="too large",
            ),
        ],
    )
    def test_bad_input_gets_a_problem_that_says_why(
        self, client: TestClient, request_of: dict[str, Any], slug: str, words: str
    ) -> None:
        assert_problem(client.post("/predict", **request_of), slug, words)

    @pytest.mark.parametrize(
        "headers",
        [
            {"content-type": "application/json; charset=UTF-8"},
            {"content-type": 'Application/JSON;a=b;charset="utf-8"'},
            JSON | {"content-encoding": "identity"},
        ],
    )
    def test_what_changes_nothing_may_be_said(
        self, client: TestClient, headers: dict[str, str]
    ) -> None:
        answer = client.post(
            "/predict", content=b'{"ids": ["doc1#0"]}', headers=headers
        )

        assert answer.status_code == 200

    def test_a_compressed_body_is_told_what_is_accepted(
        self, client: TestClient
    ) -> None:
        answer = client.post("/predict", headers={"content-encoding": "br"})

        assert answer.headers["accept-encoding"] == "identity"

    def test_a_body_is_counted_while_it_arrives(self, client: TestClient) -> None:
        def endless() -> Iterator[bytes]:
            for _ in range(9 * 16):
                yield bytes(1 << 16)

        answer = client.post("/predict", content=endless(), headers=OCTETS)

        assert_problem(answer, "body-too-large", "more than 8388608 arrived")
