"""``serve``: the service over HTTP."""

from nextvec.app.commands.collector import uncollected
from nextvec.app.commands.options import BundlesFolder, BundleVersion, Host, Port
from nextvec.app.server.listening import take_address
from nextvec.app.settings import read_settings
from nextvec.training.commands.console import handle_errors


@handle_errors()
def serve(
    *,
    host: Host = None,
    port: Port = None,
    bundles: BundlesFolder = None,
    bundle: BundleVersion = None,
) -> None:
    """Serve the live bundle over HTTP.

    What is promoted while it runs takes over without a restart. On SIGTERM it says
    that it is not ready, serves on for a moment and finishes what is open; on Ctrl-C
    the same without the moment.

    Everything else is set by environment variables: see docs/configuration.md.
    """
    settings = read_settings(host=host, port=port, bundles=bundles, bundle=bundle)
    # torch takes seconds, and a port in use is told at once
    listeners = take_address(settings)
    with uncollected():
        from nextvec.app.commands.server import run_service

    run_service(settings, listeners)
