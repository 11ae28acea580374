"""What a vendor, or something before it, may answer that looks like something else.

Each case is named by the failed input that it is an example of: D5 is throttling in another dress,
D6 a firewall's page, and so on.
"""

from __future__ import annotations

import json
from typing import Any

from deployments.drill.cases.case import Case
from deployments.drill.cases.table import (
    CALL,
    CRITICAL,
    DOWN_MX,
    EXPIRED,
    MAINTENANCE_MX,
    MAINTENANCE_TM,
    M,
    T,
    fault,
    outage,
)

SPENT = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "42"}
ASSETS, USERS = "/assets", "/users"


def answers(status: int, body: Any = "", *endpoints: str, **more: Any) -> dict[str, Any]:
    """`body`: JSON, or a page as text that begins with `<`."""
    page = isinstance(body, str)
    return fault(
        "answers",
        *endpoints,
        status=status,
        body=body if page else json.dumps(body),
        content_type="text/html" if page else "application/json",
        **more,
    )


def page(title: str, heading: str = "") -> str:
    head = f"<!DOCTYPE html><html><head><title>{title}</title></head>"
    return f"{head}<body><h1>{heading or title}</h1></body></html>"


BLOCKED = page("Attention Required!", "Sorry, you have been blocked")
LIMITED = {"message": "API rate limit exceeded"}


def throttled(name: str, says: str, *faults: dict[str, Any], vendor: str = M) -> Case:
    return Case(
        name=name,
        says=says,
        vendor=vendor,
        faults=faults,
        causes=("rate_limit_exceeded",),
        severity=2,
    )


