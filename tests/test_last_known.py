"""An integration whose entry is broken, renamed or gone is served by the last known one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import INTEGRATIONS, Clock
from making import HOUR, MINUTE, NAME, opened
from sqlalchemy import text

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import StaleFence, UserError
from watchkeeper.heartbeat import Freshness, Heartbeat, Part, Result
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.performing import detecting, leasing, recovering, responding
from watchkeeper.performing.entries import mind_entries
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.self_check import check_self
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.watch import Watch
from watchkeeper.performing.watch_facts import state_of_watch
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, entry_from, load_entry
from watchkeeper.settings import Settings
from watchkeeper.store import gaps, heartbeats, incidents, jobs, leases, locks, pages
from watchkeeper.store.pages import DeliveryState
from watchkeeper.watch_state import EntryState
from watchkeeper.watch_text import doubt_lines

NEW = "maintainx@renamed"
# A file of two lines whose second opens a list that nothing ends.
BROKEN = "integrations:\n  maintainx@test: [\n"


class Idle:
    """An executor that starts nothing."""

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None: ...

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None: ...


def swept(watch: Watch) -> tuple[str, ...]:
    return asyncio.run(sweep(watch, Idle()))


def write(watch: Watch, content: str) -> None:
    watch.settings.integrations.write_text(content, encoding="utf-8")


def rename(watch: Watch) -> None:
    write(watch, INTEGRATIONS.replace(NAME, NEW))


def told(watch: Watch, incident: Incident) -> list[str]:
    with watch.store.read() as session:
        return [line.text for line in incidents.timeline(session, incident.id)]


def close(watch: Watch, incident: Incident) -> None:
    with watch.store.write() as session:
        incidents.recovered(session, incident.id, watch.now(), watch.now())
        for state in list(State)[1:]:
            incidents.move(session, incident.id, state, watch.now())


@pytest.fixture
def known(watch: Watch) -> Watch:
    """The watch, after it has read its files once."""
    watch.registered(NAME)
    return watch


BREAKS = {
    "no YAML": BROKEN,
    "an unknown key": INTEGRATIONS + "    pobes: 3\n",
    "a runbook that is not there": INTEGRATIONS.replace("runbook: maintainx", "runbook: nothing"),
    "a file of nothing": "",
}


@pytest.mark.parametrize("content", BREAKS.values(), ids=list(BREAKS))
def test_broken_yaml_keeps_the_last_good_entry(known: Watch, content: str) -> None:
    """W14: whatever is wrong with the file, the entry as it was last read serves on."""
    before = known.integration(NAME)
    write(known, content)
    entry = known.entry(NAME)
    assert (entry.state, entry.watched) == (EntryState.KEPT, before)
    assert entry.because
    assert known.named == (NAME,)


def test_a_lost_file_keeps_the_last_good_entry(known: Watch) -> None:
    """W14: a file that was moved away is one that cannot be read."""
    known.settings.integrations.unlink()
    assert known.entry(NAME).state is EntryState.KEPT
    assert known.named == (NAME,)


def test_a_broken_runbook_keeps_the_last_good_one(
    known: Watch, settings: Settings, tmp_path: Path, clock: Clock
) -> None:
    """W14: the entry is well, and the runbook that it names is not."""
    folder = tmp_path / "books"
    folder.mkdir()
    book = folder / "maintainx.yaml"
    book.write_text((SHIPPED_RUNBOOKS / "maintainx.yaml").read_text())
    mine = Watch(settings.model_copy(update={"runbooks": folder}), known.store, clock.now)
    before = mine.registered(NAME)
    book.write_text("vendor: maintainx\nprobes: 7\n")
    entry = mine.entry(NAME)
    assert (entry.state, entry.watched) == (EntryState.KEPT, before)
    assert "maintainx.yaml" in entry.because


def test_it_is_said_everywhere_and_once(known: Watch) -> None:
    """W14: in the sweep's words, on the incident's timeline, first in status; again when it is
    mended, and not at each sweep."""
    incident = opened(known)
    swept(known)
    write(known, BROKEN)
    kept = f"{NAME}: its last known entry serves: "
    for _ in range(2):
        known.now.__self__.advance(2 * MINUTE)  # type: ignore[attr-defined]
        lines = swept(known)
    assert sum(kept[len(NAME) + 2 :] in line for line in told(known, incident)) == 1
    assert not any(line.startswith(kept) for line in lines)
    first, second, *_ = doubt_lines(state_of_watch(known))
    assert first.startswith("NOT WELL: the last known entries serve: ")
    assert second.startswith(f"NOT WELL: {NAME}: its last known entry")
    write(known, INTEGRATIONS)
    known.now.__self__.advance(2 * MINUTE)  # type: ignore[attr-defined]
    assert any("can be read again" in line for line in swept(known))
    assert any("can be read again" in line for line in told(known, incident))
    assert known.entry(NAME).state is EntryState.READ


def test_a_lease_is_set_back_after_a_rename(known: Watch, clock: Clock) -> None:
    """W14: renamed during its incident, its job is resumed when the lease is over, and its report is
    written; both names are watched until nothing hangs on the old one."""
    incident = opened(known)
    action = PauseJobs(jobs=("asset-sync",), lease=HOUR)
    leasing.pause_jobs(known, Duty.unfenced(incident), NAME, action)
    rename(known)
    assert set(known.named) == {NEW, NAME}
    assert known.entry(NAME).state is EntryState.REMOVED
    clock.advance(2 * HOUR)
    swept(known)
    with known.store.read() as session:
        assert leases.active(session) == ()
        assert not jobs.get(session, NAME, "asset-sync").paused
    close(known, incident)
    swept(known)
    assert (known.settings.reports / f"incident-{incident.id}.md").exists()
    assert known.named == (NEW,)


def test_an_incident_of_a_removed_integration_is_closed_by_hand(known: Watch) -> None:
    """W14: what is in the way is named, gap by gap and lease by lease; once nothing is, it is closed,
    its responder is fenced off, and the sweep writes its report."""
    incident = opened(known)
    with known.store.write() as session:
        detecting.open_gaps(session, known.integration(NAME), incident, known.now())
        held = responding.lock_name(incident.id)
        fence = locks.acquire(session, held, "a run", known.now(), HOUR)
    assert fence is not None
    leasing.pause_jobs(
        known, Duty.unfenced(incident), NAME, PauseJobs(jobs=("asset-sync",), lease=HOUR)
    )
    rename(known)
    with pytest.raises(UserError, match=r"gap in .* is open; .*incident waive INC-1 "):
        recovering.close_by_hand(known, incident, "ada", "the vendor is gone")
    with known.store.write() as session:
        for gap in gaps.of_incident(session, incident.id):
            gaps.waive(session, gap.id, "ada", "gone", known.now())
    with pytest.raises(UserError, match=r"asset-sync is still in force; .*lease release"):
        recovering.close_by_hand(known, incident, "ada", "the vendor is gone")
    with known.store.write() as session:
        for lease in leases.active(session):
            leases.end(session, lease.id, "by hand", known.now())
    recovering.close_by_hand(known, incident, "ada", "the vendor is gone")
    with known.store.read() as session:
        assert incidents.get(session, incident.id).state is State.CLOSED
        with pytest.raises(StaleFence):
            locks.check(session, held, fence)
    assert "closed by hand: the vendor is gone" in told(known, incident)
    swept(known)
    assert (known.settings.reports / f"incident-{incident.id}.md").exists()
    assert known.named == (NEW,)
    with pytest.raises(UserError, match="is closed already"):
        recovering.close_by_hand(known, incident, "ada", "again")


def test_a_page_that_is_up_needs_its_integration(known: Watch) -> None:
    """W14: of an incident that is closed, too: its page is to be resolved."""
    incident = opened(known)
    with known.store.write() as session:
        pages.wanted(session, incident.id, 1, "on-call", "key", known.now())
        taken = DeliveryState.TAKEN
        pages.tried(session, incident.id, 1, "pagerduty", taken, known.now(), reason="")
    close(known, incident)
    rename(known)
    assert known.integration(NAME).name == NAME


def test_taken_out_with_nothing_open_it_just_ends(known: Watch, clock: Clock) -> None:
    """Removed on purpose: it is said once, and it is not watched any more; its old incidents can
    still be read."""
    incident = opened(known)
    close(known, incident)
    swept(known)
    rename(known)
    clock.advance(2 * MINUTE)
    lines = swept(known)
    assert f"{NAME} is no longer in integrations.yaml: it is not watched any more" in lines
    assert known.named == (NEW,)
    with pytest.raises(UserError, match="is not a known integration"):
        known.integration(NAME)
    assert known.of_record(NAME).name == NAME
    clock.advance(2 * MINUTE)
    assert not any("not watched" in line for line in swept(known))


def test_one_taken_out_stays_out_while_the_file_is_broken(known: Watch, clock: Clock) -> None:
    """A broken file does not bring back what was removed before it broke."""
    swept(known)
    rename(known)
    clock.advance(2 * MINUTE)
    swept(known)
    known.registered(NEW)
    write(known, BROKEN)
    clock.advance(2 * MINUTE)
    swept(known)
    assert known.named == (NEW,)


def test_put_back_it_is_watched_again(known: Watch, clock: Clock) -> None:
    """An entry that comes back is kept anew, and serves when the file breaks afterwards."""
    swept(known)
    rename(known)
    clock.advance(2 * MINUTE)
    swept(known)
    write(known, INTEGRATIONS)
    known.registered(NAME)
    write(known, BROKEN)
    assert NAME in known.named


def test_what_is_kept_holds_no_comment_and_reads_back_the_same(known: Watch) -> None:
    """The text that is kept is data alone: a key that somebody left in a comment stays behind."""
    content = (
        INTEGRATIONS
        + "    # sk-live-0123456789\n    overrides: {probes: {assets: {critical: true}}}\n"
    )
    write(known, content)
    known.registered(NAME)
    loaded = load_entry(NAME, known.settings.integrations)
    assert entry_from(NAME, loaded.text) == loaded.watched == known.integration(NAME)
    with known.store.read() as session:
        (row,) = session.execute(text("SELECT entry || runbook FROM entries")).all()
    assert "sk-live" not in row[0]
    assert '"reference": "file:key.json"' in row[0]


def test_an_integration_that_was_never_read_stays_broken(watch: Watch) -> None:
    """No earlier entry: it is not watched, and says so; the others are."""
    both = INTEGRATIONS + "  maintainx@other: {runbook: maintainx}\n"
    write(watch, both)
    watched, lines = mind_entries(watch)
    assert [one.name for one in watched] == [NAME]
    assert any(line.startswith("maintainx@other is not watched: ") for line in lines)
    with pytest.raises(UserError):
        watch.integration("maintainx@other")


def test_the_sweep_records_what_the_watch_stands_on(known: Watch, clock: Clock) -> None:
    """W1: each minute at most: up, server and disk; and what is not there is no `well`."""
    swept(known)

    def found() -> dict[Part, tuple[Result, object]]:
        with known.store.read() as session:
            return {b.part: (b.result, b.at) for b in heartbeats.listed(session)}

    first = found()
    assert {part: result for part, (result, _) in first.items()} == {
        Part.UP: Result.WELL,
        Part.SERVER: Result.FAILED,
        Part.DISK: Result.WELL,
    }
    clock.advance(MINUTE / 2)
    swept(known)
    assert (found()[Part.DISK], found()[Part.UP]) == (first[Part.DISK], (Result.WELL, clock.at))
    clock.advance(MINUTE)
    swept(known)
    assert found()[Part.DISK][1] == clock.at


PAGED = INTEGRATIONS + "    channels: [{kind: webhook, url: 'file:hook.json'}]\n"
WEBHOOK = "webhook"


def pager(watch: Watch) -> Heartbeat | None:
    with watch.store.read() as session:
        return heartbeats.last(session, Part.PAGER, NAME)


def page(watch: Watch, state: DeliveryState, reason: str = "", channel: str = WEBHOOK) -> None:
    incident = opened(watch)
    with watch.store.write() as session:
        pages.wanted(session, incident.id, 1, "on-call", "key", watch.now())
        pages.trying(session, incident.id, 1, channel, 1, watch.now())
        pages.tried(session, incident.id, 1, channel, state, watch.now(), reason=reason)


def test_the_pagers_last_result_is_kept_with_its_age(known: Watch, clock: Clock) -> None:
    """W1: whether its key can be read, then what it made of the last page, for as long as it takes;
    what another channel took does not hide that this one took none."""
    write(known, PAGED)
    swept(known)
    first = pager(known)
    assert first is not None
    assert (first.result, first.detail.startswith("its key cannot be read: ")) == (
        Result.FAILED,
        True,
    )
    keys = open_rotatable("file:hook.json", known.settings.home)
    keys.promote(keys.offer(Secret("http://127.0.0.1:9/hook")))
    clock.advance(2 * MINUTE)
    swept(known)
    found = pager(known)
    assert found is not None and found.result is Result.WELL
    clock.advance(MINUTE)
    page(known, DeliveryState.FAILED, "HTTP 404")
    page(known, DeliveryState.TAKEN, channel="not-ours")
    at = known.now()
    clock.advance(2 * MINUTE)
    check_pagers(known)
    found = pager(known)
    assert found is not None
    assert (found.result, found.detail, found.at) == (Result.FAILED, "webhook: HTTP 404", at)
    assert found.freshness(at + 900 * HOUR) is Freshness.FRESH


def check_pagers(watch: Watch) -> None:
    asyncio.run(check_self(watch, (watch.integration(NAME),)))
