"""Told to stop, it serves on for a moment, finishes, and ends with status 0."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nextvec.app.logs import Seldom
from nextvec.app.server.limits import ConnectionLimits, connection_limits
from nextvec.app.server.listening import AddressError, take_address
from nextvec.app.server.refusals import Refusals
from nextvec.app.settings import Settings
from tests.app.server.conftest import LIMITS, PATIENCE_S, Running, echo, read
from tests.app.server.test_connection import GET, LAST, assert_refused, parts

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Running]

SERVER = """
from nextvec.app.server.limits import ConnectionLimits
from tests.app.server.conftest import LIMITS, Running, echo

Running(echo, ConnectionLimits(**LIMITS), drain_delay_s=0.5).run_here()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_loses_no_request_and_ends_with_status_0(number: int) -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", SERVER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(root), *sys.path))},
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            # it is in the works, not on its way
            client.sendall(LAST)
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as other:
                other.sendall(LAST)
                assert parts(read(other))[0] == 200
            process.send_signal(number)
            answers = read(client)
        status = process.wait(PATIENCE_S)

    assert answers.count(b"200 OK") == 2
    assert status == 0


def test_it_serves_on_for_the_delay_and_says_so_at_once(serve: Serve) -> None:
    running = serve(drain_delay_s=60.0)

    running.server.handle_exit(signal.SIGTERM, None)
    running.until(lambda: running.drained == [True])

    assert parts(running.ask(LAST))[0] == 200
    assert not running.server.should_exit


def test_told_twice_it_does_not_wait(serve: Serve) -> None:
    running = serve(drain_delay_s=60.0)

    running.server.handle_exit(signal.SIGTERM, None)
    running.server.handle_exit(signal.SIGHUP, None)
    running.thread.join(PATIENCE_S)

    assert not running.thread.is_alive()
    assert running.drained == [True]


def test_idle_connections_end_and_open_requests_do_not(serve: Serve) -> None:
    running = serve()
    with running.connect() as idle, running.connect() as busy:
        idle.sendall(GET)
        idle.recv(1000)
        busy.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        running.until(lambda: len(running.server.server_state.tasks) == 1)

        running.server.handle_exit(signal.SIGINT, None)

        assert read(idle) == b""
        status, headers, _ = parts(read(busy))
        assert (status, headers["connection"]) == (200, "close")


def test_what_takes_longer_than_it_may_is_a_problem(serve: Serve) -> None:
    running = serve()
    with running.connect() as client:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        running.until(lambda: len(running.server.server_state.tasks) == 1)

        running.server.handle_exit(signal.SIGINT, None)

        assert_refused(read(client), 503, "shutting down")


def test_a_port_in_use_is_told_before_anything_is_loaded() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(AddressError, match=f"127.0.0.1 port {port}: .* in use"):
            take_address(Settings(port=port))


def test_a_port_that_was_taken_while_it_loaded_is_told_too() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        running = Running(echo, ConnectionLimits(**LIMITS))
        running.prepare()
        other.bind(("127.0.0.1", running.port))
        other.listen()

        with pytest.raises(AddressError, match="in use"):
            running.server.run(running.listeners)
        running.close()


def test_a_host_that_is_none_is_told() -> None:
    with pytest.raises(AddressError, match=r"no\.such\.host\.invalid"):
        take_address(Settings(host="no.such.host.invalid"))


@pytest.mark.parametrize(
    ("descriptors", "connections", "backlog"),
    [(150, 60, 18), (1024, 824, 128), (1 << 20, 1000, 128), (20, 1, 2)],
)
def test_connections_leave_descriptors_for_files(
    descriptors: int, connections: int, backlog: int
) -> None:
    limits = connection_limits(Settings(), descriptors)

    assert (limits.max_connections, limits.backlog) == (connections, backlog)
    assert descriptors < 100 or connections + backlog <= descriptors - 64


def test_this_process_has_a_limit() -> None:
    assert connection_limits(Settings(max_connections=3)).max_connections == 3


def test_what_asyncio_cannot_accept_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted: list[str] = []
    refusals = Refusals(retry_after_s=1, count=counted.append)
    context: dict[str, Any] = {
        "message": "socket.accept() out of system resource",
        "exception": OSError(24, "Too many open files"),
    }

    class Loop:
        def __init__(self) -> None:
            self.told: list[dict[str, Any]] = []

        def default_exception_handler(self, context: dict[str, Any]) -> None:
            self.told.append(context)

    loop: Any = Loop()
    for _ in range(1000):
        refusals.loop_failed(loop, context)
    refusals.loop_failed(loop, {"message": "something else"})

    assert len(caplog.records) == 1
    assert counted == ["descriptors"] * 1000
    assert loop.told == [{"message": "something else"}]


def test_seldom_says_how_many_there_were() -> None:
    now = 0.0
    seldom = Seldom(every_s=5.0, clock=lambda: now)

    first = [seldom.due("a"), seldom.due("a"), seldom.due("b")]
    now = 5.0

    assert first == [1, 0, 1]
    assert seldom.due("a") == 2
