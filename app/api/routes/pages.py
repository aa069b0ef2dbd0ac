"""Pages for people: the front page, and Swagger UI without any other server."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


def pages_router(document: dict[str, Any]) -> APIRouter:
    """Return the routes; ``document`` describes the API (OpenAPI)."""
    router, described = APIRouter(), orjson.dumps(document)

    @router.get("/openapi.json")
    async def openapi() -> Response:
        return Response(described, media_type="application/json")

    @router.get("/")
    async def home() -> Response:
        page = files("app.api").joinpath("templates/home.html").read_bytes()
        return Response(page, media_type="text/html")

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="nextvec",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
        )

    for name, media_type in _ASSETS.items():
        router.add_api_route(f"/docs/{name}", _asset(name, media_type))
    return router


def _asset(name: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def asset() -> Response:
        content = files("fastapi_offline").joinpath(f"static/{name}").read_bytes()
        headers = {"Cache-Control": "max-age=86400"}
        return Response(content, media_type=media_type, headers=headers)

    return asset