ANSWERS = (
    throttled("d5-403-spent-budget", "D5: 403, remaining 0", answers(403, LIMITED, headers=SPENT)),
    throttled("d5-403-bare", "D5: 403 with a spent budget and no words",
              answers(403, {"message": "Forbidden"}, headers=SPENT)),
    throttled("d5-420", "D5: 420, enhance your calm", answers(420, {"error": "Enhance your calm"})),
    throttled("d5-503-says-so", "D5: 503 that names the limit, with Retry-After",
              answers(503, {"error": "Too many requests"}, headers={"Retry-After": "30"})),
    throttled("d5-200-says-so", "D5: 200, and the error is THROTTLED",
              answers(200, {"errors": [{"message": "Throttled",
                                        "extensions": {"code": "THROTTLED"}}]})),
    throttled("d5-tm-529", "D5: 529 that is a limit",
              answers(529, {"error": {"type": "rate_limit_error", "message": "rate limited"}}),
              vendor=T),
    throttled("d19-iso-reset", "D19: 429 with an ISO date",
              answers(429, {"error": "Too many"}, headers={
                  "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2126-03-01T09:01:00Z"})),
    throttled("d19-float-in-body", "D19: 429, and the wait is in the body",
              answers(429, {"retry_after": 64.57})),
    Case(name="d5-503-retry-after", says="D5: 503 with Retry-After alone is no throttling", vendor=M,
         faults=(answers(503, {"error": "down"}, headers={"Retry-After": "120"}),),
         causes=("vendor_outage",), severity=1),
    Case(name="d12-520", says="D12: the CDN gets no sense out of the vendor", vendor=M,
         faults=(answers(520, page("520: Web server is returning an unknown error")),),
         causes=("vendor_outage",), severity=1),
    Case(name="d12-522-one", says="D12: 522 on one list", vendor=M, faults=(outage(USERS, status=522),),
         causes=("intermittent_errors",), severity=4),
    Case(name="d12-tm-599", says="D12: a 5xx that no list names", vendor=T,
         faults=(outage(status=599),), causes=("vendor_outage",), severity=1),
    Case(name="d9-407", says="D9: 407 on all", vendor=M, faults=(answers(407, page("Proxy")),),
         causes=("network_issue",), severity=1, proven=False),
    Case(name="d9-511", says="D9: 511 on all", vendor=T, faults=(answers(511, page("Sign in")),),
         causes=("network_issue",), severity=1, proven=False),
    Case(name="d9-login-303", says="D9: 303 to a login page on all", vendor=T,
         faults=(answers(303, "", headers={"Location": "https://sso.corp.example/saml"}),),
         causes=("answered_by_another",), severity=1, proven=False),
    Case(name="d9-portal-200", says="D9: a captive portal's page with status 200", vendor=M,
         faults=(answers(200, page("Hotel Wi-Fi: sign in")),), causes=("answered_by_another",),
         severity=1, proven=False),
    Case(name="d9-moved-one", says="D9: 302 on one list is a moved path", vendor=M,
         faults=(fault("redirected", USERS, location="/v2/users"),), causes=("api_path_changed",),
         severity=4),
    Case(name="d6-waf-one", says="D6: a firewall's page on one list", vendor=M,
         faults=(answers(403, BLOCKED, ASSETS, headers={"Server": "cloudflare"}),),
         causes=("access_denied",), severity=4, proven=False),
    Case(name="d6-waf-critical", says="D6: a firewall's page on work orders, of no known maker",
         vendor=M, faults=(answers(403, page("403 Forbidden"), *CRITICAL),),
         causes=("access_denied",), severity=2, proven=False),
    Case(name="d6-waf-406", says="D6: a firewall that answers 406", vendor=T,
         faults=(answers(406, page("Not Acceptable!"), "/models"),), causes=("access_denied",),
         severity=4, proven=False),
    Case(name="d6-waf-all", says="D6: a firewall's page on all", vendor=M,
         faults=(answers(403, BLOCKED),), causes=("access_denied",), severity=1, proven=False),
    Case(name="d7-all-keys-alike", says="D7: every key, and none, gets the same JSON 401", vendor=M,
         faults=(answers(401, {"error": "Invalid token"}),), causes=("vendor_auth_down",),
         severity=1, proven=False),
    Case(name="d7-all-keys-alike-red", says="D7: the same, and the page is red", vendor=M,
         faults=(answers(401, {"error": "Invalid token"}),), page=DOWN_MX,
         causes=("vendor_auth_down",), severity=1),
    Case(name="d7-new-key-refused", says="D7: the same, and a new key is refused too", vendor=M,
         faults=(answers(401, {"error": "Invalid token"}),), pending="good",
         causes=("vendor_auth_down",), severity=1, proven=False),
    Case(name="d7-tm-red-page", says="D7: 401 on all while the page is red", vendor=T,
         faults=(EXPIRED,), page={"API": "major_outage"}, causes=("vendor_auth_down",), severity=1,
         proven=False),
    Case(name="d8-errors-in-200", says="D8: 200 with errors on all", vendor=M,
         faults=(answers(200, {"errors": [{"message": "boom"}]}),),
         causes=("api_contract_changed",), severity=1, proven=False),
    Case(name="d8-outage-in-200", says="D8: 200, and the error is a 503", vendor=M,
         faults=(answers(200, {"error": {"code": 503, "message": "Service unavailable"}}),),
         causes=("vendor_outage",), severity=1),
    Case(name="d8-empty-200", says="D8: 200 and nothing, on all", vendor=M,
         faults=(answers(200, ""),), causes=("api_contract_changed",), severity=1, proven=False),
    Case(name="d8-list-and-error", says="D8: an empty list with an error beside it", vendor=M,
         faults=(answers(200, {"workOrders": [], "errors": [{"message": "shard 3"}]}, *CRITICAL),),
         causes=("api_contract_changed",), severity=2, proven=False),
    Case(name="d4-half-of-the-critical", says="D4: half of the requests to work orders fail", vendor=M,
         faults=(outage(*CRITICAL, share=0.5),), causes=("intermittent_errors",), severity=2, looks=6),
    Case(name="d3-gateway-502", says="D3: our gateway answers 502, the vendor is well", vendor=M,
         wire={"mode": "answer", "status": 502}, gateway=True, causes=("gateway_fault",), severity=1,
         proven=True, mitigations=CALL),
    Case(name="d3-gateway-504", says="D3: our gateway answers 504, the vendor is well", vendor=T,
         wire={"mode": "answer", "status": 504}, gateway=True, causes=("gateway_fault",), severity=1,
         proven=True, mitigations=CALL),
    Case(name="d3-gateway-gone", says="D3: nothing listens at our gateway", vendor=M,
         wire={"mode": "refuse"}, gateway=True, causes=("gateway_fault",), severity=1),
    Case(name="d3-vendor-behind-gateway", says="D3: the vendor fails past our gateway too", vendor=M,
         faults=(outage(),), gateway=True, page=DOWN_MX, causes=("vendor_outage",), severity=1,
         proven=True),
    Case(name="d2-401-in-maintenance", says="D2: 401 on all in announced maintenance", vendor=M,
         faults=(EXPIRED,), page=MAINTENANCE_MX, causes=("api_key_expired",), severity=1,
         proven=False),
    Case(name="d10-403-in-maintenance", says="D10: 403 on one list in announced maintenance", vendor=T,
         faults=(fault("forbidden", "/models"),), page=MAINTENANCE_TM, causes=("key_lacks_scope",),
         severity=4),
    Case(name="d10-page-in-maintenance", says="D10: a page about it in announced maintenance",
         vendor=M, faults=(answers(200, page("Scheduled maintenance")),), page=MAINTENANCE_MX,
         causes=("vendor_maintenance",), severity=3, proven=True),
    Case(name="d11-typo", says="D11: the host of health_url does not resolve", vendor=M,
         health="typo", record=("service_answered",), causes=("service_not_reached",), severity=2,
         proven=False, mitigations=CALL),
    Case(name="d11-wrong-port", says="D11: nothing ever answered at that port", vendor=M,
         health="wrong_port", causes=("service_crash",), severity=1, proven=False),
    Case(name="d11-tls", says="D11: https where our service speaks http", vendor=T, health="tls",
         causes=("service_not_reached",), severity=2, proven=False, mitigations=CALL),
    Case(name="d13-utf-8", says="D13: good JSON with Content-Encoding: utf-8", vendor=M,
         faults=(fault("encoded", declared="utf-8"),), record=("well_walked",), causes=(),
         severity=None),
    Case(name="d13-undeclared-gzip", says="D13: compressed, and not declared", vendor=M,
         faults=(fault("encoded", "/assets", "/users", sent="gzip"),), record=("well_walked",),
         causes=(), severity=None),
    Case(name="d13-gzip-that-is-plain", says="D13: declared gzip, and plain", vendor=T,
         faults=(fault("encoded", "/transcripts", declared="gzip"),), record=("well_walked",), causes=(),
         severity=None),
    Case(name="d13-unreadable", says="D13: compressed in a way that we cannot undo", vendor=M,
         faults=(fault("encoded", declared="br", sent="noise"),), causes=("api_contract_changed",),
         severity=1, proven=False),
)  # fmt: skip
