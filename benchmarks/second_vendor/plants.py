"""How each fault is planted: one ``Plant`` for each id of ``faults.py``.

A plant says what stands in front of the vendor, what the status page, the control site and our
service show, and may bring two hooks: ``before`` answers in the vendor's place, ``after`` changes
what the healthy vendor answered. Whatever begins or ends during a look is counted in requests and
never in seconds, so that a slow and a quick observer see the same.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from benchmarks.second_vendor.surroundings import (
    PORTAL_PAGE,
    SLOW_SECONDS,
    GatewayMode,
    Reach,
    Report,
    ServicePlan,
    StatusPlan,
    Story,
)
from benchmarks.second_vendor.vendor import ENVELOPES, After, Ask, Before, Vendor, utc_now

Front = Literal["open", "no_name", "closed", "tls_self_signed", "hangs", "cut"]
NONSENSE_NAME: Final = "api.getmaintainx.invalid"


@dataclass(frozen=True)
class Plant:
    """Everything that makes up one world."""

    before: Before | None = None
    after: After | None = None
    front: Front = "open"
    gateway: GatewayMode | None = None
    direct_way: bool = True
    second_key: bool = True
    other_key: bool = False
    status: StatusPlan = field(default_factory=StatusPlan)
    control: Reach = "ok"
    service: ServicePlan | None = field(default_factory=ServicePlan)
    clock_ahead: timedelta = timedelta(0)
    adopt: Callable[[Vendor], None] | None = None


Maker = Callable[[], Plant]
Refusal = Callable[[Ask], Response | None]
_V2: Final = StatusPlan(kind="statuspage_v2")
_LISTS: Final = frozenset(ENVELOPES)
_NO_SERVICE_PAGES: Final = ServicePlan(story="stopped", health="refused", metrics="refused")


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the vendor's simple error envelope."""
    return JSONResponse({"error": text}, status, headers)


def _errors(status: int, text: str) -> Response:
    """Return the vendor's second error envelope."""
    return JSONResponse({"errors": [{"error": text}]}, status)


def _ours(ask: Ask) -> bool:
    """Tell whether the watched integration's own key was sent."""
    return ask.who == "current"


def _early(refusal: Refusal) -> Before:
    """Make a hook out of a plain function."""

    async def before(ask: Ask) -> Response | None:
        return refusal(ask)

    return before


def _for_ours(answer: Callable[[], Response]) -> Before:
    """Answer every request that carries our key, and no other, with ``answer``."""
    return _early(lambda ask: answer() if _ours(ask) else None)


def _for_all(answer: Callable[[], Response]) -> Before:
    """Answer every request with ``answer``."""
    return _early(lambda _: answer())


def _for_keys(answer: Callable[[], Response]) -> Before:
    """Answer every request that carries a good key with ``answer``."""
    return _early(lambda ask: answer() if ask.who is not None else None)


def _on(resource: str, answer: Callable[[], Response]) -> Before:
    """Answer every request for one resource that carries a good key with ``answer``."""
    return _early(
        lambda ask: answer() if ask.resource == resource and ask.who is not None else None
    )


def _invalid() -> Response:
    return _error(401, "Invalid token")


def _service(story: Story) -> ServicePlan:
    return ServicePlan(story=story)


def _dead_key(
    *, status: StatusPlan | None = None, service: ServicePlan | None = None, second: bool = True
) -> Plant:
    """Return the world in which our key has been revoked."""
    return Plant(
        before=_for_ours(_invalid),
        status=status or StatusPlan(),
        service=service or _service("vendor_401"),
        second_key=second,
    )


# --- answers that need more than a line -------------------------------------------------------


def _block_page() -> Response:
    page = (
        "<!DOCTYPE html><html><head><title>Access denied | api.getmaintainx.com</title></head>"
        "<body><h1>Error 1020</h1><h2>Access denied</h2><p>This website is using a security "
        "service to protect itself from online attacks.</p><p>Ray ID: 8f21c04ad9be3c1e</p>"
        "</body></html>"
    )
    return HTMLResponse(page, 403, {"Server": "cloudflare", "CF-RAY": "8f21c04ad9be3c1e-FRA"})


