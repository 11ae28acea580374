"""The report: the source's own sections, from the record alone, whatever text a vendor put in it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HOUR, MINUTE, T0, gap, incident, lease, runbook

from watchkeeper.diagnosis import RuledOut
from watchkeeper.gaps import GapState
from watchkeeper.incident import Milestone, State, TimelineEntry
from watchkeeper.mitigation.lease import LeaseState
from watchkeeper.report import MAX_TEXT, CauseEntry, EffectEntry, Record, escape, render

CAUSE = CauseEntry(
    at=T0 + MINUTE,
    cause="api_key_expired",
    verdict="confirmed",
    severity=1,
    said_by="watchkeeper",
    because="4 of 4 endpoints: the API key has expired or was revoked",
    evidence=("/workorders answered 401 in 0.12 s",),
    counter_evidence=(),
    ruled_out=(
        RuledOut("vendor_outage", "/users answered 200 in 0.10 s"),
        RuledOut("key_leaked", "not seen: key leaked", weighed=False),
        RuledOut("clock_wrong", "not seen: clock off", weighed=False),
    ),
)


def entry(
    minutes: float, text: str, milestone: Milestone | None = None, actor: str = "watchkeeper"
) -> TimelineEntry:
    at = T0 + timedelta(minutes=minutes)
    return TimelineEntry(
        occurred_at=at, recorded_at=at, milestone=milestone, actor=actor, text=text
    )


CLOSED = Record(
    incident=incident(
        state=State.CLOSED,
        cause="api_key_expired",
        verdict="confirmed",
        recovered_at=T0 + 95 * MINUTE,
        closed_at=T0 + 4 * HOUR,
    ),
    causes=(replace(CAUSE, at=T0, verdict="likely"), CAUSE),
    timeline=(
        entry(-5, "last good answer before the failure", Milestone.STARTED, "health"),
        entry(0, "4 of 4 looks failed", Milestone.DETECTED, "health"),
        entry(0.5, "paged on-call engineer", Milestone.PAGED),
        entry(1, "confirmed: the key", Milestone.DIAGNOSED),
        entry(9, "plan 0123: approve", actor="ann"),
        entry(10, "carried out: rotate-key", Milestone.MITIGATED),
        entry(90, "3 of 3 good looks in a row", Milestone.VERIFIED),
        entry(95, "service well, pages resolved", Milestone.RESOLVED),
        entry(240, "data whole, nothing held", Milestone.CLOSED),
    ),
    effects=(
        EffectEntry(says="pause job asset-sync", state="done", outcome="was running", at=T0),
        EffectEntry(says="restart integration:ab12", state="reconciled", outcome="", at=T0),
    ),
    leases=(lease("asset-sync", state=LeaseState.ENDED, ended_at=T0 + 2 * HOUR),),
    gaps=(gap("workorders"), gap("users", id=4, since=None, expected=25, present=25)),
)


def text_of(record: Record, minutes: int = 0) -> str:
    return render(record, runbook(), T0 + timedelta(minutes=minutes))


def section(report: str, title: str) -> str:
    return report.partition(f"## {title}\n\n")[2].partition("\n\n## ")[0]


def test_it_has_the_sections_of_the_template_in_their_order() -> None:
    """Whoever knows the source's template finds everything where it was."""
    report = text_of(CLOSED)
    titles = re.findall(r"^## (.*)$", report, re.M)
    assert titles == ["Timeline", "Root cause", "Resolution", "Data", "Action items"]
    bold = re.findall(r"^\*\*(\w+)\*\*: ", report, re.M)
    assert bold == ["Status", "Date", "Severity", "Duration", "Impact"]
    assert report.startswith("# Incident report: INC-7 maintainx@test\n\n**Status**: closed")


def test_the_head_says_what_the_template_asks_for() -> None:
    """W19: date, severity by the runbook's word, duration from harm to recovery once, impact counted."""
    report = text_of(CLOSED)
    assert "**Date**: 2026-03-02  \n" in report
    assert "**Severity**: SEV-1 (The whole integration has failed;" in report
    assert "**Duration**: 1 h 40 min  \n" in report
    assert (
        "**Impact**: sync halted; the vendor holds 40 workorders in the time concerned; "
        "all 25 users (no walk was complete before)\n"
    ) in report


