"""The app under uvicorn, with connections of our own."""

import socket
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from nextvec.app.api.app import create_app
from nextvec.app.api.paths import PROBES
from nextvec.app.commands.collector import spare_collector
from nextvec.app.logs import configure_logs
from nextvec.app.server.connection import Connection
from nextvec.app.server.lifecycle import DrainingServer
from nextvec.app.server.limits import connection_limits
from nextvec.app.server.refusals import Refusals
from nextvec.app.settings import Settings

if TYPE_CHECKING:
    from nextvec.app.service import Service


def run_service(settings: Settings, listeners: list[socket.socket]) -> None:
    """Serve until a signal comes, with logs as JSON on standard error.

    Args:
        settings: everything that is set.
        listeners: sockets that are bound (`take_address`).

    Raises:
        AddressError: another process listens there by now.
    """
    configure_logs(settings.log_level)
    server = make_server(settings)
    spare_collector()
    server.run(sockets=listeners)


def make_server(settings: Settings) -> DrainingServer:
    """Put everything together; nothing runs yet."""
    app = create_app(settings)
    service: Service = app.state.service
    metrics, limits = service.metrics, connection_limits(settings)
    refusals = Refusals(
        retry_after_s=settings.retry_after_s,
        count=lambda reason: metrics.refused.labels(reason).inc(),
    )
    connection = partial(Connection, limits=limits, refusals=refusals, probes=PROBES)
    config = uvicorn.Config(
        app,
        # uvicorn calls it, and asks nothing else of it
        http=cast("type[Connection]", connection),
        # uvloop, where it is installed, starves the inference thread of the interpreter
        # while any client polls: p50 of the others 90 ms instead of 13
        loop="nextvec.app.server.timed_loop:TimedLoop",
        # who is believed is a setting of ours; uvicorn's own believes this machine
        proxy_headers=False,
        interface="asgi3",
        ws="none",
        lifespan="on",
        backlog=limits.backlog,
        # ours are JSON, one line for each request
        log_config=None,
        access_log=False,
        # what serves is nobody's business
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    server = DrainingServer(
        config,
        refusals=refusals,
        drain_delay_s=settings.drain_delay_s,
        on_drain=service.drain,
    )
    metrics.connections.set_function(lambda: len(server.server_state.connections))
    return server