def _cdn_522() -> Response:
    page = (
        "<!DOCTYPE html><html><head><title>api.getmaintainx.com | 522: Connection timed out"
        "</title></head><body><h1>Connection timed out</h1><p>Error code 522</p><p>You: Browser "
        "Working. Edge: Working. Host: Error.</p></body></html>"
    )
    return HTMLResponse(page, 522, {"Server": "cloudflare", "CF-RAY": "8f22d1b07c1e9a44-FRA"})


def _rate_vendor() -> Response:
    return _error(
        429,
        "Too many requests. Please retry in 37 seconds",
        {
            "X-Rate-Limit-Limit": "100",
            "X-Rate-Limit-Remaining": "0",
            "X-Rate-Limit-Reset": "37",
        },
    )


def _rate_ietf() -> Response:
    body = {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "violated-policies": ["peruser"],
    }
    return JSONResponse(
        body,
        429,
        {
            "RateLimit-Policy": '"peruser";q=100;w=60',
            "RateLimit": '"peruser";r=0;t=41',
            "Retry-After": "41",
        },
        media_type="application/problem+json",
    )


def _rate_403() -> Response:
    again = format_datetime(utc_now() + timedelta(seconds=90), usegmt=True)
    text = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    )
    return JSONResponse({"message": text}, 403, {"Retry-After": again})


def _organisation_header(ask: Ask) -> Response | None:
    if _ours(ask) and "x-organization-id" not in ask.headers:
        return _errors(400, "Missing x-organization-id header.")
    return None


def _starts_midlook(ask: Ask) -> Response | None:
    return _error(503, "Service Unavailable") if ask.number > 9 else None


def _one_unlucky(ask: Ask) -> Response | None:
    page = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
    return HTMLResponse(page, 502) if ask.number == 3 else None


def _half(ask: Ask) -> Response | None:
    """Fail half of the requests; the Thue-Morse order keeps step with no fixed round of paths."""
    return _error(500, "Internal Server Error") if ask.number.bit_count() % 2 else None


