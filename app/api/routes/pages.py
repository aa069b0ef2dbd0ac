"""Pages for people: the front page, and Swagger UI without any other server."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from nextvec.app.api.responses import json_response

_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


def pages_router() -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return json_response(request.app.openapi())

    @router.get("/", summary="A page for people", response_class=HTMLResponse)
    async def home() -> Response:
        page = files("nextvec.app.api").joinpath("templates/home.html").read_bytes()
        return Response(page, media_type="text/html")

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="nextvec",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
        )

    for name, media_type in _ASSETS.items():
        asset = _asset(name, media_type)
        router.add_api_route(f"/docs/{name}", asset, include_in_schema=False)
    return router


def _asset(name: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def asset() -> Response:
        content = files("fastapi_offline").joinpath(f"static/{name}").read_bytes()
        headers = {"Cache-Control": "max-age=86400"}
        return Response(content, media_type=media_type, headers=headers)

    return asset
