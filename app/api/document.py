"""The OpenAPI document: of a service that has keys, or that answers everyone."""

from collections.abc import Sequence
from functools import cache

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from nextvec.app.access.key_ring import KeyRing
from nextvec.app.api.openapi import Json, add_problem
from nextvec.app.api.security import add_access


def describe(app: FastAPI, ring: KeyRing, *, without_keys: Sequence[BaseRoute]) -> None:
    """Let an app tell what is there now: keys may come while it runs.

    Args:
        app: with all of its routes.
        ring: the keys.
        without_keys: the routes that are there while there are none.
    """

    @cache
    def document(*, is_open: bool) -> Json:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=without_keys if is_open else app.routes,
        )
        add_problem(made)
        add_access(made, is_open=is_open)
        return made

    def openapi() -> Json:
        return document(is_open=ring.is_open)

    # as FastAPI's documentation has it
    app.openapi = openapi  # type: ignore[method-assign]
    # it takes some 50 ms, in which nobody should wait
    openapi()
