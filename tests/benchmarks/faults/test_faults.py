"""What the benchmark of faults sends, and how it reads what comes back."""

import asyncio
from collections import Counter

import numpy as np
import psutil
import pytest

from benchmarks.faults.connection import Connection, as_json, request
from benchmarks.faults.fuzz import FuzzFigures, mutated
from benchmarks.faults.fuzz import section as fuzz_section
from benchmarks.faults.soak import SoakFigures
from benchmarks.faults.soak import section as soak_section
from benchmarks.faults.steadiness import described, steadiness
from benchmarks.faults.traffic import Traffic
from benchmarks.faults.watch import Sample, table_of, watch

_NUM_MUTATIONS = 400
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


def _traffic(seed: int = 0) -> Traffic:
    return Traffic(8, ["a:0", "a:1", "b:0"], seed)


def test_requests_say_the_length_of_their_body() -> None:
    sent = as_json("/predict", {"ids": ["a:0"]})

    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /predict HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"Content-Length" not in request("GET", "/livez")


def test_traffic_is_of_every_kind() -> None:
    traffic = _traffic()

    kinds = Counter(traffic.any()[0] for _ in range(300))

    assert kinds.keys() == {"octets", "ids", "JSON", "batch", "session", "health"}
    assert kinds["octets"] > kinds["batch"]


def test_the_same_seed_sends_the_same() -> None:
    sent = [
        [mutated(traffic, rng) for _ in range(_NUM_MUTATIONS)]
        for traffic, rng in (
            (_traffic(), np.random.default_rng(7)),
            (_traffic(), np.random.default_rng(7)),
        )
    ]

    assert sent[0] == sent[1]
    assert {is_whole for _, is_whole in sent[0]} == {True, False}
    assert len(set(sent[0])) > _NUM_MUTATIONS / 2


def test_whole_requests_are_as_long_as_they_say() -> None:
    rng, traffic = np.random.default_rng(3), _traffic()

    for sent, is_whole in (mutated(traffic, rng) for _ in range(_NUM_MUTATIONS)):
        head, _, body = sent.partition(b"\r\n\r\n")
        said = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        assert not is_whole or int(said or 0) == len(body)


@pytest.mark.parametrize(
    ("answer", "sent", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"GET ", b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"HEAD ", b""),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" + _CHUNKED,
            b"GET ",
            b"hi",
        ),
    ],
)
def test_answers_are_read_whole(answer: bytes, sent: bytes, body: bytes) -> None:
    async def ask() -> None:
        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
            await reader.read()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Connection(server.sockets[0].getsockname()[1]) as connection:
            for _ in range(2):
                reply = await connection.ask(sent + b"/ HTTP/1.1\r\n\r\n")
                assert (reply.status, reply.body) == (200, body)

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX-API-Key: mine\r\n\r\n"),
        (b"nothing that has a line", b"nothing that has a line"),
        (b"", b""),
    ],
)
def test_a_key_follows_the_first_line_where_there_is_one(
    sent: bytes, came: bytes
) -> None:
    read = bytearray()

    async def ask() -> None:
        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            if came:
                read.extend(await reader.readexactly(len(came)))
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Connection(port, key="mine") as connection:
            assert (await connection.ask(sent)).status == 400

    asyncio.run(ask())

    assert bytes(read) == came


def test_a_connection_without_an_answer_is_an_error() -> None:
    async def ask() -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Connection(server.sockets[0].getsockname()[1]) as connection:
            await connection.ask(request("GET", "/"))

    with pytest.raises(ConnectionError):
        asyncio.run(ask())


def test_a_process_is_watched_until_nobody_looks() -> None:
    samples = list[Sample]()

    async def look() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await watch(psutil.Process(), samples, every_s=60)

    asyncio.run(look())

    assert len(samples) == 1
    assert samples[0].resident_mib > 1
    assert len(list(table_of(samples))) == 3


def test_reports_name_what_went_wrong() -> None:
    soak = SoakFigures(latencies_ms=[1.0, 9.0], failed=Counter({"ids 500": 2}))
    fuzz = FuzzFigures(1.0, 0, canary_ms=[2.0], findings=["500: b'POST'"])

    assert "Without success: ids 500 2." in "\n".join(soak_section(soak))
    assert "- 500: b'POST'" in "\n".join(fuzz_section(fuzz))


def test_a_stall_counts_by_how_long_it_is() -> None:
    even, stalled = [0.001] * 99, [0.001] * 99 + [0.099]

    assert "0 % of the time it is slow" in described(even)
    assert "99 times that at most; 50 % of the time it is slow" in described(stalled)


def test_the_machine_is_described_however_short_it_is_watched() -> None:
    assert "ms in the median" in steadiness(0.0)
