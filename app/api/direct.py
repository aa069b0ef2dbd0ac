"""Routes that are found by their path alone.

A router asks each of its routes in turn, and the framework then solves dependencies
that ours have none of. The routes stay with the framework too, which documents them,
and answers other methods; its own telemetry, where an operator sets that up, learns no
name of a route from here.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from nextvec.app.api.computing import ComputingRoutes


class Direct:
    """Answers what is posted to some routes, and passes on what is not."""

    def __init__(self, app: ASGIApp, routes: ComputingRoutes) -> None:
        """Wrap an app.

        Args:
            app: what has all routes.
            routes: those whose path never differs are answered here.
        """
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        route = self._routes.find_static(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
