"""Prefect's server, closed to everything but its own UI and who knows the password.

`python -m deployments.prefect_server HOST PORT [PUBLIC]` is what `up` starts: `prefect server start`
takes no wrapper around its app.
"""

from __future__ import annotations

import os
import sys

import uvicorn

from deployments.brief_locks import shorten
from deployments.door import Address, closed


def serve(address: Address) -> None:
    """Until SIGTERM. Its settings are in the environment."""
    os.umask(0o077)
    shorten()
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
    serve(Address(host, int(port), *public))
