"""What the OpenAPI document says of keys and rates, of every operation alike."""

from typing import Any, Final

from nextvec.app.api.openapi import Json, header, problems
from nextvec.app.api.paths import PAGES, PROBES
from nextvec.app.wire.problems import (
    DOOR_PROBLEMS,
    FORBIDDEN,
    RATE_LIMITED,
    UNAUTHENTICATED,
    ProblemType,
)

_SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key that `nextvec keys create` has made.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}


def add_access(document: Json, *, is_open: bool) -> None:
    """Add keys and rates to a document.

    Args:
        document: changed in place.
        is_open: whether everyone is answered: a key is optional then, and may be needed
            as soon as there are any.
    """
    document["components"]["securitySchemes"] = _SCHEMES
    needed: list[Json] = [{name: []} for name in _SCHEMES]
    if is_open:
        needed.insert(0, {})
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in PROBES:
                operation["security"] = []
            elif path in PAGES:
                operation["security"] = []
                _add(operation, RATE_LIMITED)
            else:
                operation["security"] = needed
                _add(operation, *DOOR_PROBLEMS)


def _add(operation: Json, *kinds: ProblemType) -> None:
    """Add problems to those that an operation has, also of the same status."""
    for status, added in problems(*kinds).items():
        there: Any = operation["responses"].setdefault(str(status), added)
        if there is not added:
            there["description"] = f"{there['description']}; {added['description']}"
            for media_type, content in added["content"].items():
                there["content"][media_type]["examples"] |= content["examples"]
        if status in {UNAUTHENTICATED.status, FORBIDDEN.status}:
            there["headers"] = header("WWW-Authenticate", "What key is needed.")