def test_the_timeline_is_in_order_and_names_the_milestones() -> None:
    """Alert, cause, mitigation and recovery stand there in the template's words, with their actor."""
    lines = section(text_of(CLOSED), "Timeline").splitlines()
    assert [line[2:10] for line in lines] == sorted(line[2:10] for line in lines)
    assert lines[1] == "- 09:00:00 - **Alert triggered** — 4 of 4 looks failed (health)"
    named = [m[1] for line in lines if (m := re.search(r"\*\*(.*?)\*\*", line))]
    assert named == [
        "Harm started",
        "Alert triggered",
        "On-call paged",
        "Root cause identified",
        "Mitigation applied",
        "Recovery verified",
        "Full recovery confirmed",
        "Closed: data whole",
    ]
    assert "- 09:09:00 - plan 0123: approve (ann)" in lines


def test_the_root_cause_has_its_evidence_and_what_was_ruled_out() -> None:
    """W19: the last verdict with its reasons, the runbook's row, the rivals that were weighed, and the
    earlier verdicts. Of causes without a sign only the number is told."""
    said = section(text_of(CLOSED), "Root cause")
    assert said.startswith(
        "4 of 4 endpoints: the API key has expired or was revoked (**confirmed**"
    )
    assert "Runbook: the API key has expired or was revoked. Check: Is a key configured" in said
    assert "For it:\n\n- /workorders answered 401 in 0.12 s" in said
    assert "Against it" not in said
    assert (
        "Ruled out:\n\n- vendor\\_outage: /users answered 200 in 0.10 s\n"
        "- no sign of 2 more causes of the runbook\n"
    ) in said
    assert "not seen" not in said
    assert "Earlier verdicts:\n\n- 09:00:00 api\\_key\\_expired (likely)" in said


def test_the_resolution_is_the_ledger() -> None:
    """What was done, as the ledger has it; what is still in force is said."""
    said = section(text_of(CLOSED), "Resolution")
    assert said == (
        "- pause job asset-sync: done (was running)\n- restart integration:ab12: reconciled"
    )
    held = replace(CLOSED, leases=(lease("asset-sync"),), effects=())
    assert section(text_of(held), "Resolution") == "- still in force: paused_job on asset-sync"
    nothing = replace(CLOSED, leases=(), effects=())
    assert section(text_of(nothing), "Resolution") == "Nothing was changed."


def test_the_data_is_counted_gap_by_gap() -> None:
    """Expected, present, missing and stale of each resource; not counted is not zero."""
    lines = section(text_of(CLOSED), "Data").splitlines()
    assert lines[2].startswith("| users | the beginning | 2026-03-02 10:00:00Z | reconciled | 25 |")
    assert lines[3].endswith("| reconciled | 40 | 40 | 0 | 0 |")
    uncounted = replace(CLOSED, gaps=(gap(state=GapState.BOUNDED, expected=None, missing=None),))
    assert "not counted" in section(text_of(uncounted), "Data")
    assert "what it missed is not counted yet" in text_of(uncounted)
    assert section(text_of(replace(CLOSED, gaps=())), "Data") == "No gap was opened."


def test_an_open_end_is_no_beginning() -> None:
    """W19: a gap without an end is still open, or was given up without one; only a start may be the
    beginning."""
    gaps = (
        gap("assets", state=GapState.OPEN, since=None, until=None, expected=None),
        gap("users", state=GapState.WAIVED, until=None, expected=None),
    )
    lines = section(text_of(replace(CLOSED, gaps=gaps)), "Data").splitlines()
    assert lines[2].startswith("| assets | the beginning | still open | open | not counted |")
    assert lines[3].startswith("| users | 2026-03-02 08:00:00Z | no end | waived | not counted |")


def test_what_cannot_be_asked_by_time_is_counted_whole() -> None:
    """W19: all records of such a resource are compared: they are not called those of the gap's time."""
    gaps = (gap("locations", expected=20), gap("workorders"))
    report = text_of(replace(CLOSED, gaps=gaps, not_by_time=frozenset({"locations"})))
    assert (
        "**Impact**: sync halted; the vendor holds 40 workorders in the time concerned; "
        "all 20 locations (cannot be asked by time)\n"
    ) in report
    lines = section(report, "Data").splitlines()
    assert "| reconciled | 20 (all: not by time) | 40 |" in lines[2]
    assert "| reconciled | 40 | 40 |" in lines[3]
    alone = text_of(replace(CLOSED, gaps=gaps[:1], not_by_time=frozenset({"locations"})))
    assert "the vendor holds all 20 locations (cannot be asked by time)\n" in alone


