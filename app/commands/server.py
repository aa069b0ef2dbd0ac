"""The app under uvicorn."""

import uvicorn

from nextvec.app.api.app import create_app
from nextvec.app.commands.collector import spare_collector
from nextvec.app.logs import configure_logs
from nextvec.app.settings import Settings


def run_service(settings: Settings) -> None:
    """Serve until a signal comes, with logs as JSON on standard error."""
    configure_logs(settings.log_level)
    app = create_app(settings)
    spare_collector()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        # uvloop, where it is installed, starves the inference thread of the interpreter
        # while any client polls: p50 of the others 90 ms instead of 13
        loop="asyncio",
        # httptools, where it is installed, takes heads of any length; h11 of 64 KiB
        http="h11",
        # ours are JSON, one line for each request
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
