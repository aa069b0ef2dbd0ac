"""Clients of services that let an admin in."""

from fastapi.testclient import TestClient

from nextvec.app.access.key_file import create_key
from nextvec.app.api.app import create_app
from nextvec.app.settings import Settings


def admin_client(settings: Settings) -> TestClient:
    """Return a client with a key for everything; its file lies beside the bundles."""
    path = settings.bundles.parent / "keys.json"
    _, secret = create_key(path, "admin")
    app = create_app(settings.model_copy(update={"keys": path}))
    return TestClient(app, headers={"X-API-Key": secret})
