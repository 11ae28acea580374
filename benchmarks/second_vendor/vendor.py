"""The vendor: lists, single records, keys, paging, budgets and errors of the MaintainX REST API.

The shapes follow the vendor's OpenAPI and what integrators measured. Only reading is served,
because a diagnosing tool must not write. A ``Plan`` hook may answer before the healthy vendor
does, or change what it answered; that is how faults are planted without touching this file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

Record = dict[str, object]
Clock = Callable[[], datetime]

ENVELOPES: Final[Mapping[str, tuple[str, str]]] = {
    "workorders": ("workOrders", "workOrder"),
    "assets": ("assets", "asset"),
    "locations": ("locations", "location"),
    "parts": ("parts", "part"),
    "users": ("users", "user"),
    "organizations": ("organizations", "organization"),
}
"""The key that holds the rows of a list, and the one that holds a single record."""

SORTS: Final[Mapping[str, tuple[str, ...]]] = {
    "workorders": ("updatedAt", "createdAt", "dueDate", "startedAt", "completedAt"),
    "assets": ("id", "createdAt", "updatedAt"),
    "parts": ("id", "createdAt", "updatedAt"),
}
TIME_FILTERED: Final = frozenset({"workorders", "assets", "parts"})
OFFSET_PAGED: Final = frozenset({"assets", "parts"})
STATUSES: Final = ("OPEN", "IN_PROGRESS", "ON_HOLD", "DONE", "CANCELED", "SKIPPED")
PRIORITIES: Final = ("NONE", "LOW", "MEDIUM", "HIGH")
ENUMS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "workorders": {"statuses": STATUSES, "priorities": PRIORITIES},
}
SINGLE_ONLY: Final = frozenset({"externalData"})
TOUCH_EVERY: Final = timedelta(seconds=20)
USER_BUDGET: Final = 100
WINDOW_SECONDS: Final = 60


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Write a moment as the vendor does: UTC with milliseconds and a Z."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def read_moment(text: str) -> datetime | None:
    """Read an ISO 8601 moment; return None where it is none."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@dataclass
