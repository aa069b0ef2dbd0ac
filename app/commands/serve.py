"""``serve``: the app under uvicorn."""

import uvicorn

from app.api.app import create_app
from app.commands.options import BundlesFolder, BundleVersion, Host, Port
from app.logs import configure_logs
from app.settings import Settings, read_settings
from training.commands.console import handle_errors


@handle_errors()
def serve(
    *,
    host: Host = None,
    port: Port = None,
    bundles: BundlesFolder = None,
    bundle: BundleVersion = None,
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
