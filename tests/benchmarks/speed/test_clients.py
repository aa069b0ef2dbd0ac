"""Clients send whole requests, and take no answer but 200."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.speed.clients import answer_to, ask, post


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = f"{self.headers['Content-Type']} ".encode() + body
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_request_arrives_whole(port: int) -> None:
    answer = answer_to(port, post("/predict", b"\x00\r\n\r\n\xff", "a/b"))

    assert answer == b"a/b \x00\r\n\r\n\xff"


def test_each_client_asks_until_the_time_is_over(port: int) -> None:
    requests = [post("/predict", bytes(size), "a/b") for size in (0, 1000)]

    took = ask(port, requests, clients=3, seconds=0.2)

    assert len(took) >= 3
    assert min(took) > 0


def test_another_status_ends_it(port: int) -> None:
    with pytest.raises(RuntimeError, match=r"expected 200, got b'HTTP/1.1 404"):
        ask(port, [post("/nothing", b"", "a/b")], clients=1, seconds=0.2)
