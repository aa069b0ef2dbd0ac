"""What a client may send and take, and what it is told past that."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from nextvec.app.server.limits import SPARE
from tests.app.server.conftest import echo, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.app.server.conftest import Receive, Running, Send

    Serve = Callable[..., Running]

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def assert_refused(answer: bytes, status: int, words: str) -> dict[str, Any]:
    found, headers, body = parts(answer)
    problem: dict[str, Any] = orjson.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert found == problem["status"] == status
    assert problem["request_id"] == headers["x-request-id"]
    assert words in problem["detail"]
    return problem


def test_a_request_is_answered_and_nothing_tells_what_serves(serve: Serve) -> None:
    status, headers, body = parts(serve().ask(LAST))

    assert (status, body) == (200, b"GET /last b'q' 0")
    assert "server" not in headers
    assert headers["date"]
    assert headers["content-length"] == str(len(body))


def test_requests_sent_at_once_are_answered_in_their_order(serve: Serve) -> None:
    slow = b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"

    answer = serve().ask(slow + GET + LAST)

    places = [answer.find(w) for w in (b"POST /slow b'' 3", b"GET /x", b"GET /last")]
    assert min(places) >= 0
    assert places == sorted(places)


def test_more_requests_at_once_than_may_wait_end_the_connection(serve: Serve) -> None:
    answer = serve().ask(GET * 100)

    assert 1 <= answer.count(b"200 OK") < 20


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"Content-Length: 300000\r\n\r\n", bytes(300000)], id="length"),
        pytest.param(
            [
                b"Transfer-Encoding: chunked\r\n\r\n",
                b"493e0\r\n" + bytes(300000),
                b"\r\n0\r\n\r\n",
            ],
            id="chunks",
        ),
    ],
)
def test_a_body_arrives_whole(serve: Serve, pieces: list[bytes]) -> None:
    start = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

    _, _, body = parts(serve().ask(start, *pieces))

    assert body == b"POST /x b'' 300000"


def test_who_asks_whether_to_go_on_is_told_so(serve: Serve) -> None:
    head = (
        b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n"
    )

    with serve().connect() as client:
        client.sendall(head + b"Connection: close\r\n\r\n")
        first = client.recv(1 << 16)
        client.sendall(b"abc")
        rest = read(client)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parts(rest)[2] == b"POST /x b'' 3"


def test_of_the_first_http_nothing_can_be_expected(serve: Serve) -> None:
    head = b"POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"

    assert parts(serve().ask(head, b"abc"))[2] == b"POST /x b'' 3"


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "byte by byte"])
def test_another_protocol_is_offered_in_vain(serve: Serve, in_pieces: bool) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    host, length = b" HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 3\r\n\r\nabc"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    sent = (
        GET
        + (b"POST /one" + host + offer + length)
        + (b"POST /two" + host + offer + chunks)
        + (b"GET /three" + host + offer + b"\r\n")
        + LAST
    )
    with serve().connect() as client:
        for at in range(len(sent)) if in_pieces else ():
            client.sendall(sent[at : at + 1])
        if not in_pieces:
            client.sendall(sent)
        answer = read(client)

    told = (b"/x b'' 0", b"/one b'' 3", b"/two b'' 2", b"/three b'' 0", b"/last b'q' 0")
    places = [answer.find(words) for words in told]
    assert min(places) >= 0
    assert places == sorted(places)


def test_a_trailer_is_no_header(serve: Serve) -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])
        await echo(scope, receive, send)

    start = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    end = b"3\r\nabc\r\n0\r\nX-API-Key: of another\r\nExpect: 100-continue\r\n\r\n"

    answer = serve(app).ask(start + end + LAST)

    assert b"POST /x b'' 3" in answer
    assert seen[0] == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        pytest.param(
            b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
            b"",
            id="head",
        ),
        pytest.param(
            b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            204,
            b"",
            id="204",
        ),
        pytest.param(
            b"GET http://a/x%20y?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
            b"GET /x y b'q' 0",
            id="absolute form",
        ),
        pytest.param(b"GET /x HTTP/1.0\r\n\r\n", 200, b"GET /x b'' 0", id="1.0"),
        pytest.param(
            b"GET /parts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
            b"4\r\none \r\n10\r\nGET /parts b'' 0\r\n0\r\n\r\n",
            id="parts",
        ),
        pytest.param(
            b"GET /parts HTTP/1.0\r\n\r\n", 200, b"one GET /parts b'' 0", id="parts 1.0"
        ),
        pytest.param(
            b"GET /x HTTP/1.1\r\nHost: a\r\n"
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nmore",
            200,
            b"GET /x b'' 0",
            id="upgrade is not taken",
        ),
        pytest.param(
            b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            200,
            b"CONNECT / b'' 0",
            id="a tunnel is not dug",
        ),
        pytest.param(LAST + GET, 200, b"GET /last b'q' 0", id="after the last"),
        pytest.param(
            GET + b"nonsense\r\n\r\n", 200, b"GET /x b'' 0", id="nonsense after it"
        ),
    ],
)
def test_forms_of_http(serve: Serve, request_: bytes, status: int, body: bytes) -> None:
    found, _, content = parts(serve().ask(request_))

    assert (found, content) == (status, body)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        pytest.param(b"\x16\x03\x01 nonsense\r\n\r\n", "method", id="no HTTP"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding",
            id="two framings",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Length: 3\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding",
            id="two framings, the other way round",
        ),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "one Host, got 0", id="no host"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "one Host, got 2",
            id="two hosts",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "Content-Length",
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            "Transfer-Encoding",
            id="another coding",
        ),
    ],
)
def test_what_is_no_http_is_a_problem(
    serve: Serve, request_: bytes, words: str
) -> None:
    running = serve()

    assert_refused(running.ask(request_), 400, words)

    assert running.refused == {"protocol": 1}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"GET /" + b"x" * 5000], id="target"),
        pytest.param(
            [b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 5000 + b"\r\n"], id="header"
        ),
        pytest.param(
            [b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 1000], id="many"
        ),
        pytest.param([b"GET / HTTP/1.1\r\nHost: a\r\n", *[b"x" * 1500] * 4], id="name"),
    ],
)
def test_a_long_head_is_refused_before_it_ends(
    serve: Serve, pieces: list[bytes]
) -> None:
    running = serve()

    assert_refused(running.ask(*pieces), 431, "4096 bytes")

    assert running.refused == {"head": 1}


def test_a_head_in_pieces_counts_once(serve: Serve) -> None:
    piece = b"a: " + b"x" * 1000 + b"\r\n"

    answer = serve().ask(
        b"GET / HTTP/1.1\r\nHost: a\r\n", piece, piece, piece, b"\r\n" + LAST
    )

    assert answer.count(b"200 OK") == 2


def test_a_head_that_does_not_end_is_told_so(serve: Serve) -> None:
    running = serve(head_timeout_s=0.1)

    assert_refused(
        running.ask(b"GET / HTTP/1.1\r\nHost: a\r\nA: "), 408, "within 0.1 s"
    )

    assert running.refused == {"head": 1}


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_who_asks_nothing_is_left(serve: Serve, sent: bytes) -> None:
    assert serve(head_timeout_s=0.1).ask(sent) == b""


def test_a_body_that_does_not_end_is_told_so(serve: Serve) -> None:
    running = serve(body_timeout_s=0.1)

    answer = running.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc")

    assert_refused(answer, 408, "a body within 0.1 s")
    assert running.refused == {"body": 1}


def test_a_connection_on_which_nothing_happens_ends(serve: Serve) -> None:
    answer = serve(keep_alive_s=0.1).ask(GET)

    assert parts(answer)[2] == b"GET /x b'' 0"


def test_a_slow_answer_is_waited_for(serve: Serve) -> None:
    running = serve(keep_alive_s=0.01, head_timeout_s=0.1, body_timeout_s=0.1)

    answer = running.ask(LAST.replace(b"/last", b"/slow"))

    assert parts(answer)[0] == 200


def test_an_answer_before_the_end_of_its_request_ends_the_connection(
    serve: Serve,
) -> None:
    with serve().connect() as client:
        client.sendall(
            b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 600000000\r\n\r\nabc"
        )
        status, headers, _ = parts(read(client))
        # far less than was announced: the end comes after a mebibyte
        with pytest.raises(OSError, match=r"reset|pipe"):
            client.sendall(bytes(100 << 20))

    assert (status, headers["connection"]) == (200, "close")


def test_who_does_not_read_is_left(serve: Serve) -> None:
    running = serve(body_timeout_s=0.1)

    with running.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        running.until(lambda: running.refused["reading"] == 1)
        running.until(lambda: not running.server.server_state.connections)


def test_who_reads_slowly_gets_all(serve: Serve) -> None:
    running = serve(body_timeout_s=1.5)

    with running.connect() as client:
        client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        length = 0
        while piece := client.recv(1 << 20):
            length += len(piece)
            time.sleep(0.005)

    assert length > 200 << 16
    assert not running.refused


def test_one_more_connection_takes_the_place_of_an_idle_one(serve: Serve) -> None:
    running = serve(max_connections=5)
    idle = [running.connect() for _ in range(5)]
    running.until(lambda: len(running.server.server_state.connections) == 5)

    answers = [running.ask(LAST) for _ in range(3)]

    assert [parts(answer)[0] for answer in answers] == [200] * 3
    assert 1 <= running.refused["evicted"] <= 3
    assert read(idle[0]) == b""
    for client in idle:
        client.close()


def test_one_more_where_none_is_idle_is_told_to_wait(serve: Serve) -> None:
    running = serve(max_connections=2)
    busy = [running.connect() for _ in range(2)]
    for client in busy:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    running.until(lambda: len(running.server.server_state.tasks) == 2)

    # one answer, whatever comes with it
    answer = running.ask(GET + GET)

    assert_refused(answer, 503, "at most 2 connections")
    assert running.refused["connections"] == 1
    assert parts(answer)[1]["retry-after"] == "7"
    for client in busy:
        client.close()
    running.until(lambda: not running.server.server_state.tasks)
    assert parts(running.ask(LAST))[0] == 200


def test_a_probe_is_answered_however_many_there_are(serve: Serve) -> None:
    running = serve(max_connections=2)
    probe = b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"
    busy = [running.connect() for _ in range(2)]
    for client in busy:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    running.until(lambda: len(running.server.server_state.tasks) == 2)
    # who says nothing gives way
    silent = [running.connect() for _ in range(SPARE + 5)]
    running.until(lambda: running.refused["evicted"] == 5)

    told, refused, again = running.ask(probe), running.ask(GET), running.ask(probe)

    for answer in (told, again):
        status, headers, body = parts(answer)
        assert (status, body) == (200, b"GET /probe b'' 0")
        assert headers["connection"] == "close"
    assert_refused(refused, 503, "at most 2 connections")
    for client in (*busy, *silent):
        client.close()


def test_more_probes_than_there_are_places_for_are_told_at_once(serve: Serve) -> None:
    running = serve(max_connections=1)
    # whose bodies never come
    probe = b"POST /probe HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    busy: list[socket.socket] = []
    for _ in range(1 + SPARE):
        busy.append(running.connect())
        busy[-1].sendall(probe)
        running.until(lambda: len(running.server.server_state.tasks) == len(busy))

    with running.connect() as client:
        assert_refused(read(client), 503, "at most 1 connections")

    for client in busy:
        client.close()


def test_an_app_that_fails_is_a_problem(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    running = serve()

    assert_refused(
        running.ask(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"), 500, "RuntimeError"
    )

    assert "the app failed" in caplog.text


def test_half_an_answer_does_not_look_whole(serve: Serve) -> None:
    answer = serve().ask(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")

    assert not answer.endswith(b"0\r\n\r\n")


def test_an_app_that_forgets_to_answer_is_a_problem(serve: Serve) -> None:
    async def forgets(_: object, __: object, ___: object) -> None:
        pass

    assert_refused(serve(forgets).ask(LAST), 500, "no answer")


def test_a_header_cannot_end_its_line(serve: Serve) -> None:
    async def splits(_: object, __: object, send: Send) -> None:
        headers = [(b"a", b"b\r\nset-cookie: c")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    assert_refused(serve(splits).ask(LAST), 500, "ValueError")


async def says_nothing_first(_: object, __: object, send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


async def says_more_than_all(_: object, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"all"})
    await send({"type": "http.response.body", "body": b"more"})
    assert (await receive())["type"] == "http.disconnect"


def test_a_body_without_a_start_is_a_problem(serve: Serve) -> None:
    assert_refused(serve(says_nothing_first).ask(LAST), 500, "RuntimeError")


def test_nothing_follows_an_answer(serve: Serve) -> None:
    assert parts(serve(says_more_than_all).ask(LAST))[2] == b"all"


def test_a_client_that_leaves_is_told_to_the_app(serve: Serve) -> None:
    running = serve()

    with running.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        running.until(lambda: len(running.server.server_state.tasks) == 1)

    running.until(lambda: not running.server.server_state.tasks)
    assert not running.refused


def test_a_request_begun_behind_another_has_its_own_time(serve: Serve) -> None:
    running = serve(head_timeout_s=0.2)

    answer = running.ask(GET + b"GET /never HTTP/1.1\r\n")

    first, _, second = answer.partition(b"GET /x b'' 0")
    assert parts(first)[0] == 200
    assert_refused(second, 408, "within 0.2 s")


def test_a_body_behind_another_request_has_its_own_time(serve: Serve) -> None:
    running = serve(body_timeout_s=0.2)
    head = b"POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"

    answer = running.ask(GET + head)

    first, _, second = answer.partition(b"GET /x b'' 0")
    assert parts(first)[0] == 200
    assert_refused(second, 408, "within 0.2 s")
