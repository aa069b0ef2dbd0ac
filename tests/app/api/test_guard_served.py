"""A key over a real connection: what is refused is refused before it is sent."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from nextvec.app.access.key_file import create_key
from nextvec.app.commands.client import Client, ServiceError
from nextvec.app.commands.main import cli
from nextvec.app.commands.server import make_server
from nextvec.app.server.listening import take_address
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
    settings = Settings(
        bundles=world.bundles,
        threads=1,
        port=0,
        drain_delay_s=0,
        keys=path,
        rate_refused="1000000/second",
    )
    listeners = take_address(settings)
    server = make_server(settings)
    thread = threading.Thread(target=server.run, args=(listeners,))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = listeners[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", key)
    server.should_exit = True
    thread.join()
    for listener in listeners:
        listener.close()


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
    assert answer.lower().count(b"\r\nconnection: close\r\n") == 1
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


def test_what_is_refused_whole_leaves_the_connection_to_the_next_request(
    served: Served,
) -> None:
    refused = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}"
    asked = (
        "GET /info HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
        f"X-API-Key: {served.key}\r\n\r\n"
    )
    with socket.create_connection(served.address, timeout=10) as connection:
        connection.sendall(refused)
        first = connection.recv(1 << 16)
        connection.sendall(asked.encode())

        second = connection.recv(1 << 16)

    assert first.startswith(b"HTTP/1.1 401 ")
    assert second.startswith(b"HTTP/1.1 200 ")


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