class Account:
    """One customer organisation with its records and its users' keys."""

    name: str
    organisation: int
    seed: int
    sizes: Mapping[str, int]
    started: datetime
    tables: dict[str, dict[int, Record]] = field(default_factory=dict)
    touched: int = 0

    def __post_init__(self) -> None:
        self._fill()

    def _times(self, dice: random.Random) -> tuple[str, str]:
        """Return createdAt and updatedAt, the latter within the last days before the start."""
        updated = self.started - timedelta(seconds=30 + dice.random() ** 2 * 6 * 86400)
        created = updated - timedelta(seconds=dice.random() * 90 * 86400)
        return stamp(created), stamp(updated)

    def _fill(self) -> None:
        """Make all records of this account from its seed."""
        dice = random.Random(self.seed)
        base = self.organisation * 1000
        nouns = ("Pump", "Chiller", "Conveyor", "Boiler", "Press", "Lift", "Fan", "Oven")
        jobs = ("Inspect", "Replace filter of", "Grease", "Repair", "Calibrate", "Clean")
        ids = {
            kind: [base + step * 100_000 + n * 3 for n in range(self.sizes[kind])]
            for step, kind in enumerate(("locations", "users", "assets", "parts", "workorders"))
        }
        locations = self.tables.setdefault("locations", {})
        for n, key in enumerate(ids["locations"]):
            created, updated = self._times(dice)
            row: Record = {"id": key, "name": f"Hall {n + 1}", "createdAt": created}
            row["updatedAt"] = updated
            if n % 3 == 0:
                row["address"] = f"{n + 1} Mill Road"
            if n > 10:
                row["parentId"] = ids["locations"][n % 10]
            locations[key] = row
        users = self.tables.setdefault("users", {})
        for n, key in enumerate(ids["users"]):
            users[key] = {
                "id": key,
                "firstName": dice.choice(("Ann", "Bo", "Cem", "Dana", "Eli", "Fay")),
                "lastName": f"Worker{n + 1}",
                "email": f"worker{n + 1}@plant{self.organisation}.example",
                "authType": "SAML" if n % 5 == 0 else "NORMAL",
                "role": "ADMIN" if n == 0 else dice.choice(("MEMBER", "OPERATOR", "REQUESTER")),
            }
        assets = self.tables.setdefault("assets", {})
        for n, key in enumerate(ids["assets"]):
            created, updated = self._times(dice)
            assets[key] = {
                "id": key,
                "name": f"{dice.choice(nouns)} {n + 1}",
                "description": None if n % 4 else "Checked in every quarter",
                "parentId": None,
                "criticalityId": None,
                "locationId": dice.choice(ids["locations"]),
                "serialNumber": f"SN-{self.organisation}-{n:05}",
                "createdAt": created,
                "updatedAt": updated,
                "creatorId": ids["users"][0],
            }
        parts = self.tables.setdefault("parts", {})
        for n, key in enumerate(ids["parts"]):
            created, updated = self._times(dice)
            stock = dice.randrange(0, 80)
            parts[key] = {
                "id": key,
                "name": f"Part {n + 1}",
                "description": None,
                "barcode": f"{key:012}",
                "locationId": dice.choice(ids["locations"]),
                "locations": [],
                "area": None,
                "unitCost": dice.randrange(50, 90_000),
                "availableQuantity": stock,
                "minimumQuantity": 5,
                "orderedQuantity": 0,
                "reservedQuantity": 0,
                "partTypes": [],
                "createdAt": created,
                "updatedAt": updated,
            }
        orders = self.tables.setdefault("workorders", {})
        for n, key in enumerate(ids["workorders"]):
            created, updated = self._times(dice)
            asset = dice.choice(ids["assets"])
            orders[key] = {
                "id": key,
                "sequentialId": n + 1,
                "title": f"{dice.choice(jobs)} {assets[asset]['name']}",
                "status": dice.choices(STATUSES, weights=(40, 15, 8, 30, 5, 2))[0],
                "priority": dice.choice(PRIORITIES),
                "type": dice.choice(("REACTIVE", "PREVENTIVE", "OTHER")),
                "createdAt": created,
                "updatedAt": updated,
                "creatorId": ids["users"][0],
                "assetId": asset,
                "locationId": assets[asset]["locationId"],
                "organizationId": self.organisation,
                "partStatus": "NO_PARTS",
                "externalData": None,
            }
        self.tables["organizations"] = {
            self.organisation: {
                "id": self.organisation,
                "name": self.name,
                "timeZone": "Europe/Berlin",
                "currency": "EUR",
            }
        }

    def advance(self, now: datetime) -> None:
        """Touch one work order for each 20 seconds since the start; now and then add one."""
        due = int((now - self.started) / TOUCH_EVERY) if now > self.started else 0
        orders = self.tables["workorders"]
        while self.touched < due:
            self.touched += 1
            moment = stamp(self.started + self.touched * TOUCH_EVERY)
            keys = sorted(orders)
            if self.touched % 5 == 0:
                new = dict(orders[keys[-1]])
                new["id"] = keys[-1] + 3
                new["sequentialId"] = len(keys) + 1
                new["status"] = "OPEN"
                new["createdAt"] = new["updatedAt"] = moment
                orders[keys[-1] + 3] = new
            else:
                pick = keys[(self.touched * 7919) % len(keys)]
                orders[pick] = {**orders[pick], "updatedAt": moment}


