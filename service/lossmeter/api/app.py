"""The composition root: settings in, application out. Nothing happens at import."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware

import lossmeter
from lossmeter import engine
from lossmeter.api import exposition, health, v1, v2
from lossmeter.api.access import cross_origin
from lossmeter.api.access.doors import Doors
from lossmeter.api.access.guard import Access
from lossmeter.api.boundary import Boundary
from lossmeter.api.docs import add_docs
from lossmeter.api.errors import add_error_handlers
from lossmeter.api.limits import Limits
from lossmeter.api.openapi import DESCRIPTION, TAGS, DocumentedAPI
from lossmeter.api.process import settle
from lossmeter.api.records import is_silent
from lossmeter.api.service import Service
from lossmeter.api.straight import Straight
from lossmeter.api.turnstile import Turnstile
from lossmeter.api.watch import Watch
from lossmeter.observability.log import Requests
from lossmeter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from fastapi.routing import APIRoute


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; without settings, those of the environment."""
    service = Service.of(settings or Settings())
    app = DocumentedAPI(
        title="lossmeter",
        version=lossmeter.__version__,
        summary="How wrong is a classifier?",
        description=DESCRIPTION,
        contact={"name": "The lossmeter developers"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": service.settings.root_path or "/", "description": "This server"}],
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        root_path=service.settings.root_path,
        root_path_in_servers=False,
        redirect_slashes=False,
        generate_unique_id_function=_name,
        lifespan=_lifespan,
        middleware=_middleware(service),
        # Environment variables name where spans and metrics go; without them nothing is made. Its log events would
        # carry messages of errors, which may repeat what was sent.
        telemetry={"auto_configure": True, "operation_spans": False, "logs": False, "exclude": is_silent},
    )
    app.state.service = service
    add_error_handlers(app)
    app.include_router(v1.router)
    app.include_router(v2.router)
    app.include_router(health.router)
    app.include_router(exposition.router)
    if service.settings.docs:
        add_docs(app)
    return app


def _middleware(service: Service) -> list[Middleware]:
    """From the outside in: nothing is read before the caller is known, or computed before there is room."""
    settings = service.settings
    port = settings.management_port
    return [
        Middleware(Watch, service.meter, Requests(), tls=settings.tls_certificate is not None),
        *cross_origin.middleware(settings),
        Middleware(Boundary),
        *([] if port is None else [Middleware(Doors, port)]),
        *([Middleware(Access, settings)] if settings.asks_for_key else []),
        Middleware(Limits, service.load),
        Middleware(Straight, v2.infer.of_models()),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    settle()
    engine.warm_up()
    service: Service = app.state.service
    if service.events is not None:
        await service.events.open()
    service.readiness.state = "ok"
    # The server says when it is going to stop, asks what to refuse unread, and tells what it refuses itself.
    yield {"readiness": service.readiness, "turnstile": Turnstile(app)}
    service.readiness.state = "stopping"
    if service.events is not None:
        await service.events.close()


def _name(route: APIRoute) -> str:
    """Operation ids are the names of the endpoints: short enough to be methods of a generated client."""
    return route.name
