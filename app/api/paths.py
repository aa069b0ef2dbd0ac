"""Which paths are open, and what a key has to be for at all others."""

from typing import Final

from starlette.types import Scope

from nextvec.app.access.key import Scope as KeyScope

ADMIN: Final = "/admin"
"""Every path under this is for keys of the scope admin, and for nobody without."""

PROBES: Final = frozenset(("/livez", "/healthz", "/readyz"))
"""Open and not counted: an orchestrator that is kept from them would restart what is
only busy."""

PAGES: Final = frozenset(
    (
        "/",
        "/docs",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/docs/favicon.png",
        "/openapi.json",
    )
)
"""Open: a browser cannot send a key with an address that is typed or clicked, and they
say nothing that another service of the same version and settings would not."""

METRICS: Final = "/metrics"
"""Tells how much others ask: of no interest to who predicts, and a scraper has no need
to predict."""


def path_of(scope: Scope) -> str:
    """Return the path that routes are compared with: below where the app is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def is_admin(path: str) -> bool:
    """Whether a path is one of `ADMIN`."""
    return path == ADMIN or path.startswith(f"{ADMIN}/")


def scope_of(path: str) -> KeyScope:
    """Return what a key has to be for; of a path that is not there as well."""
    if is_admin(path):
        return "admin"
    return "metrics" if path == METRICS else "predict"
