"""A triage in the terminal: the answer first, whole at any width, and no text of others commands it."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import NAME
from loopback import RawServer, http, raw_server
from making import (
    T0,
    changed,
    contrast,
    incident,
    measured,
    network,
    runbook,
    seen,
    service,
    status_page,
)
from rich.console import Console

from deployments.commands.looking import costing
from deployments.commands.telling import tell_triage, triage_json
from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import UserError
from watchkeeper.evidence import Evidence, Kind, Outcome
from watchkeeper.performing.triage_told import told_of
from watchkeeper.performing.triaging import Triage, triage
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import RateLimit
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.people import Checklist
from watchkeeper.runbook.probes import Probe
from watchkeeper.store import observations
from watchkeeper.told import Told
from watchkeeper.triage_markdown import triage_markdown

HOSTILE = "[red]x[/] [link=http://evil.example]y[/link] :bomb: \x1b[2J\x1b]0;t\x07 \u202e\r\n\x9b1m"
AROUND = (
    service(503, detail="status unhealthy; failing: maintainx_api"),
    status_page(Outcome.OK),
    *(network(name, value=0.1, unit="s") for name in ("dns", "tcp", "tls", "control")),
    measured(Kind.RATE, "rate", detail="93 of 100 requests left", value=93.0),
    *(measured(Kind.VOLUME, f"job-{n}", value=float(n)) for n in range(4)),
    *(measured(Kind.METRIC, name, value=0.5) for name in ("error_share", "latency_p95")),
    measured(Kind.LOG, "errors", Outcome.DOWN, detail="12 lines of 400: 12x timeout"),
    measured(Kind.RUNTIME, "pods", Outcome.DEGRADED, fault="busy", detail="2 of 3 ready"),
    measured(Kind.CLOCK, "vendor", detail="the same as ours"),
    *(measured(Kind.KEY, name, signature="0a1b2c3d") for name in ("store", "service")),
    *(measured(Kind.DATA, n, Outcome.UNKNOWN, detail="a gap is open") for n in ("a", "b")),
    measured(Kind.CHANGE, "deploy", Outcome.UNKNOWN, detail="v1.2, 5 min ago by ada"),
)
MINUTES = tuple(
    Checklist(
        title=f"First five minutes: {when}", items=("Acknowledge the page", "Join the channel")
    )
    for when in ("acknowledge", "health check", "assessment", "communication")
)


def told(evidence: Evidence, **more: Any) -> Told:
    book = more.pop("runbook", runbook())
    return Told(runbook=book, evidence=evidence, diagnosis=diagnose(evidence, book), **more)


USUAL = told(
    seen(
        401,
        *AROUND,
        contrast("no_key", 401),
        contrast("made_up_key", 401),
        *(contrast("again", 401, of=of) for of in ("workorders", "assets") for _ in range(4)),
        detail="the key was refused",
    ),
    incident=incident(),
    runbook=changed(checklists=MINUTES),
)


def shown(found: Told, width: int = 100, *, everything: bool = False, colour: bool = False) -> str:
    out = io.StringIO()
    force = {"force_terminal": True, "color_system": "truecolor"} if colour else {}
    on = Console(file=out, width=width, highlight=False, soft_wrap=True, **force)  # type: ignore[arg-type]
    tell_triage(found, everything=everything, on=on)
    return out.getvalue()


def test_the_answer_comes_first() -> None:
    """On the first lines: what it is, how bad and why, since when, and what to type."""
    lines = shown(USUAL).splitlines()
    assert lines[0] == f"{NAME} at 2026-03-02 09:00:00Z · likely: api_key_expired"
    assert lines[1] == "4 of 4 endpoints: the API key has expired or was revoked"
    assert lines[2].startswith("SEV-1 (no endpoint answers well): ")
    assert lines[3].startswith("impact: 4 of 4 endpoints fail; nothing new for workorder-sync, ")
    assert lines[4] == "since 08:55:00Z, 5 min ago: INC-7, open"
    assert lines[5] == f"next: watchkeeper mitigate {NAME}"


def test_a_usual_case_is_little_more_than_a_screen() -> None:
    """What is seen, what is meant and what to do fit on one; what was ruled out, where every other
    cause of the runbook is named, and the links come below."""
    lines = shown(USUAL).splitlines()
    assert next(n for n, line in enumerate(lines) if line.startswith("ruled out")) <= 43
    assert len(lines) <= 65


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_part_is_wider_than_the_terminal(width: int) -> None:
    """But for the lines that a person may copy, which the terminal wraps."""
    whole = shown(USUAL, width).splitlines()
    assert [line for line in whole[5:] if len(line.rstrip()) > width and "://" not in line] == []


def test_every_part_is_there() -> None:
    """In words, and in the order in which a person asks."""
    text = shown(USUAL)
    wanted = [
        *("* critical", "*  workorders", "   assets", "contrasts", "with no key: 401"),
        *("again: assets 0 of 4, workorders 0 of 4", "status page", "service", "network "),
        *("key ", "budget", "metrics", "logs", "runtime", "clock", "data", "changes"),
        *("for it", "check ", "pause-all-jobs (propose)", "acknowledge", "communication"),
        *("ruled out", "no sign of", "API keys: https://"),
    ]
    at = 0
    for part in wanted:
        assert part in text[at:], part
        at = text.index(part, at)


def test_what_is_left_out_is_counted_and_can_be_had() -> None:
    again = (contrast("again", 503, detail=f"no {n}") for n in range(20))
    many = told(seen(503, *again))
    assert "and 19 more: --all" in shown(many)
    assert "no 19" not in shown(many)
    whole = shown(many, everything=True)
    assert "more: --all" not in whole
    assert "no 19" in whole


def test_health_is_told_shortly() -> None:
    text = shown(told(seen()))
    assert text.splitlines()[:2] == [
        f"{NAME} at 2026-03-02 09:00:00Z · healthy",
        "4 of 4 endpoints answer",
    ]
    assert "ruled out" not in text
    assert "next: " not in text
    assert len(text.splitlines()) < 12


@pytest.mark.parametrize("everything", [False, True])
def test_what_others_say_commands_no_terminal(everything: bool) -> None:
    """No colour, no link, no title, no line of its own: neither markup nor control characters."""
    evidence = seen(
        503,
        service(503, detail=HOSTILE),
        contrast("description", 200, detail=HOSTILE),
        contrast("again", 503, of=HOSTILE),
        measured(Kind.LOG, HOSTILE, Outcome.DOWN, detail=HOSTILE),
        measured(Kind.DATA, HOSTILE, Outcome.UNKNOWN, detail=HOSTILE),
        detail=HOSTILE,
        target=HOSTILE,
    )
    text = shown(told(evidence, incident=incident(taken_by=HOSTILE)), 400, everything=everything)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "[red]x[/]" in text
    assert ":bomb:" in text


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in shown(USUAL)
    assert "\x1b[" in shown(USUAL, colour=True)


# --- JSON ---------------------------------------------------------------------------------------


def test_what_could_not_be_asked_comes_first() -> None:
    """In words, in Markdown and in JSON: a verdict rests on nothing that was not asked."""
    page = replace(status_page(Outcome.UNKNOWN, "timeout"), status=None, target="status page")
    unasked = replace(contrast("other_key", "no_turn"), outcome=Outcome.UNKNOWN)
    found = told(seen(401, page, unasked, service("dns")))
    said = (
        "not checked: status page (timeout), our service (its name does not resolve), "
        "contrast other key (no turn in our budget)"
    )
    assert shown(found).splitlines()[0] == said
    assert triage_markdown(found).startswith(f"**{said}**")
    asked = triage_json(found)
    assert next(iter(asked)) == "not_checked"
    assert asked["not_checked"][0] == {"what": "status page", "why": "timeout"}
    assert triage_json(told(seen(401)))["not_checked"] == []


def test_json_holds_all_that_the_words_do() -> None:
    found = triage_json(USUAL)
    assert set(found) == {
        *(
            "not_checked",
            "integration",
            "at",
            "verdict",
            "cause",
            "severity",
            "because",
            "evidence",
        ),
        *("counter_evidence", "ruled_out", "probes", "mitigations"),
        *("causes", "unexplained", "next", "links"),
    }
    (first, *_) = found["causes"]
    assert (first["cause"], first["verdict"], first["severity"]) == ("api_key_expired", "likely", 1)
    assert first["severity_because"] == "no endpoint answers well"
    assert found["next"][0] == f"watchkeeper mitigate {NAME}"
    assert found["links"][0]["title"] == "API keys"


def test_json_says_what_was_measured_where_something_was() -> None:
    by_name = {(p["kind"], p["probe"]): p for p in triage_json(USUAL)["probes"]}
    assert by_name["contrast", "no_key"]["of"] == "workorders"
    assert by_name["network", "dns"]["value"] == 0.1
    assert by_name["network", "dns"]["unit"] == "s"
    assert {"value", "bound", "unit", "of"} & set(by_name["endpoint", "assets"]) == set()


# --- what our record adds -----------------------------------------------------------------------


def test_the_last_looks_are_put_beside_it(watch: Watch, watched: Watched) -> None:
    """Those before this one, the newest last, of each endpoint its own."""
    for minute in range(25):
        look = seen({"assets": 503}, at=T0.replace(hour=8, minute=minute))
        with watch.store.write() as session:
            observations.keep(session, look)
    now = seen()
    with watch.store.write() as session:
        observations.keep(session, now)
    told_now = told_of(watch, watched, Triage(now, diagnose(now, watched.runbook)))
    assert sorted(told_now.past) == ["assets", "locations", "users", "workorders"]
    assert [r.at.minute for r in told_now.past["assets"]] == list(range(6, 25))
    assert {r.status for r in told_now.past["assets"]} == {503}
    assert told_now.incident is None


# --- probes that cost ---------------------------------------------------------------------------

ORDER = Probe(name="order", path="/order", method="POST", body={"n": 1}, costs=True)


def with_order(watched: Watched, url: str) -> Watched:
    integration = watched.integration.model_copy(update={"base_url": f"{url}/v1"})
    book = watched.runbook.model_copy(
        update={
            "probes": (*watched.runbook.probes, ORDER),
            "rate_limit": RateLimit(requests=100_000, per="1 s"),
        }
    )
    return Watched(integration=integration, runbook=book)


async def _posts(
    watch: Watch, watched: Watched, answer: bytes, also: tuple[str, ...]
) -> tuple[RawServer, Triage]:
    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        lists = {f'"{p.envelope}": []' for p in watched.runbook.probes if p.envelope}
        good = http(f"{{{', '.join(lists)}}}".encode())
        writer.write(answer if head.startswith("POST") else good)
        await writer.drain()

    async with raw_server(script) as server:
        found = await triage(watch, with_order(watched, server.url), also=also)
    return server, found


COSTS = [
    ((), http({"id": 1}), 0, None),
    (("order",), http({"id": 1}, 201), 1, (201, Outcome.OK)),
    # What fails is asked again; not what costs.
    (("order",), http({}, 503), 1, (503, Outcome.DOWN)),
    # Sent, and nothing came back: a reading like any other.
    (("order",), b"", 1, (None, Outcome.DOWN)),
]


@pytest.mark.parametrize(("also", "answer", "times", "reading"), COSTS)
def test_what_costs_is_asked_once_and_only_for_a_person(
    watch: Watch,
    watched: Watched,
    also: tuple[str, ...],
    answer: bytes,
    times: int,
    reading: tuple[int | None, Outcome] | None,
) -> None:
    server, found = asyncio.run(_posts(watch, watched, answer, also))
    assert [head.split()[0] for head in server.heads].count("POST") == times
    seen_there = found.evidence.one(Kind.ENDPOINT, "order")
    assert (seen_there and (seen_there.status, seen_there.outcome)) == reading
    assert not [r for r in found.evidence.of(Kind.CONTRAST) if r.of == "order"]


BAD = [
    ("order", ("ordr",), "has no probe 'ordr' that costs something; it has: order"),
    ("order", ("assets",), "has no probe 'assets' that costs something; it has: order"),
    (None, ("order",), "has no probe 'order' that costs something; it has none: leave --with out"),
]


@pytest.mark.parametrize(("has", "asked", "said"), BAD)
def test_another_name_is_refused(
    watched: Watched, has: str | None, asked: tuple[str, ...], said: str
) -> None:
    there = with_order(watched, "http://127.0.0.1:9") if has else watched
    with pytest.raises(UserError, match=said):
        costing(there, asked)
    assert costing(there, ()) == ()


def test_no_key_of_ours_is_a_cause(watch: Watch, watched: Watched, tmp_path: Path) -> None:
    """And nothing is sent, the probe that costs included."""
    (tmp_path / "key.json").unlink()
    server, found = asyncio.run(_posts(watch, watched, http({}), ("order",)))
    assert found.diagnosis.cause == "key_missing"
    assert server.heads == []
    assert found.evidence.one(Kind.ENDPOINT, "order") is not None