@dataclass
class Budget:
    """The requests that one user may make within a fixed window."""

    limit: int = USER_BUDGET
    used: int = 0
    window_from: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Count one request; return whether it is still within the budget."""
        if self.window_from is None or (now - self.window_from).total_seconds() >= WINDOW_SECONDS:
            self.window_from, self.used = now, 0
        self.used += 1
        return self.used <= self.limit

    def headers(self, now: datetime) -> dict[str, str]:
        """Return the three headers as the vendor spells them; Reset counts seconds left."""
        since = (now - self.window_from).total_seconds() if self.window_from else 0.0
        return {
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(max(0, self.limit - self.used)),
            "X-Rate-Limit-Reset": str(max(0, round(WINDOW_SECONDS - since))),
        }


@dataclass(frozen=True)
class Ask:
    """One request as a planted fault sees it."""

    number: int
    method: str
    path: str
    resource: str | None
    record: str | None
    who: str | None
    sent_key: bool
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]


Before = Callable[[Ask], Awaitable[Response | None]]
After = Callable[[Ask, Response], Awaitable[Response]]


class Vendor:
    """The ASGI application that behaves like the vendor's REST API under ``/v1``."""

    def __init__(
        self,
        keys: Mapping[str, str],
        *,
        seed: int = 20261,
        budget: int = USER_BUDGET,
        clock: Clock = utc_now,
        before: Before | None = None,
        after: After | None = None,
    ) -> None:
        """Take the accepted keys by role (``current``, ``second``, ``other``)."""
        self.clock = clock
        self.before = before
        self.after = after
        self.asked = 0
        started = clock()
        ours = Account(
            "North Plant",
            4101,
            seed,
            {"workorders": 1300, "assets": 420, "locations": 90, "parts": 560, "users": 75},
            started,
        )
        theirs = Account(
            "Unrelated Works",
            7702,
            seed + 1,
            {"workorders": 160, "assets": 60, "locations": 12, "parts": 40, "users": 9},
            started,
        )
        self.accounts = {"current": ours, "other": ours, "second": theirs}
        self._roles = {token: role for role, token in keys.items()}
        our_budget = Budget(budget)
        self._budgets = {"current": our_budget, "other": our_budget, "second": Budget(budget)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        response = await self.answer(request)
        response.headers.setdefault("Date", format_datetime(self.clock(), usegmt=True))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """Let the planted fault speak first, then the healthy vendor, then the fault again."""
        self.asked += 1
        ask = self._ask(request)
        if self.before is not None:
            early = await self.before(ask)
            if early is not None:
                return early
        response = self.healthy(ask)
        if self.after is not None:
            response = await self.after(ask, response)
        return response

    def _ask(self, request: Request) -> Ask:
        """Take apart what was asked and by whom."""
        path = request.url.path
        pieces = [piece for piece in path.split("/") if piece]
        inside = pieces[1:] if pieces[:1] in (["v1"], ["v2"]) else []
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        known = self._roles.get(token.strip()) if scheme.lower() == "bearer" else None
        return Ask(
            number=self.asked,
            method=request.method,
            path=path,
            resource=inside[0] if inside else None,
            record=inside[1] if len(inside) > 1 else None,
            who=known,
            sent_key=bool(header.strip()),
            query=tuple(parse_qsl(request.url.query, keep_blank_values=True)),
            headers=dict(request.headers),
        )

    def healthy(self, ask: Ask) -> Response:
        """Answer as a vendor in good health does."""
        if not ask.path.startswith("/v1/") or ask.resource is None:
            return JSONResponse({"error": "Not Found."}, 404)
        if ask.resource == "openapi.json":
            return JSONResponse({"openapi": "3.0.0", "info": {"title": "API", "version": "1"}})
        if not ask.sent_key:
            return Response("Invalid authentication token", 401, media_type="text/html")
        if ask.who is None:
            return JSONResponse({"error": "Invalid token"}, 401)
        now = self.clock()
        budget = self._budgets[ask.who]
        granted = budget.take(now)
        headers = budget.headers(now)
        if not granted:
            text = f"Too many requests. Please retry in {headers['X-Rate-Limit-Reset']} seconds"
            return JSONResponse({"error": text}, 429, headers)
        response = self._serve(ask, self.accounts[ask.who], now)
        response.headers.update(headers)
        return response

    def _serve(self, ask: Ask, account: Account, now: datetime) -> Response:
        """Answer a request that login and budget have let through."""
        if ask.method not in ("GET", "HEAD"):
            return JSONResponse({"error": "This stand-in only serves reading."}, 405)
        if ask.resource == "versions":
            return JSONResponse([{"version": "v1"}])
        resource = ask.resource
        known = resource is not None and resource in ENVELOPES
        if resource is None or not known or len(ask.path.strip("/").split("/")) > 3:
            return JSONResponse({"error": "Not Found."}, 404)
        account.advance(now)
        if ask.record is not None:
            return self._single(ask, account, resource, ask.record)
        return self._list(ask, account, resource)

    def _single(self, ask: Ask, account: Account, resource: str, record: str) -> Response:
        """Answer one record by its id, or by its sequential number where asked so."""
        if not record.isdigit():
            return JSONResponse({"error": "'id' must be an integer"}, 400)
        table = account.tables[resource]
        wanted = int(record)
        if resource == "workorders" and ("useSequentialId", "true") in ask.query:
            found = [row for row in table.values() if row["sequentialId"] == wanted]
            row = found[0] if found else None
        else:
            row = table.get(wanted)
        if row is None:
            return JSONResponse({"error": "Not Found."}, 404)
        return JSONResponse({ENVELOPES[resource][1]: row})

    def _list(self, ask: Ask, account: Account, resource: str) -> Response:
        """Answer one page of a list with its filters, order and cursor."""
        query = [(name, value) for name, value in ask.query if name != "cursor"]
        limit = 100
        start: object = None
        for name, value in ask.query:
            if name == "status" and resource == "workorders":
                return JSONResponse({"error": "'status' is not allowed"}, 400)
            if name == "limit":
                if not value.lstrip("-").isdigit():
                    return _limit_error("must be integer", value)
                limit = int(value)
                if limit > 200:
                    return _limit_error("must be <= 200", limit)
                if limit < 1:
                    return _limit_error("must be >= 1", limit)
            if name == "cursor":
                opened = _open_cursor(value)
                if opened is None:
                    return JSONResponse({"error": "Invalid cursor"}, 400)
                start, kept = opened
                given = {key for key, _ in query}
                query += [(key, text) for key, text in kept if key not in given]
        rows, problem = _select(list(account.tables[resource].values()), resource, query)
        if problem is not None:
            return JSONResponse({"error": problem}, 400)
        order = next((value for name, value in query if name == "sort"), "id")
        page, following = _page(rows, resource, order, limit, start)
        kept_filters = [(name, value) for name, value in query if name != "limit"]
        cursor = _close_cursor(following, kept_filters) if following is not None else None
        path = None
        if cursor is not None:
            path = f"/v1/{resource}?" + urlencode([("limit", str(limit)), ("cursor", cursor)])
        shown = [
            {key: value for key, value in row.items() if key not in SINGLE_ONLY} for row in page
        ]
        return JSONResponse(
            {ENVELOPES[resource][0]: shown, "nextCursor": cursor, "nextPageUrl": path}
        )


def _limit_error(text: str, value: object) -> Response:
    """Return the envelope of a refused page size."""
    return JSONResponse(
        {"errors": [{"error": text, "fieldPath": "limit", "fieldValue": value}]}, 400
    )


def _select(
    rows: list[Record], resource: str, query: list[tuple[str, str]]
) -> tuple[list[Record], str | None]:
    """Filter and order rows; return them, or the vendor's words for a bad parameter."""
    chosen: dict[str, set[str]] = {}
    order = "id"
    for name, value in query:
        if name == "sort":
            if resource in SORTS and value.removeprefix("-") not in SORTS[resource]:
                return [], f"'{value}' is not a member of {', '.join(SORTS[resource])}"
            order = value if resource in SORTS else "id"
        elif name in ENUMS.get(resource, {}):
            if value not in ENUMS[resource][name]:
                return [], f"'{value}' is not a member of {', '.join(ENUMS[resource][name])}"
            chosen.setdefault(name, set()).add(value)
        elif resource in TIME_FILTERED and name in (
            "updatedAt[gte]",
            "updatedAt[lte]",
            "createdAt[gte]",
            "createdAt[lte]",
        ):
            bound = read_moment(value)
            if bound is None:
                return [], f"'{name}' must be a date-time"
            rows = [row for row in rows if _within(row, name, bound)]
        elif name in ("title", "name", "email", "partNumber", "locationId"):
            rows = [row for row in rows if name not in row or value in str(row[name])]
    if chosen.get("statuses") == {"CANCELED", "SKIPPED"}:
        return [], None  # measured at the live vendor: this pair alone gives an empty list
    columns = {"statuses": "status", "priorities": "priority"}
    for name, allowed in chosen.items():
        rows = [row for row in rows if row[columns[name]] in allowed]
    rows = sorted(rows, key=lambda row: _rank(row, order), reverse=order.startswith("-"))
    return rows, None


def _within(row: Record, name: str, bound: datetime) -> bool:
    """Tell whether a row keeps to one time bound such as ``updatedAt[gte]``."""
    moment = read_moment(str(row[name[:9]]))
    if moment is None:
        return False
    return moment >= bound if name.endswith("[gte]") else moment <= bound


def _rank(row: Record, order: str) -> tuple[str, int]:
    """Return the sorting key of a row; rows without the value come first."""
    column = order.removeprefix("-")
    key = row["id"]
    assert isinstance(key, int)
    return ("" if column == "id" else str(row.get(column, "")), key)


def _page(
    rows: list[Record], resource: str, order: str, limit: int, start: object
) -> tuple[list[Record], object]:
    """Cut one page; return it with the reference of the next one, or None at the end."""
    if resource in OFFSET_PAGED:
        offset = start if isinstance(start, int) else 0
        page = rows[offset : offset + limit]
        return page, offset + limit if offset + limit < len(rows) else None
    if isinstance(start, list) and len(start) == 2:
        last = (str(start[0]), int(start[1]))
        down = order.startswith("-")
        rows = [
            row for row in rows if (_rank(row, order) < last if down else _rank(row, order) > last)
        ]
    page = rows[:limit]
    return page, list(_rank(page[-1], order)) if len(rows) > limit else None


def _close_cursor(reference: object, kept: list[tuple[str, str]]) -> str:
    """Pack the place in the list and its filters into an opaque text."""
    raw = json.dumps({"at": reference, "kept": kept}, separators=(",", ":"))
    mark = hashlib.sha256(raw.encode()).hexdigest()[:8]
    return base64.urlsafe_b64encode(f"{mark}{raw}".encode()).decode().rstrip("=")


def _open_cursor(text: str) -> tuple[object, list[tuple[str, str]]] | None:
    """Unpack a cursor; return None where it was not made by this server."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if hashlib.sha256(raw[8:].encode()).hexdigest()[:8] != raw[:8]:
        return None
    opened = json.loads(raw[8:])
    return opened["at"], [(name, value) for name, value in opened["kept"]]
