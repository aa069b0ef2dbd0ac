"""``serve``: the service over HTTP."""

from app.commands.options import BundlesFolder, BundleVersion, Host, Port
from app.commands.server import run_service
from app.settings import read_settings
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
