"""A key over a real connection: what is refused is refused before it is sent."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import uvicorn
from typer.testing import CliRunner

from nextvec.app.access.key_file import create_key
from nextvec.app.api.app import create_app
from nextvec.app.commands.client import Client, ServiceError
from nextvec.app.commands.main import cli
from nextvec.app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.app.conftest import World

_LARGE = 8 << 20


@dataclass(frozen=True)
class Served:
    """A service that needs a key, and one."""

    url: str
    key: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("served") / "keys.json"
    _, key = create_key(path, "predict")
    app = create_app(
        Settings(
            bundles=world.bundles, threads=1, keys=path, rate_refused="1000000/second"
        )
    )
    config = uvicorn.Config(app, port=0, log_config=None, http="h11", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", key)
    server.should_exit = True
    thread.join()


def test_a_client_is_told_before_it_sends_its_body_and_the_connection_ends(
    served: Served,
) -> None:
    head = (
        "POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        f"Content-Length: {_LARGE}\r\n\r\n"
    )
    with socket.create_connection(served.address, timeout=10) as connection:
        connection.sendall(head.encode())

        # not a byte of the body is sent, and the answer is there, to its end
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b"urn:nextvec:problem:unauthenticated" in answer


def test_who_waits_for_a_hundred_is_told_at_once(served: Served) -> None:
    head = (
        "POST /predict HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n"
        "Content-Length: 10\r\n\r\n"
    )
    with socket.create_connection(served.address, timeout=10) as connection:
        connection.sendall(head.encode())

        answer = connection.recv(1 << 16)

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_small_refused_body_leaves_the_connection_to_the_next_request(
    served: Served, context: list[str]
) -> None:
    connection = http.client.HTTPConnection(*served.address, timeout=10)
    connection.request("POST", "/predict", body=b"x" * 60_000)
    assert connection.getresponse().read().find(b"unauthenticated") > 0
    kept = connection.sock
    assert kept is not None

    body = b'{"ids": ["%s"]}' % context[0].encode()
    headers = {"X-API-Key": served.key, "Content-Type": "application/json"}
    connection.request("POST", "/predict", body=body, headers=headers)

    assert connection.getresponse().status == 200
    assert connection.sock is kept
    connection.close()


def test_the_command_line_asks_with_a_key(
    served: Served, context: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", "--ids", context[0], "--url", served.url]

    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 1
    assert "A valid key is needed" in refused.output
    told = CliRunner().invoke(cli, [*words, "--api-key", served.key])
    assert "After 1 in context" in told.output
    monkeypatch.setenv("NEXTVEC_API_KEY", served.key)
    assert "After 1 in context" in CliRunner().invoke(cli, words).output


@pytest.mark.parametrize("key", ["two\nlines", "clé"])
def test_what_cannot_be_a_key_is_not_shown(served: Served, key: str) -> None:
    with pytest.raises(ServiceError) as refused:
        Client(served.url, api_key=key).predict_ids(["a"])

    assert key not in str(refused.value)
    assert "printable ASCII" in str(refused.value)


def test_octets_are_sent_with_a_key_too(served: Served, world: World) -> None:
    client = Client(served.url, api_key=served.key)

    answer = client.predict_vectors(world.corpus.vectors[:20], k=3)

    assert answer["num_context"] == 20
