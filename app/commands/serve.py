"""``serve``: the app under uvicorn."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from app.api.app import create_app
from app.logs import configure_logs
from app.settings import Settings, read_settings
from training.commands.console import handle_errors


@handle_errors()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="TCP port to listen on (default 8000).")
    ] = None,
    bundles: Annotated[
        Path | None,
        typer.Option(help="Folder of the bundles (default artifacts/bundles)."),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Version to serve (default: the one that is live)."),
    ] = None,
) -> None:
    """Serve the live bundle over HTTP.

    Everything else is set by environment variables: see docs/configuration.md.
    """
    run_service(read_settings(host=host, port=port, bundles=bundles, bundle=bundle))


def run_service(settings: Settings) -> None:
    """Serve until a signal comes, with logs as JSON on standard error."""
    configure_logs(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        # ours are JSON, one line for each request
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