def test_what_needs_judgement_is_left_to_people() -> None:
    """The template's three items stand open, with facts, an owner to name and a date: never made up."""
    lines = section(text_of(CLOSED), "Action items").strip().splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "- [ ] Implement",
        "- [ ] Add monitoring",
        "- [ ] Update runbook",
    ]
    assert all(line.endswith("owner: not yet named; due: 2026-03-09") for line in lines)
    assert "fact: harm began at most 5 min before it was detected" in lines[1]
    assert "fact: steps taken by people: 1; runbook of MaintainX" in lines[2]


def test_the_same_record_is_the_same_report() -> None:
    """A closed incident renders to the same bytes today and next year."""
    assert text_of(CLOSED) == text_of(CLOSED, minutes=60 * 24 * 365)


def test_an_open_incident_has_lasted_until_now() -> None:
    """While it lasts, the report says so."""
    going_on = replace(CLOSED, incident=incident(severity=2), causes=(), timeline=(), gaps=())
    report = text_of(going_on, minutes=55)
    assert "**Duration**: 1 h so far  \n" in report
    assert "**Cause**: not known" in report
    assert "No cause was found; nothing was changed on suspicion." in report
    assert section(report, "Timeline") == "- nothing was recorded"
    assert "**Impact**: no resource was behind" in report


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "`rm -rf /` ```",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/pixel.png)",
    "line\n\n# Heading\n- [x] done",
    "| a | b |\n|---|---|",
    "**bold** __strong__ ~~gone~~ \\",
    "\u202egnp.exe \u2066hidden\u2069 \u061c",
    "zero\u200bwidth\u2060joiner\ufeff",
    "\x00\x1b[31mred\x1b[0m\x9b",
    "tags \U000e0041\U000e0042 end",
    "half of a pair \ud83d and \udc00",
    "=HYPERLINK(1)",
    "x" * 100_000,
    "[" * 5_000,
]


def harmless(shown: str) -> bool:
    """Every character that means something in Markdown or HTML has a backslash of its own."""
    bare = re.sub(r"\\[\\`*_{}\[\]<>|#~]", "", shown)
    invisible = [c for c in bare if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    return not re.search(r"[\\`*_{}\[\]<>|#~]", bare) and not invisible


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_stays_text(text: str) -> None:
    """No markup, no control or direction character and no flood gets through."""
    shown = escape(text)
    assert harmless(shown)
    assert len(re.sub(r"\\(.)", r"\1", shown)) <= MAX_TEXT
    shown.encode("utf-8")


@given(st.text(max_size=600))
def test_any_text_stays_text(text: str) -> None:
    """The same of whatever a vendor may send, and once is enough: nothing is lost but the excess."""
    shown = escape(text)
    assert harmless(shown)
    shown.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_of_the_record_breaks_the_report(text: str) -> None:
    """Wherever hostile text stands, the report keeps its sections, and none of it is markup."""
    bad = Record(
        incident=incident(cause=text, summary=text),
        causes=(
            replace(
                CAUSE,
                cause=text,
                because=text,
                said_by=text,
                evidence=(text,),
                counter_evidence=(text,),
                ruled_out=(RuledOut(text, text), RuledOut(text, text, weighed=False)),
            ),
        )
        * 2,
        timeline=(entry(1, text, Milestone.DETECTED, text), entry(2, text, None, text)),
        effects=(EffectEntry(says=text, state="done", outcome=text, at=T0),),
        leases=(lease(text),),
        gaps=(gap(text),),
    )
    report = text_of(bad)
    plain, shown = text_of(CLOSED), report.encode("utf-8")
    assert re.findall(r"^#+ \w+", report, re.M) == re.findall(r"^#+ \w+", plain, re.M)
    assert not re.search(r"(?<!\\)[<>`]", re.sub(r"\\\\", "", report))
    assert not re.search(r"(?<!\\)\]\(", re.sub(r"\\\\", "", report))
    assert len(shown) < 60_000


def test_an_escaped_text_reads_as_it_was() -> None:
    """Taking the backslashes away gives the vendor's words back."""
    said = "key_1 is [expired] *now* <br>"
    assert re.sub(r"\\(.)", r"\1", escape(said)) == said
