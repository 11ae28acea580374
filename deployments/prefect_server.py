"""Prefect's server, closed to everything but its own UI and who knows the password.

`python -m deployments.prefect_server HOST PORT [PUBLIC]` is what `up` starts: `prefect server start`
takes no wrapper around its app.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from sqlalchemy import Engine, event

from deployments.door import Address, closed


def lock_at_once() -> None:
    """Every transaction of this process that may write takes SQLite's lock as it begins.

    Prefect begins most of them DEFERRED: two that have read and now want to write refuse each other
    at once ("database is locked", 503), however long they might wait.
    """

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def _begin(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        return ("BEGIN IMMEDIATE" if statement == "BEGIN DEFERRED" else statement), parameters


def serve(address: Address, *prepare: Callable[[], None]) -> None:
    """Until SIGTERM. Its settings are in the environment. `prepare`: called before it starts."""
    os.umask(0o077)
    for each in prepare:
        each()
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    settings = get_current_settings().server
    if settings.api.auth_string is None:
        sys.exit("the Prefect server is not started without a password")
    app = create_app(final=True)
    # Pages of FastAPI's that load scripts of a third party into the UI's origin.
    pages = (app.docs_url, app.redoc_url, app.openapi_url, app.swagger_ui_oauth2_redirect_url)
    uvicorn.run(
        closed(app, address, *(page for page in pages if page)),
        host=address.host,
        port=address.port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
        # A request's own words about where it comes from are not believed.
        proxy_headers=False,
    )


if __name__ == "__main__":
    host, port, *public = sys.argv[1:]
    serve(Address(host, int(port), *public), lock_at_once)
