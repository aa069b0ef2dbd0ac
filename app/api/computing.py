"""The routes whose answers the inference thread computes."""

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import Scope

from nextvec.app.api.paths import path_of


class ComputingRoutes:
    """Finds the route of what is posted, mostly by its path alone."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        """Take the routes of some routers that are posted to.

        Args:
            routers: whose endpoints return a response, and take nothing but the request
                and what stands in the path.

        Raises:
            TypeError: one takes something else, which the framework would give it.
        """
        posted = [
            route
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and "POST" in (route.methods or ())
        ]
        for route in posted:
            _check_simple(route)
        self._by_pattern = [route for route in posted if route.param_convertors]
        self._by_path = {
            route.path: route for route in posted if not route.param_convertors
        }

    def find_static(self, scope: Scope) -> APIRoute | None:
        """Return the route of a request, if it is one whose path never differs."""
        return self._by_path.get(path_of(scope)) if _is_posted(scope) else None

    def find(self, scope: Scope) -> APIRoute | None:
        """Return the route of a request, if it is one of these."""
        if not _is_posted(scope):
            return None
        path = path_of(scope)
        patterns = (r for r in self._by_pattern if r.path_regex.match(path))
        return self._by_path.get(path) or next(patterns, None)


def _check_simple(route: APIRoute) -> None:
    needs = route.dependant
    asked = [*needs.query_params, *needs.header_params, *needs.cookie_params]
    if needs.dependencies or needs.body_params or asked:
        msg = f"{route.path}: expected an endpoint that takes the request alone"
        raise TypeError(msg)


def _is_posted(scope: Scope) -> bool:
    kind: str = scope["type"]
    return kind == "http" and scope["method"] == "POST"
