"""Ten minutes of requests that are not what was asked for.

Valid requests are spliced and flipped, heads lie about lengths and layouts, JSON is
nested, repeated and of every type, and beside all of it a canary asks a valid question.
Any 5xx but a 503 with ``Retry-After``, an answer that does not come within ten seconds,
or a canary that is not answered as ever is a finding.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import psutil

from benchmarks.faults.connection import Connection, Reply, request
from benchmarks.faults.traffic import Traffic
from benchmarks.faults.watch import Sample, table_of, watch
from benchmarks.speed.service import running

_ANSWER_S: Final = 10.0
_REST_S: Final = 0.5
# How long an answer is waited for where the service may rightly wait for the rest.
_FIRST_RUN_S: Final = 300.0
_SENDERS: Final = 4
_SAMPLE_EVERY_S: Final = 30.0
_PAUSE_S: Final = 0.25

_TARGETS: Final = (
    "/predict",
    "/predict/batch",
    "/sessions",
    "/step",
    "/sessions/nobody",
    "/metrics/hitk",
    "/admin/promote",
    "/info",
    "/nowhere",
    "//",
    "/predict/../info",
    "/%00",
)
_METHODS: Final = ("POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS")
_MEDIA: Final = (
    "application/octet-stream",
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
    "/",
)
_QUERIES: Final = (
    "",
    "?k=10",
    "?k=-1",
    "?k=99999999999999999999",
    "?k=1&k=2",
    "?shape=1,2,3",
    "?shape=9223372036854775807,9223372036854775807,4",
    "?shape=-1,100,256",
    "?lengths=100,0,5",
    "?lengths=" + ",".join(["1"] * 500),
    "?dtype=float64",
    "?dtype=float16",
    "?refresh=maybe",
    "?documents=" + "a" * 3000,
    "?%FF=%FE",
)
_NUMBERS: Final[tuple[object, ...]] = (
    *(0, -1, 1e308, -1e-320, 2**64, 10**40),
    *(True, None, "1", [], {}),
)


Mutation = Callable[[Traffic, np.random.Generator], bytes]
"""Makes one request."""


@dataclass(slots=True)
class FuzzFigures:
    """What happened."""

    seconds: float
    seed: int
    sent: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    """How often each status came."""

    closed: int = 0
    """Connections that were ended without an answer, as one may where the protocol
    itself is broken."""

    waited: int = 0
    """Requests after which the service waited for more, and the client left."""

    findings: list[str] = field(default_factory=list)
    """What must not happen, each with what was sent."""

    canary_ms: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    """Of the service."""


def main(arguments: list[str] | None = None) -> list[str]:
    """Run it, and return the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__, prog="faults fuzz")
    parser.add_argument("--bundles", type=Path, default=Path("artifacts/bundles"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args(arguments)
    figures = FuzzFigures(told.seconds, told.seed)
    with running(told.bundles) as (port, pid, _):
        asyncio.run(_fuzz(port, psutil.Process(pid), figures))
    return list(section(figures))


def section(figures: FuzzFigures) -> Iterator[str]:
    """Write the figures."""
    yield f"## Fuzz: {figures.seconds:.0f} s, seed {figures.seed}"
    yield ""
    answers = ", ".join(
        f"{status}: {n:,}" for status, n in sorted(figures.answers.items())
    )
    p50, p99, most = np.percentile(figures.canary_ms, (50, 99, 100))
    yield (
        f"{figures.sent:,} requests ({answers}; {figures.closed:,} connections ended "
        f"without an answer, {figures.waited:,} left by the client while the service "
        f"waited for more), **{len(figures.findings)} findings**. The canary beside "
        f"it, {len(figures.canary_ms):,} valid requests: p50 {p50:.1f} ms, p99 "
        f"{p99:.0f} ms, the slowest {most:.0f} ms."
    )
    yield ""
    for finding in figures.findings[:20]:
        yield f"- {finding}"
    if figures.findings:
        yield ""
    yield from table_of(figures.samples)


async def _fuzz(port: int, process: psutil.Process, figures: FuzzFigures) -> None:
    traffic = await Traffic.of(port, figures.seed)
    async with Connection(port, timeout_s=_FIRST_RUN_S) as connection:
        # the first validation run takes as long as it takes, and is no hang
        await connection.ask(request("GET", "/metrics/hitk"))
    until = time.perf_counter() + figures.seconds
    watching = asyncio.create_task(
        watch(process, figures.samples, every_s=_SAMPLE_EVERY_S)
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(_canary(port, traffic, figures, until))
        for sender in range(_SENDERS):
            rng = np.random.default_rng((figures.seed, sender))
            group.create_task(_send(port, traffic, rng, figures, until))
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def _send(
    port: int,
    traffic: Traffic,
    rng: np.random.Generator,
    figures: FuzzFigures,
    until: float,
) -> None:
    while time.perf_counter() < until:
        sent, is_whole = mutated(traffic, rng)
        figures.sent += 1
        try:
            reply = await _exchange(port, sent, _ANSWER_S if is_whole else _REST_S)
        except TimeoutError:
            if is_whole:
                figures.findings.append(f"no answer in {_ANSWER_S:g} s: {_shown(sent)}")
            figures.waited += not is_whole
            continue
        if reply is None:
            figures.closed += 1
            continue
        figures.answers[reply.status] += 1
        if _is_wrong(reply):
            figures.findings.append(f"{reply.status}: {_shown(sent)}")


async def _exchange(port: int, sent: bytes, wait_s: float) -> Reply | None:
    """Send bytes over a connection of their own; None where it ended without an answer.

    Raises:
        TimeoutError: neither came in time.
    """
    async with Connection(port, timeout_s=wait_s) as connection:
        try:
            return await connection.ask(sent)
        except ConnectionError:
            return None


async def _canary(
    port: int, traffic: Traffic, figures: FuzzFigures, until: float
) -> None:
    sent = traffic.octets()
    async with Connection(port, timeout_s=_ANSWER_S) as connection:
        expected = (await connection.ask(sent)).json()["neighbors"]
        while time.perf_counter() < until:
            started = time.perf_counter()
            reply = await connection.ask(sent)
            figures.canary_ms.append(1000 * (time.perf_counter() - started))
            if reply.status != HTTPStatus.OK or reply.json()["neighbors"] != expected:
                figures.findings.append(f"the canary got {reply.status}")
            await asyncio.sleep(_PAUSE_S)


def _is_wrong(reply: Reply) -> bool:
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "retry-after" not in reply.headers
    # texts where no encoder is installed
    is_known = reply.status == HTTPStatus.NOT_IMPLEMENTED
    return reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_known


def mutated(traffic: Traffic, rng: np.random.Generator) -> tuple[bytes, bool]:
    """Return the bytes of a request that is probably wrong, and whether it is whole.

    After one that is not, the service may wait for more.
    """
    broken: tuple[Mutation, ...] = (_flipped, _spliced, _lying)
    whole: tuple[Mutation, ...] = (_any_json, _raw_json, _any_request)
    number = int(rng.integers(len(broken) + len(whole)))
    mutation = (*broken, *whole)[number]
    return mutation(traffic, rng), mutation in whole


def _any_json(_: Traffic, rng: np.random.Generator) -> bytes:
    value = {name: _value(rng, 4) for name in _names(rng)}
    # not orjson, which writes no large numbers
    body = json.dumps(value).encode()
    return request("POST", _target(rng), body, media="application/json")


def _any_request(_: Traffic, rng: np.random.Generator) -> bytes:
    body = rng.bytes(int(rng.integers(0, 2000)))
    target = _target(rng) + str(rng.choice(_QUERIES))
    method, media = str(rng.choice(_METHODS)), str(rng.choice(_MEDIA))
    return request(method, target, body, media=media)


def _flipped(traffic: Traffic, rng: np.random.Generator) -> bytes:
    """Change some bytes, of the head more often than of the body."""
    sent = traffic.any()[1]
    changed = bytearray(sent)
    reach = len(sent) if rng.random() < 0.3 else sent.index(b"\r\n\r\n")
    for place in rng.integers(0, reach, size=int(rng.integers(1, 5))).tolist():
        changed[place] = int(rng.integers(256))
    return bytes(changed)


def _spliced(traffic: Traffic, rng: np.random.Generator) -> bytes:
    first, second = traffic.any()[1], traffic.any()[1]
    cut = int(rng.integers(1, len(first)))
    return first[:cut] + second[int(rng.integers(0, len(second))) :]


def _lying(traffic: Traffic, rng: np.random.Generator) -> bytes:
    """Say another length, or two, or another way to send it."""
    head, _, body = traffic.octets().partition(b"\r\n\r\n")
    lies = (
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 0x10",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: gzip\r\nContent-Length: %d" % len(body),
        b"Expect: 100-continue\r\nContent-Length: %d" % len(body),
        b"X: " + b"a" * int(rng.integers(1, 100_000)),
    )
    lines = [
        line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")
    ]
    lines.append(lies[int(rng.integers(len(lies)))])
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _target(rng: np.random.Generator) -> str:
    return str(rng.choice(_TARGETS))


def _names(rng: np.random.Generator) -> list[str]:
    known = (
        "context",
        "contexts",
        "ids",
        "texts",
        "k",
        "documents",
        "state",
        "append",
        "?",
    )
    return [str(name) for name in rng.choice(known, size=int(rng.integers(1, 4)))]


def _value(rng: np.random.Generator, depth: int) -> object:
    """Return any JSON value."""
    kind = int(rng.integers(5)) if depth else 0
    if kind == 1:
        return [_value(rng, depth - 1) for _ in range(int(rng.integers(0, 6)))]
    if kind == 2:
        return {f"{n}": _value(rng, depth - 1) for n in range(int(rng.integers(0, 4)))}
    if kind == 3:
        return "x" * int(rng.integers(0, 300))
    if kind == 4:
        return rng.standard_normal(int(rng.integers(1, 300))).tolist()
    return _NUMBERS[int(rng.integers(len(_NUMBERS)))]


def _raw_json(_: Traffic, rng: np.random.Generator) -> bytes:
    """Return JSON that no encoder would write."""
    number = int(rng.integers(1, 200_000))
    bodies = (
        b'{"context":' + b"[" * number,
        b'{"context":[' + b"[]," * number + b"[]]}",
        b'{"context":[' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"]}",
        b'{"ids":["' + b"a" * number + b'"]}',
        b'{"k":1,"k":2,"context":[[1]]}',
        b'{"k":' + b"9" * min(number, 50_000) + b"}",
        b'{"context":[[NaN,Infinity,-Infinity]]}',
        b'{"context":[["\\ud800"]]}',
        b"\xff\xfe{" + b" " * number,
        orjson.dumps({f"key{n}": n for n in range(min(number, 50_000))}),
        b"",
        b"null",
    )
    body = bodies[int(rng.integers(len(bodies)))]
    return request("POST", _target(rng), body, media="application/json")


def _shown(sent: bytes) -> str:
    return repr(sent[:160])
