"""What is told of a triage: the same words in the terminal and in Prefect, from values alone."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from making import (
    MINUTE,
    NAME,
    T0,
    changed,
    contrast,
    endpoint,
    incident,
    measured,
    network,
    runbook,
    seen,
    service,
    status_page,
)

from watchkeeper.contrast_text import contrast_sentences
from watchkeeper.diagnosis import RuledOut, Verdict, diagnose
from watchkeeper.evidence import TOTAL, Evidence, Kind, Outcome, Reading
from watchkeeper.impact import impact
from watchkeeper.incident import Incident, State
from watchkeeper.latency_picture import bar, picture, sparkline
from watchkeeper.next_steps import checks, mitigations, more_commands, next_command, next_steps
from watchkeeper.reading_text import around
from watchkeeper.ruled_out_text import ruled_out_lines
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.runbook.people import Checklist, Support
from watchkeeper.runbook.probes import Probe
from watchkeeper.told import Told
from watchkeeper.triage_markdown import triage_markdown
from watchkeeper.triage_text import (
    alike,
    first_minutes,
    headline,
    links,
    other_causes,
    plain,
    severity_line,
    since_line,
    support,
)


def told(evidence: Evidence, **more: Any) -> Told:
    book = more.pop("runbook", runbook())
    return Told(runbook=book, evidence=evidence, diagnosis=diagnose(evidence, book), **more)


EXPIRED = seen(401, contrast("no_key", 401))
HEALTHY = seen()
KEY_GONE = seen("no key of ours")
COSTLY = (*runbook().probes, Probe(name="order", path="/o", method="POST", costs=True))


# --- contrasts ----------------------------------------------------------------------------------

SAME, OTHER = {"signature": "401 json a"}, {"signature": "401 html b"}
CONTRASTS: list[tuple[Evidence, tuple[str, ...]]] = [
    (HEALTHY, ()),
    (
        seen(401, contrast("no_key", 401, **SAME), **SAME),
        ("with no key: 401, the same answer as ours",),
    ),
    (
        seen(401, contrast("made_up_key", 401, **OTHER), **SAME),
        ("with a key that nobody has: 401, in other words than ours",),
    ),
    (
        seen(401, contrast("second_key", 200)),
        ("with the second key: 200, where ours gets 401",),
    ),
    (
        seen("timeout", contrast("no_key", "timeout")),
        ("with no key: no answer (timeout), as ours",),
    ),
    (
        seen(401, contrast("other_key", "too_large")),
        ("with the key that is offered: no answer (too large), where ours gets 401",),
    ),
    (seen(401, contrast("other_key", 200, of="")), ("with the key that is offered: 200",)),
    (
        seen(503, *(contrast("again", status) for status in (200, 503, 200, 200))),
        ("again: 3 of 4 answered well",),
    ),
    (
        seen(503, contrast("again", 200), contrast("again", 503, of="assets")),
        ("again: assets 0 of 1, workorders 1 of 1 answered well",),
    ),
    (
        seen(404, contrast("description", 200, detail="/x is not among its 4 paths")),
        ("in the vendor's description of its API: /x is not among its 4 paths",),
    ),
    (
        seen("timeout", contrast("direct", 401, of="")),
        ("at the vendor's own address, with no key: 401",),
    ),
]


@pytest.mark.parametrize(("evidence", "sentences"), CONTRASTS)
def test_a_contrast_is_a_sentence(evidence: Evidence, sentences: tuple[str, ...]) -> None:
    assert contrast_sentences(evidence) == sentences


# --- the answer ---------------------------------------------------------------------------------


def test_the_answer_of_a_failure() -> None:
    found = told(EXPIRED)
    assert headline(found) == "likely: api_key_expired"
    assert severity_line(found) == (
        "SEV-1 (no endpoint answers well): The whole integration has failed; no work order goes "
        "through; act within 15 min"
    )
    assert since_line(found) == ""


def test_the_answer_of_health() -> None:
    found = told(HEALTHY)
    assert (headline(found), severity_line(found), next_steps(found)) == ("healthy", "", ())


def test_a_severity_that_no_cause_gives_says_so() -> None:
    """Something fails and no row explains it."""
    found = told(seen({"assets": 418}), runbook=changed(causes=runbook().causes[:1]))
    assert found.diagnosis.verdict is Verdict.INCONCLUSIVE
    assert severity_line(found).startswith("SEV-2 (not all of it is explained): ")


def test_a_reason_is_not_told_twice() -> None:
    """Where the severity rests on the cause alone."""
    found = told(seen(200, service("refused")))
    assert found.diagnosis.cause == "service_crash"
    assert severity_line(found).startswith("SEV-1: ")


SINCE: list[tuple[Incident, str]] = [
    (incident(), "08:55:00Z, 5 min ago: INC-7, open"),
    (incident(taken_by="ada"), "08:55:00Z, 5 min ago: INC-7, open, taken by ada"),
    (
        incident(started_at=T0 - timedelta(days=1), state=State.TRIAGED),
        "2026-03-01 09:00:00Z, 24 h ago: INC-7, triaged",
    ),
    (incident(started_at=T0 + MINUTE), "09:01:00Z, 0 s ago: INC-7, open"),
]


@pytest.mark.parametrize(("found", "said"), SINCE)
def test_since_when(found: Incident, said: str) -> None:
    assert since_line(told(EXPIRED, incident=found)) == said


# --- what next ----------------------------------------------------------------------------------

OPEN = f'watchkeeper incident open {NAME} --reason "api_key_expired"'
ASKED = f"watchkeeper key offer {NAME} && watchkeeper approve INC-7"
NEXT: list[tuple[Evidence, dict[str, Any], str | None]] = [
    (HEALTHY, {}, None),
    (HEALTHY, {"incident": incident()}, "watchkeeper status"),
    (EXPIRED, {}, OPEN),
    (EXPIRED, {"incident": incident()}, f"watchkeeper mitigate {NAME}"),
    (EXPIRED, {"incident": incident(), "question": ASKED}, ASKED),
    (EXPIRED, {"incident": incident(state=State.MITIGATED)}, "watchkeeper incident show INC-7"),
    (
        seen({"assets": 418}),
        {"incident": incident(), "runbook": changed(causes=runbook().causes[:1])},
        "watchkeeper incident show INC-7",
    ),
    (
        seen({"assets": 418}),
        {"runbook": changed(causes=runbook().causes[:1])},
        f'watchkeeper incident open {NAME} --reason "not well"',
    ),
]


@pytest.mark.parametrize(("evidence", "more", "command"), NEXT)
def test_the_next_command(evidence: Evidence, more: dict[str, Any], command: str | None) -> None:
    assert next_command(told(evidence, **more)) == command


MORE: list[tuple[Evidence, dict[str, Any], tuple[str, ...]]] = [
    (HEALTHY, {}, ()),
    (EXPIRED, {}, (f"watchkeeper key offer {NAME}",)),
    (EXPIRED, {"incident": incident(), "question": ASKED}, ()),
    (seen(401, contrast("other_key", 401)), {}, ()),
    (seen(503), {}, ()),
    (
        seen(503, measured(Kind.KEY, "store", Outcome.DOWN)),
        {},
        (f"watchkeeper key offer {NAME}",),
    ),
    (
        seen({"assets": 418}),
        {"runbook": changed(causes=runbook().causes[:1], probes=COSTLY)},
        (f"watchkeeper triage {NAME} --with order",),
    ),
    (
        seen({"assets": 418}, endpoint("order", 200)),
        {"runbook": changed(causes=runbook().causes[:1], probes=COSTLY)},
        (),
    ),
    (EXPIRED, {"runbook": changed(probes=COSTLY)}, (f"watchkeeper key offer {NAME}",)),
]


@pytest.mark.parametrize(("evidence", "more", "commands"), MORE)
def test_what_would_make_it_surer(
    evidence: Evidence, more: dict[str, Any], commands: tuple[str, ...]
) -> None:
    """A key to compare with, or a probe that only a person may run."""
    assert more_commands(told(evidence, **more)) == commands


def test_every_next_step_in_order() -> None:
    rule = runbook().cause("api_key_expired")
    assert rule is not None
    book = changed(causes=(rule.model_copy(update={"steps": ("Say so",)}),))
    steps = next_steps(told(EXPIRED, runbook=book))
    assert steps == (
        OPEN,
        f"watchkeeper key offer {NAME}",
        rule.check,
        "it would be confirmed by: other key accepted and fails each time",
        "Say so",
    )


def test_what_is_proven_needs_no_proof() -> None:
    found = told(seen(401, contrast("other_key", 200), contrast("again", 401)))
    assert found.diagnosis.verdict is Verdict.CONFIRMED
    assert len(checks(found)) == 1


def test_each_way_to_prove_it() -> None:
    assert checks(told(seen(503)))[1] == (
        "it would be confirmed by: vendor status down and fails each time, or "
        "fails without key and fails each time and errors are the vendors and control answers"
    )


def test_mitigations_say_who_decides() -> None:
    assert mitigations(told(HEALTHY)) == ()
    assert [said.partition(":")[0] for said in mitigations(told(EXPIRED))] == [
        "pause-all-jobs (propose)",
        "rotate-key (propose)",
    ]


def test_links_of_the_cause_come_first_and_once() -> None:
    found = links(told(EXPIRED))
    assert (found[0].title, found[0].url.rpartition("/")[2]) == ("API keys", "apiKeys")
    assert len({link.url for link in found}) == len(found) == len(runbook().links)


def test_who_has_a_link_is_not_told_twice() -> None:
    more = Support(title="Mail", contact="help@vendor.example")
    book = changed(support=(*runbook().support, more))
    assert support(told(EXPIRED, runbook=book)) == (more,)


def test_the_first_minutes() -> None:
    lists = (
        Checklist(title="First five minutes: acknowledge", items=("the page",)),
        Checklist(title="First five minutes", items=("look",)),
        Checklist(title="Within a day", items=("rest",)),
    )
    assert first_minutes(changed(checklists=lists)) == (
        ("acknowledge", ("the page",)),
        ("first five minutes", ("look",)),
    )


# --- what stands around it ----------------------------------------------------------------------


def said_of(*readings: Reading, everything: bool = False) -> list[tuple[str, str]]:
    lines = around(seen(200, *readings), everything=everything)
    return [(line.group, line.says) for line in lines]


AROUND: list[tuple[tuple[Reading, ...], list[tuple[str, str]]]] = [
    ((), []),
    (
        (service(200), status_page(Outcome.OK)),
        [
            ("status page", "/status_page?limit=1 answered 200 in 0.10 s"),
            ("service", "our service answered 200 in 0.10 s"),
        ],
    ),
    (
        (network("dns", value=0.012, unit="s"), network("tcp", value=0.3, unit="s")),
        [("network", "well: dns 0.01 s, tcp 0.30 s")],
    ),
    (
        (
            network("dns", Outcome.DOWN, detail="no such name"),
            network("tcp", Outcome.UNKNOWN, detail="no address"),
            network("tls", Outcome.UNKNOWN, detail="no address"),
            network("control"),
        ),
        [
            ("network", "network dns: no such name"),
            ("network", "network control: ok"),
            ("network", "not known: tcp, tls (no address)"),
        ],
    ),
    (
        (
            measured(Kind.RATE, "rate", detail="93 of 100 requests left", value=93.0),
            measured(Kind.VOLUME, "sync", value=3.0, unit="requests per 60 s"),
        ),
        [("budget", "well: 93 of 100 requests left, sync 3")],
    ),
    (
        (
            measured(Kind.KEY, "store", signature="0a1b2c3d"),
            measured(Kind.KEY, "service", signature="0a1b2c3d"),
        ),
        [("key", "well: service 0a1b2c3d, store 0a1b2c3d")],
    ),
    (
        tuple(
            measured(Kind.CHANGE, "deploy", Outcome.UNKNOWN, detail=f"v{age}", value=float(age))
            for age in (4, 2, 3, 1)
        ),
        [("changes", f"change deploy: v{age}") for age in (1, 2, 3)],
    ),
]


@pytest.mark.parametrize(("readings", "lines"), AROUND)
def test_what_is_well_takes_one_line(
    readings: tuple[Reading, ...], lines: list[tuple[str, str]]
) -> None:
    assert said_of(*readings) == lines


def test_everything_is_told_when_asked_for() -> None:
    readings = (network("dns"), network("tcp"), network("tls", Outcome.UNKNOWN))
    assert len(said_of(*readings)) == 2
    assert len(said_of(*readings, everything=True)) == 3


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.ENDPOINT, Kind.CONTRAST)])
@pytest.mark.parametrize("outcome", Outcome)
def test_no_kind_is_forgotten(kind: Kind, outcome: Outcome) -> None:
    """A probe that is made later has its place, too."""
    assert len(said_of(measured(kind, "x", outcome))) == 1


def test_ruled_out_by_reason() -> None:
    """W19: only rivals that were weighed have a line; of the rest their number stands last."""
    out = (
        RuledOut("a", "/x answered 200"),
        RuledOut("b", "not seen: timeouts", weighed=False),
        RuledOut("c", "/x answered 200"),
        RuledOut("d", "not seen: redirected", weighed=False),
    )
    assert ruled_out_lines(out) == (
        "a, c: /x answered 200",
        "no sign of 2 more causes of the runbook",
    )
    assert ruled_out_lines(out, everything=True) == ("a, c: /x answered 200", "no sign of b, d")
    assert ruled_out_lines(out[1:2]) == ("no sign of 1 cause of the runbook",)
    assert ruled_out_lines(out[:1]) == ("a: /x answered 200",)
    assert ruled_out_lines(()) == ()


def test_what_says_the_same_is_told_once() -> None:
    assert alike(
        (
            "/x answered 401 in 0.10 s: no",
            "/y answered 401 in 0.10 s",
            "/x answered 401 in 2.25 s: no",
        )
    ) == ("2 times: /x answered 401: no", "/y answered 401 in 0.10 s")


def test_further_causes_in_their_order() -> None:
    found = told(seen(503, service("refused")))
    assert [c.cause for c in found.diagnosis.causes] == ["vendor_outage", "service_crash"]
    (other,) = other_causes(found)
    assert other.startswith("service_crash (likely, SEV-1): ")


# --- pictures -----------------------------------------------------------------------------------

BARS = [
    (0.0, "▏"),
    (0.1, "▎"),
    (0.5, "█"),
    (2.5, "█████"),
    (3.13, "██████▎"),
    (5.0, "██████████"),
    (5.01, "█████████»"),
    (60.0, "█████████»"),
]


@pytest.mark.parametrize(("latency_s", "drawn"), BARS)
def test_a_bar_is_to_scale(latency_s: float, drawn: str) -> None:
    assert bar(latency_s, 5.0) == drawn


def test_a_bar_needs_no_bound() -> None:
    assert bar(1.0, 0.0) == "██████████"


def test_a_sparkline_ends_with_the_newest() -> None:
    assert sparkline((0.0, 1.4, 5.0, 99.0), 5.0) == "▁▃██"


def test_a_picture_holds_the_last_looks_and_nothing_foreign() -> None:
    looks = [endpoint("assets", 200, detail="<script>", latency_s=n / 5) for n in range(30)]
    drawn = picture([*looks, endpoint("assets", 503)], 5.0)
    words, _, encoded = drawn.partition("](data:image/svg+xml;base64,")
    assert words == f"![{sparkline([r.latency_s for r in looks[-19:]], 5.0)}▁ of 5 s"
    svg = b64decode(encoded.removesuffix(")")).decode()
    assert svg.count("<rect") == 21
    assert (svg.count("#2da44e"), svg.count("#d1242f"), svg.count("script")) == (19, 1, 0)


# --- Markdown -----------------------------------------------------------------------------------

HOSTILE = "```\n| a | [x](http://evil.example) ![y](z) <b>*b*</b> \x1b[31m\u202e`"


def test_foreign_text_stays_in_its_code() -> None:
    """No fence of ours is closed by it, and no cell of the table ends."""
    shown = triage_markdown(
        told(
            seen(503, contrast("description", 200, detail=HOSTILE), detail=HOSTILE),
            incident=incident(taken_by=HOSTILE),
        )
    )
    fences = [line for line in shown.splitlines() if line.startswith("```")]
    assert fences == ["```text", "```"] * (len(fences) // 2)
    rows = [line for line in shown.splitlines() if line.startswith("| workorders")]
    assert [row.count(" | ") for row in rows] == [4]
    outside = re.sub(r"`[^`]*`", "", "".join(shown.split("```")[::2]))
    assert "[x](" not in outside
    assert "![y](" not in outside
    assert "<b>" not in outside
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_markdown_of_a_failure_has_every_part() -> None:
    past = {"assets": (endpoint("assets", 200), endpoint("assets", 503))}
    shown = triage_markdown(told(EXPIRED, incident=incident(), past=past))
    titles = [line for line in shown.splitlines() if line.startswith("**") and line.endswith("**")]
    assert titles == [
        *("**Contrasts**", "**For it**", "**Check**", "**The runbook would**", "**Links**"),
        "**Ruled out**",
    ]
    assert shown.startswith(f"## {NAME} is likely: api\\_key\\_expired\n")
    assert f"**Next**: `watchkeeper mitigate {NAME}`" in shown
    assert shown.count("data:image/svg+xml;base64,") == 4


def test_markdown_of_health_is_short() -> None:
    shown = triage_markdown(told(HEALTHY))
    assert "Ruled out" not in shown
    assert "Links" not in shown
    assert len(shown.splitlines()) < 20


def test_plain_keeps_what_can_be_printed() -> None:
    assert plain("a\x1b[2J\tb\n\u202ec é 漢") == "a [2J b  c é 漢"


def test_the_impact_is_counted_in_functions_jobs_and_requests() -> None:
    """TwinMind's first response: what fails, who gets nothing new, and who asks most."""
    share = measured(Kind.METRIC, "summarize_errors", Outcome.DOWN, value=0.67)
    asked = [
        measured(Kind.VOLUME, name, value=count, unit="requests per 60 s")
        for name, count in [
            ("app", 20.0),
            ("notes", 311.0),
            ("idle", 0.0),
            ("probe", 40.0),
            (TOTAL, 331.0),
        ]
    ]
    found = Evidence(
        integration=NAME,
        at=T0,
        readings=(endpoint("health"), endpoint("transcripts", 503), share, *asked),
    )
    assert impact(told(found, runbook=load_runbook(SHIPPED_RUNBOOKS / "twinmind.yaml"))) == (
        "1 of 2 endpoints fail (transcripts); nothing new for transcript-sync; "
        "summarize_errors 67%; asked for by notes 311, app 20 requests per 60 s"
    )


TOUCHED = {
    "nothing": (HEALTHY, ""),
    "everything": (
        EXPIRED,
        "4 of 4 endpoints fail; nothing new for workorder-sync, asset-sync, report-generator",
    ),
    "slow ones": (
        seen({"users": 500}, endpoint("more", outcome=Outcome.DEGRADED)),
        "1 of 5 endpoints fail (users); 1 of 5 only just answer (more); "
        "nothing new for report-generator",
    ),
    "none that was asked": (seen(200, service(503)), ""),
}


@pytest.mark.parametrize(("evidence", "says"), TOUCHED.values(), ids=TOUCHED)
def test_who_is_touched(evidence: Evidence, says: str) -> None:
    assert impact(told(evidence)) == says
