"""Swagger UI on /docs and ReDoc on /redoc, from files in this package: no page asks any other host.

The pages hold no inline script, so their Content-Security-Policy can be strict; what starts them is in
``static/swagger-init.js`` and ``static/redoc-init.js``. In the pages ``asset:NAME`` stands for the address of
a file and ``root:/PATH`` for one of this service: both depend on where a proxy mounted us (``root_path``).
The vendored files are refreshed by ``deploy/refresh_docs_assets.py``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

    Endpoint = Callable[[Request], Awaitable[Response]]

STATIC: Final = Path(__file__).parent / "static"

# Told here because the guesses of ``mimetypes`` depend on the machine.
MEDIA_TYPES: Final = MappingProxyType(
    {
        ".js": "text/javascript",
        ".css": "text/css",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
    }
)

# Both programs write <style> elements, and Swagger UI shows data: images.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# ReDoc's search runs in a worker that it makes from a blob.
REDOC_POLICY: Final = POLICY + "; worker-src blob:"

PAGES: Final = (("/docs", "swagger.html", POLICY), ("/redoc", "redoc.html", REDOC_POLICY))

PAGE_HEADERS: Final = MappingProxyType(
    {
        "Cache-Control": "no-cache",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)

PLACEHOLDER: Final = re.compile(r'"(asset|root):([^"]+)"')


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the pages load.

    Attributes:
        path: where it is.
        media_type: what it is.
        digest: the start of its SHA-256, its entity tag and the version in its address.
    """

    path: Path
    media_type: str
    digest: str


def add_docs(app: FastAPI) -> None:
    """Serve the two pages, and the files they load, from the app."""
    assets = _read_assets()
    for path, name, policy in PAGES:
        template = STATIC.joinpath(name).read_text(encoding="utf-8")
        app.add_route(path, _page(template, policy, assets), include_in_schema=False)
    app.add_route("/docs/assets/{name}", _file(assets), include_in_schema=False)


def _read_assets() -> Mapping[str, Asset]:
    """Every file that the pages may load, by name; hashing the 3 MB takes some milliseconds."""
    return MappingProxyType(
        {
            path.name: Asset(
                path, MEDIA_TYPES[path.suffix], hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            )
            for path in STATIC.iterdir()
            if path.suffix in MEDIA_TYPES
        }
    )


def _page(template: str, policy: str, assets: Mapping[str, Asset]) -> Endpoint:
    """An endpoint that answers the page with every address filled in."""
    headers = {**PAGE_HEADERS, "Content-Security-Policy": policy}

    async def page(request: Request) -> Response:
        root = escape(request.scope.get("root_path", "").rstrip("/"))

        def address(placeholder: re.Match[str]) -> str:
            kind, name = placeholder.groups()
            if kind == "root":
                return f'"{root}{name}"'
            return f'"{root}/docs/assets/{name}?v={assets[name].digest}"'

        return HTMLResponse(PLACEHOLDER.sub(address, template), headers=headers)

    return page


def _file(assets: Mapping[str, Asset]) -> Endpoint:
    """An endpoint that answers a file, or 304 to a caller who has it."""

    async def file(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        headers = _file_headers(asset, request.query_params.get("v"))
        if headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return FileResponse(asset.path, media_type=asset.media_type, headers=headers)

    return file


def _file_headers(asset: Asset, version: str | None) -> dict[str, str]:
    """What caches may do: an address that names the right version never changes its content."""
    forever = version == asset.digest
    return {
        "Cache-Control": "public, max-age=31536000, immutable" if forever else "no-cache",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": f'"{asset.digest}"',
        "X-Content-Type-Options": "nosniff",
    }
