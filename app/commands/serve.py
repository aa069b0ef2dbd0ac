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

    Everything else is set by environment variables: see docs/configuration.md.
    """
    settings = read_settings(host=host, port=port, bundles=bundles, bundle=bundle)
    # torch takes seconds, and a port in use is told at once
    listeners = take_address(settings)
    with uncollected():
        from nextvec.app.commands.server import run_service

    run_service(settings, listeners)
