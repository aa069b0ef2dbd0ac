"""The service as another front would use it: no HTTP anywhere."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from nextvec.app.errors import DeadlineExceededError, NotReadyError, OverloadedError
from nextvec.app.inference.engine import Answer, Engine, Query, answer
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.building import build_bundle
from nextvec.app.service import Live, Service
from nextvec.app.settings import Settings
from nextvec.app.steps import finish
from nextvec.app.wire.answers import encode
from nextvec.app.wire.options import Limits
from nextvec.app.wire.queries import to_queries
from nextvec.app.wire.requests import PredictRequest, decode_json
from nextvec.training.corpus.store import save_corpus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from nextvec.training.corpus.corpus import Corpus
    from tests.app.conftest import Bundles, World

BODY = b'{"ids": ["doc1#0", "doc1#1", "doc1#2"], "k": 3}'


@pytest.fixture(scope="module")
def other(
    make_corpus: Callable[..., Corpus],
    new_run: Callable[[Corpus, Path, Path | None], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Engine:
    """A bundle in which the same ids are other rows."""
    folder = tmp_path_factory.mktemp("other")
    corpus = save_corpus(make_corpus([140] * 25, seed=4), folder / "corpus")
    new_run(corpus, folder / "run", folder / "corpus")
    version = build_bundle(folder / "run", folder / "bundles").manifest.version
    return open_engine(folder / "bundles" / version)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Service]:
    service = Service(settings)
    await service.start()
    try:
        yield service
    finally:
        service.stop()


@asynccontextmanager
async def busy(service: Service) -> AsyncIterator[None]:
    """Keep the inference thread from its queue while the block runs."""
    leave = threading.Event()
    held = asyncio.ensure_future(service.batcher.call(lambda: leave.wait(10)))
    try:
        yield
    finally:
        leave.set()
        await held


def asked(live: Live) -> PredictRequest:
    return finish(decode_json(BODY, live.limits))


def queries_of(question: PredictRequest, engine: Engine) -> list[Query]:
    return finish(to_queries(question, engine))


def content_of(found: Answer, question: PredictRequest) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(finish(encode(found, question.options)))
    return content


def test_a_question_needs_no_http(settings: Settings) -> None:
    async def ask() -> dict[str, Any]:
        async with running(settings) as service:
            live = service.live
            question = asked(live)
            ((found, _),) = await service.predict(queries_of(question, live.engine))
            return content_of(found, question)

    content = asyncio.run(ask())

    assert content["num_context"] == 3
    assert len(content["neighbors"]) == 3


def test_an_answer_comes_from_the_bundle_its_ids_were_resolved_in(
    shelf: Bundles, engine: Engine
) -> None:
    settings, (first, second, _) = (
        Settings(bundles=shelf.folder, threads=1),
        shelf.names,
    )

    async def ask_while_bundles_change() -> tuple[dict[str, Any], dict[str, Any]]:
        async with running(settings) as service:
            await service.bundles.promote(second)
            await service.bundles.rollback()
            live = service.live
            question = asked(live)
            async with busy(service):
                waiting = asyncio.ensure_future(
                    service.predict(queries_of(question, live.engine))
                )
                await asyncio.sleep(0)
                # it is in memory: the inference thread is not needed
                assert (await service.bundles.promote(second)).was_warm
            ((found, _),) = await waiting
            now = service.live
            ((after, _),) = await service.predict(queries_of(question, now.engine))
            return content_of(found, question), content_of(after, question)

    content, after = asyncio.run(ask_while_bundles_change())

    limits = Limits(dim=8, max_context=100, max_k=9, default_k=9)
    question = finish(decode_json(BODY, limits))
    expected = answer(queries_of(question, engine))[0]
    assert content == content_of(expected, question)
    assert (content["bundle"], after["bundle"]) == (first, second)
    assert content["neighbors"] != after["neighbors"]


def test_a_batch_may_hold_queries_of_two_bundles(
    engine: Engine, other: Engine, world: World
) -> None:
    rows = world.corpus.sequence(1)[:40]
    queries = [Query(engine=e, rows=rows, k=4) for e in (engine, other, engine)]

    together = answer(queries)

    for query, found in zip(queries, together, strict=True):
        assert found.bundle is query.engine.bundle
        alone = answer([query])[0]
        assert found.found.rows.tolist() == alone.found.rows.tolist()
    assert together[0].found.rows.tolist() != together[1].found.rows.tolist()


def test_an_engine_refuses_the_rows_of_another(engine: Engine, other: Engine) -> None:
    query = Query(engine=other, rows=other.bundle.suite.windows.context_rows[0], k=1)

    with pytest.raises(ValueError, match="a query of another bundle"):
        engine.run([query])


def test_what_goes_wrong_is_an_error_of_the_domain(world: World) -> None:
    settings = Settings(
        bundles=world.bundles, threads=1, max_queue=1, request_timeout_s=0.1
    )

    async def overload() -> None:
        service = Service(settings)
        with pytest.raises(NotReadyError, match="the service is starting"):
            _ = service.live
        async with running(settings) as service:
            query = queries_of(asked(service.live), service.live.engine)
            async with busy(service):
                first = asyncio.ensure_future(service.predict(query))
                await asyncio.sleep(0)
                with pytest.raises(OverloadedError, match="1 requests are waiting"):
                    await service.predict(query)
                with pytest.raises(DeadlineExceededError, match=r"in 0\.1 s"):
                    await first
        with pytest.raises(NotReadyError, match="not running"):
            await service.predict(query)
        with pytest.raises(NotReadyError, match="shutting down"):
            _ = service.live

    asyncio.run(overload())