def _first_429(ask: Ask) -> Response | None:
    if ask.number > 1:
        return None
    return _error(
        429,
        "Too many requests. Please retry in 1 seconds",
        {"X-Rate-Limit-Limit": "100", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1"},
    )


def _every_different(ask: Ask) -> Response | None:
    choices: tuple[Callable[[], Response], ...] = (
        _invalid,
        lambda: _error(404, "Not Found."),
        _rate_vendor,
        lambda: _error(500, "Internal Server Error"),
        lambda: _errors(403, "User don't have the right permissions"),
        lambda: HTMLResponse("<html><body>It works!</body></html>"),
    )
    return choices[ask.number % len(choices)]()


def _login(ask: Ask) -> Response | None:
    if ask.path.startswith("/login"):
        page = (
            "<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in</h1>"
            "<form method=post><input name=email><input name=password type=password></form>"
            "</body></html>"
        )
        return HTMLResponse(page)
    return RedirectResponse("/login?next=" + ask.path, 302)


def _maintenance_answer() -> Response:
    return _error(503, "Scheduled maintenance in progress", {"Retry-After": "2400"})


def _error_in_200(ask: Ask) -> Response | None:
    if ask.who is None or ask.resource not in _LISTS or ask.record is not None:
        return None
    return _errors(200, "Something went wrong on our end. Reference 7f3a91")


def _empty_rows(ask: Ask) -> Response | None:
    if not _ours(ask) or ask.resource not in _LISTS:
        return None
    if ask.record is not None:
        return _error(404, "Not Found.")
    return JSONResponse({ENVELOPES[ask.resource][0]: [], "nextCursor": None, "nextPageUrl": None})


# --- plants with a memory ----------------------------------------------------------------------


def _drained() -> Plant:
    """Let each request of ours cost 13 of the budget, as if another consumer were at work."""
    spent = 0

    async def before(ask: Ask) -> Response | None:
        nonlocal spent
        if not _ours(ask):
            return None
        spent += 1
        return _rate_vendor() if spent > 3 else None

    async def after(ask: Ask, response: Response) -> Response:
        if _ours(ask):
            response.headers["X-Rate-Limit-Remaining"] = str(max(0, 40 - 13 * spent))
            response.headers["X-Rate-Limit-Reset"] = "44"
        return response

    return Plant(before=before, after=after)


def _nearly_spent() -> Plant:
    """Show a sliding window with two to four requests left, and refuse nothing."""

    async def after(ask: Ask, response: Response) -> Response:
        if ask.who in ("current", "other") and response.status_code == 200:
            response.headers["X-Rate-Limit-Remaining"] = str(2 + ask.number % 3)
            response.headers["X-Rate-Limit-Reset"] = "1"
        return response

    return Plant(after=after)


def _old_cache() -> Plant:
    """Answer lists out of a cache that was filled 26 hours ago by a request of ours."""
    then = utc_now() - timedelta(hours=26)
    origin = Vendor({"cached": "current"}, clock=lambda: then, budget=1_000_000)

    async def before(ask: Ask) -> Response | None:
        if ask.resource not in _LISTS or ask.record is not None or ask.method != "GET":
            return None
        response = origin.healthy(replace(ask, who="current", sent_key=True))
        if response.status_code != 200:
            return None
        for name in ("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"):
            del response.headers[name]
        response.headers["Date"] = format_datetime(then, usegmt=True)
        response.headers["Age"] = str(round((utc_now() - then).total_seconds()))
        response.headers["X-Cache"] = "HIT"
        response.headers["Cache-Control"] = "public, max-age=172800"
        return response

    return Plant(before=before)


def _moved_to_v2() -> Plant:
    """Redirect work orders to /v2 for good, and serve them there."""
    inner: list[Vendor] = []

    async def before(ask: Ask) -> Response | None:
        if ask.resource != "workorders":
            return None
        if ask.path.startswith("/v2/"):
            return None
        text = ask.path.replace("/v1/", "/v2/", 1)
        if ask.query:
            text += "?" + urlencode(ask.query)
        return Response(status_code=308, headers={"Location": text})

    async def after(ask: Ask, response: Response) -> Response:
        if ask.path.startswith("/v2/") and ask.resource == "workorders" and inner:
            old = ask.path.replace("/v2/", "/v1/", 1)
            return inner[0].healthy(replace(ask, path=old))
        return response

    return Plant(before=before, after=after, adopt=inner.append, service=_service("vendor_308"))


def _slow() -> Before:
    async def before(ask: Ask) -> Response | None:
        await asyncio.sleep(SLOW_SECONDS)
        return None

    return before


async def _new_envelope(ask: Ask, response: Response) -> Response:
    """Rename the envelope of the work order list and drop the old paging keys."""
    if ask.resource != "workorders" or ask.record is not None or response.status_code != 200:
        return response
    old = json.loads(bytes(response.body))
    body = {"data": old["workOrders"], "meta": {"next": old["nextCursor"]}}
    kept = {name: value for name, value in response.headers.items() if name.startswith("x-")}
    return JSONResponse(body, 200, kept)


async def _html_label(ask: Ask, response: Response) -> Response:
    """Compress the body, add fields that nobody asked for, and label the whole as HTML."""
    if response.status_code != 200:
        return response
    body = json.loads(bytes(response.body))
    if isinstance(body, dict):
        for rows in body.values():
            if isinstance(rows, list):
                for row in rows:
                    row["_links"] = {"self": f"/v1/{ask.resource}/{row['id']}"}
        body["requestId"] = f"req-{ask.number:06}"
    packed = gzip.compress(json.dumps(body).encode())
    kept = {name: value for name, value in response.headers.items() if name.startswith("x-")}
    return Response(
        packed, 200, {**kept, "Content-Encoding": "gzip"}, media_type="text/html; charset=utf-8"
    )


async def _gzip_label(ask: Ask, response: Response) -> Response:
    """Claim that a plain body is compressed."""
    response.headers["Content-Encoding"] = "gzip"
    return response


_MAINTENANCE: Final = Report(
    "Database upgrade of the REST API", "maintenance", {"REST API": "maintenance"}, -20, 40
)
_FORGOTTEN: Final = Report(
    "Planned network maintenance", "maintenance", {"REST API": "maintenance"}, -40 * 1440
)
_SICK_BODY: Final[Mapping[str, object]] = {
    "status": "unhealthy",
    "checks": {
        "maintainx_api": {"status": True, "latencyMs": 51},
        "database": {"status": True, "latencyMs": 4},
        "job_queue": {"status": False, "latencyMs": 5000, "message": "pool exhausted"},
    },
}
_ODD_BODY: Final[Mapping[str, object]] = {
    "state": "serving",
    "overall": "nominal",
    "components": [
        {"name": "database", "condition": "green"},
        {"name": "vendor link", "condition": "green"},
        {"name": "scheduler", "condition": "green"},
    ],
}

PLANTS: Final[Mapping[str, Maker]] = {
    "key_revoked_second_ok": _dead_key,
    "old_key_after_rotation": lambda: replace(
        _dead_key(second=False, service=_service("old_key")), other_key=True
    ),
    "key_refused_no_contrast": lambda: replace(
        _dead_key(second=False, status=_V2, service=_service("vendor_401")), service=None
    ),
    "auth_refuses_two_accounts": lambda: Plant(
        before=_for_keys(_invalid), service=_service("vendor_401")
    ),
    "key_stripped_by_gateway": lambda: Plant(gateway="drops_key", service=_service("vendor_401")),
    "scope_lost_assets": lambda: Plant(
        before=_early(
            lambda ask: (
                _errors(403, "User don't have the right permissions")
                if _ours(ask) and ask.resource == "assets"
                else None
            )
        )
    ),
    "plan_payment_required": lambda: Plant(
        before=_for_ours(lambda: _error(402, "Your subscription does not include API access")),
        service=_service("vendor_402"),
    ),
    "edge_blocks_our_address": lambda: Plant(
        before=_for_all(_block_page), service=_service("vendor_403")
    ),
    "organisation_header_required": lambda: Plant(
        before=_early(_organisation_header), service=_service("vendor_400")
    ),
    "outage_503_page_red": lambda: Plant(
        before=_for_all(lambda: _error(503, "Service Unavailable")),
        status=StatusPlan(
            states={"REST API": "downtime", "MaintainX App": "downtime"},
            reports=(
                Report(
                    "API requests fail",
                    "incident",
                    {"REST API": "downtime", "MaintainX App": "downtime"},
                    -18,
                ),
            ),
        ),
        service=_service("vendor_5xx"),
    ),
    "outage_500_page_green": lambda: Plant(
        before=_for_all(lambda: _error(500, "Internal Server Error")),
        service=_service("vendor_5xx"),
    ),
    "cdn_522_origin_silent": lambda: Plant(
        before=_for_all(_cdn_522),
        status=StatusPlan(
            kind="statuspage_v2",
            states={"REST API": "partial"},
            reports=(Report("Elevated API errors", "incident", {"REST API": "partial"}, -12),),
        ),
        service=_service("vendor_5xx"),
    ),
    "workorders_500_rest_fine": lambda: Plant(
        before=_on("workorders", lambda: _error(500, "Internal Server Error")),
        service=_service("vendor_5xx"),
    ),
    "outage_starts_midlook": lambda: Plant(before=_early(_starts_midlook)),
    "one_unlucky_502": lambda: Plant(before=_early(_one_unlucky)),
    "half_of_requests_500": lambda: Plant(
        before=_early(_half),
        status=StatusPlan(
            states={"REST API": "degraded"},
            reports=(Report("Some requests fail", "incident", {"REST API": "degraded"}, -25),),
        ),
        service=_service("vendor_5xx"),
    ),
    "only_our_account_500": lambda: Plant(
        before=_for_ours(lambda: _error(500, "Internal Server Error")),
        service=_service("vendor_5xx"),
    ),
    "rate_limit_vendor_words": lambda: Plant(
        before=_for_ours(_rate_vendor), service=_service("vendor_429")
    ),
    "rate_limit_ietf_fields": lambda: Plant(
        before=_for_ours(_rate_ietf), service=_service("vendor_429")
    ),
    "rate_limit_as_403": lambda: Plant(
        before=_for_ours(_rate_403), status=_V2, service=_service("vendor_403")
    ),
    "budget_drained_by_other": _drained,
    "budget_nearly_spent": _nearly_spent,
    "first_request_429_only": lambda: Plant(before=_early(_first_429)),
    "parts_404_moved": lambda: Plant(
        before=_on("parts", lambda: _error(404, "Not Found.")), service=_service("vendor_404")
    ),
    "workorders_308_to_v2": _moved_to_v2,
    "workorders_new_envelope": lambda: Plant(after=_new_envelope, service=_service("no_rows")),
    "json_labelled_html": lambda: Plant(after=_html_label),
    "error_inside_200": lambda: Plant(before=_early(_error_in_200), service=_service("unreadable")),
    "redirect_to_login": lambda: Plant(
        before=_early(_login), status=_V2, service=_service("unreadable")
    ),
    "captive_portal": lambda: Plant(
        before=_for_all(lambda: HTMLResponse(PORTAL_PAGE)),
        status=StatusPlan(reach="portal"),
        control="portal",
        service=_service("unreadable"),
    ),
    "name_does_not_resolve": lambda: Plant(front="no_name", service=_service("unreachable")),
    "port_closed": lambda: Plant(front="closed", service=_service("unreachable")),
    "nothing_reachable": lambda: Plant(
        front="closed",
        status=StatusPlan(reach="refused"),
        control="refused",
        service=_service("unreachable"),
    ),
    "tls_self_signed": lambda: Plant(front="tls_self_signed", service=_service("unreachable")),
    "accepts_and_hangs": lambda: Plant(front="hangs", service=_service("unreachable")),
    "vendor_four_seconds": lambda: Plant(before=_slow()),
    "everything_slow": lambda: Plant(
        before=_slow(), status=StatusPlan(reach="slow"), control="slow"
    ),
    "bodies_cut_short": lambda: Plant(front="cut", service=_service("unreadable")),
    "maintenance_running": lambda: Plant(
        before=_for_all(_maintenance_answer),
        status=StatusPlan(states={"REST API": "maintenance"}, reports=(_MAINTENANCE,)),
        service=_service("vendor_5xx"),
    ),
    "maintenance_never_closed": lambda: Plant(
        status=StatusPlan(states={"REST API": "maintenance"}, reports=(_FORGOTTEN,))
    ),
    "red_graphql_key_dead": lambda: _dead_key(
        status=StatusPlan(
            states={"GraphQL API": "downtime", "Website": "downtime"},
            reports=(
                Report(
                    "GraphQL and website unavailable",
                    "incident",
                    {"GraphQL API": "downtime", "Website": "downtime"},
                    -30,
                ),
            ),
        )
    ),
    "page_red_api_fine": lambda: Plant(
        status=StatusPlan(
            states={"REST API": "downtime"},
            reports=(Report("REST API unavailable", "incident", {"REST API": "downtime"}, -360),),
        )
    ),
    "service_not_running": lambda: Plant(service=_NO_SERVICE_PAGES),
    "health_200_but_sick": lambda: Plant(
        service=ServicePlan(story="queue_broken", health_body=_SICK_BODY)
    ),
    "health_odd_words_fine": lambda: Plant(
        status=_V2, service=ServicePlan(story="fine", health_body=_ODD_BODY)
    ),
    "health_four_seconds": lambda: Plant(service=ServicePlan(health="slow", metrics="slow")),
    "old_errors_in_log": lambda: Plant(service=_service("old_errors")),
    "service_crash_loop": lambda: Plant(service=_service("crash_loop")),
    "sync_stalled_silently": lambda: Plant(service=_service("stalled")),
    "dead_key_and_dead_service": lambda: _dead_key(service=_NO_SERVICE_PAGES),
    "all_lists_empty": lambda: Plant(before=_early(_empty_rows), service=_service("no_rows")),
    "day_old_cache_answers": _old_cache,
    "vendor_clock_two_hours_ahead": lambda: Plant(clock_ahead=timedelta(hours=2)),
    "gateway_502_vendor_fine": lambda: Plant(gateway="no_upstream", service=_service("vendor_5xx")),
    "gateway_504_no_other_way": lambda: Plant(
        gateway="timeout", direct_way=False, service=_service("vendor_5xx")
    ),
    "every_answer_different": lambda: Plant(
        before=_early(_every_different), service=_service("unreadable")
    ),
    "empty_200": lambda: Plant(
        before=_for_all(lambda: Response(status_code=200)), service=_service("unreadable")
    ),
    "bare_503_control_dead": lambda: Plant(
        before=_for_all(lambda: Response(status_code=503)),
        status=StatusPlan(reach="hangs"),
        control="refused",
        service=_service("vendor_5xx"),
    ),
    "gzip_label_on_plain_body": lambda: Plant(after=_gzip_label, service=_service("unreadable")),
    "only_control_site_down": lambda: Plant(control="refused"),
}
"""The maker of each world; a fresh call gives a world without memory of an earlier one."""
