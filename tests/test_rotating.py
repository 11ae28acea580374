"""A key's rotation against a real vendor and a real consumer: tested, current, proven, dead."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from conftest import FIRST_KEY, Clock, store_key
from making import NAME
from stand_ins import Vendor, entry, running_vendor

from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.effects import CONSUMER_RESTART, KEY_PROMOTE, EffectState
from watchkeeper.errors import Permanent, Refused, Transient
from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import (
    key_test,
    old_keys,
    recovering,
    rotating,
    rotation_stand,
    standing,
)
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.mitigating import make_plan
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import effects, incidents, leases

OVERRIDES = {"rate_limit": {"requests": 1_000_000, "per": "1 s"}}


@dataclass(frozen=True)
class World:
    """The vendor, and the consumer that holds its key, under a service manager."""

    vendor: Vendor
    unit: dict[str, Any]
    keys: RotatableStore

    def restarts(self) -> int:
        count: int = httpx.get(f"{self.unit['url']}/state").json()["restarts"]
        return count

    def shown(self) -> str:
        mark: str = httpx.get(f"{self.unit['service']}/health").json()["keyFingerprint"]
        return mark

    def offer(self) -> str:
        return self.keys.offer(Secret(self.vendor.new_key()))

    def stage(self, name: Any) -> str | None:
        secret = self.keys.read(name)
        return None if secret is None else secret.fingerprint


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Vendor, dict[str, Any], Path]]:
    folder = tmp_path_factory.mktemp("rotating")
    secret = folder / "key.json"
    store_key(folder)
    with Processes(folder) as processes, running_vendor(processes, folder) as vendor:
        child = [sys.executable, "-m", "watchkeeper.sandbox.service", "--vendor-url", vendor.api]
        unit = processes.start(
            ["unit", "--", *child, "--secret-file", str(secret), "--poll-s", "0.2"]
        )
        yield vendor, unit, folder


@pytest.fixture
def world(running: tuple[Vendor, dict[str, Any], Path]) -> Iterator[World]:
    """Before each test the consumer runs on the first key again, and nothing is on offer."""
    vendor, unit, folder = running
    (folder / "key.json").unlink()
    store_key(folder)
    httpx.post(f"{unit['url']}/restart", timeout=10)
    yield World(vendor, unit, open_rotatable("file:key.json", folder))
    vendor.mend()


@pytest.fixture
def here(watch: Watch, clock: Clock, world: World, running: Any) -> Watched:
    clock.at, clock.tick = datetime.now(UTC), timedelta(microseconds=100)
    command = [sys.executable, "-m", "watchkeeper.sandbox.unitctl", "restart", "--url"]
    consumer = {
        "name": "integration",
        "health_url": f"{world.unit['service']}/health",
        "runtime": {"restart": [*command, world.unit["url"]], "timeout": "20 s"},
    }
    reference = f"file:{running[2] / 'key.json'}"
    watch.settings.integrations.write_text(
        entry(
            world.vendor,
            overrides=OVERRIDES,
            consumers=[consumer],
            credential={"name": "maintainx-api-key", "reference": reference},
        )
    )
    return watch.integration(NAME)


@pytest.fixture
def incident(watch: Watch, clock: Clock) -> Incident:
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=clock.now(),
            now=clock.now(),
            reopen_since=clock.now(),
        )[0]


@pytest.fixture
def duty(incident: Incident) -> Duty:
    return Duty.unfenced(incident)


def consumer_of(here: Watched) -> Consumer:
    (consumer,) = here.integration.consumers
    return consumer


async def at_once(_seconds: float) -> None:
    """Patience that takes no time."""


def promote(watch: Watch, duty: Duty, here: Watched, mark: str) -> None:
    asyncio.run(rotating.promote(watch, duty, here, mark, timedelta(hours=1)))


def move(watch: Watch, duty: Duty, here: Watched, mark: str, sleep: Any = at_once) -> None:
    asyncio.run(rotating.restart_consumer(watch, duty, consumer_of(here), mark, sleep))


def ledger(watch: Watch, incident: Incident) -> list[tuple[str, str]]:
    with watch.store.read() as session:
        return [(e.says, e.state) for e in effects.entries(session, incident.id)]


# --- testing ------------------------------------------------------------------------------------


def test_an_offered_key_is_tested_wherever_ours_is_used(
    watch: Watch, here: Watched, world: World
) -> None:
    """Every probed endpoint is read with it: its scope is tested as well as its life."""
    mark = world.offer()
    found = asyncio.run(key_test.test_offered(watch, here))
    assert (found.fingerprint, found.accepted) == (mark, True)
    assert found.says() == f"the vendor accepts {mark} on 4 endpoints"
    by_key = world.vendor.sim.get("/requests").json()["by_key"]
    assert by_key[mark] == len(here.runbook.probes) == 4
    assert key_test.offered(watch, here) == mark
    assert world.stage("current") == Secret(FIRST_KEY).fingerprint


def test_a_key_that_the_vendor_refuses_is_not_good(
    watch: Watch, here: Watched, world: World
) -> None:
    """It is told by its fingerprint, with what the vendor said."""
    mark = world.keys.offer(Secret("test_nobody_made_this"))
    found = asyncio.run(key_test.test_offered(watch, here))
    assert not found.accepted
    assert found.says().startswith(f"the offered key {mark} is not good: /workorders?limit=1")
    assert "test_nobody" not in found.says()


def test_without_an_offer_there_is_nothing_to_test(
    watch: Watch, here: Watched, world: World
) -> None:
    """The person is told what to do."""
    assert key_test.offered(watch, here) is None
    with pytest.raises(Permanent, match="watchkeeper key offer"):
        asyncio.run(key_test.test_offered(watch, here))


# --- promoting ----------------------------------------------------------------------------------


def test_a_tested_key_becomes_current_once(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """The old key stays as the way back; entered again, nothing is promoted again, and the timeline says
    it once."""
    mark = world.offer()
    promote(watch, duty, here, mark)
    before = world.keys.versions()
    assert [(v.stage, v.fingerprint) for v in before] == [
        ("current", mark),
        ("previous", Secret(FIRST_KEY).fingerprint),
    ]
    world.offer()
    promote(watch, duty, here, mark)
    promote(watch, Duty(incident.id, 2), here, mark)
    assert world.stage("current") == mark
    assert world.stage("previous") == Secret(FIRST_KEY).fingerprint
    assert rotation_stand.chosen_in_round(watch, here, incident) == mark
    assert made_current(watch, incident) == [
        f"made key {mark} current in place of {Secret(FIRST_KEY).fingerprint}"
    ]


def made_current(watch: Watch, incident: Incident) -> list[str]:
    """What the timeline says of promotions."""
    with watch.store.read() as session:
        lines = incidents.timeline(session, incident.id)
    assert all(line.actor == "watchkeeper" for line in lines if "current" in line.text)
    return [line.text for line in lines if line.text.startswith("made key ")]


def test_killed_after_the_promotion_it_is_found_done(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """The store was changed and the ledger does not know: the store is asked, and left as it is."""
    mark = world.offer()
    target = f"maintainx-api-key:{mark}"
    with watch.store.write() as session:
        effects.sending(session, duty.effect(KEY_PROMOTE, target), 0, watch.now())
    assert rotation_stand.chosen_in_round(watch, here, incident) == mark
    world.keys.promote(mark)
    before = world.keys.versions()
    promote(watch, duty, here, mark)
    assert world.keys.versions() == before
    promoted, held = ledger(watch, incident)
    assert promoted == (f"make the tested key current: {target}", EffectState.RECONCILED)
    assert len(made_current(watch, incident)) == 1, "although another process made it current"
    assert held == (f"hold old_key {Secret(FIRST_KEY).fingerprint}", EffectState.DONE)


def test_killed_before_the_promotion_it_is_done(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """The ledger speaks of a promotion that the store has not seen: it is done now."""
    mark = world.offer()
    with watch.store.write() as session:
        effect = duty.effect(KEY_PROMOTE, f"maintainx-api-key:{mark}")
        effects.sending(session, effect, 0, watch.now())
    promote(watch, duty, here, mark)
    assert world.stage("current") == mark


def test_a_key_that_was_replaced_meanwhile_is_not_promoted(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """Only the very key that was tested becomes current; a person's newer offer is not it."""
    tested = world.offer()
    world.keys.offer(Secret(world.vendor.new_key()), replace=True)
    with pytest.raises(Permanent, match=f"key {tested} is not pending"):
        promote(watch, duty, here, tested)
    assert world.stage("current") == Secret(FIRST_KEY).fingerprint
    assert rotation_stand.chosen_in_round(watch, here, incident) is None


OTHERS = {
    "its own key of the same name": (NAME, None, True),
    "another's key of the same name": ("maintainx@other", "file:other.json", False),
    "the same key, in another integration": ("maintainx@other", None, True),
}


@pytest.mark.parametrize(("name", "reference", "refused"), OTHERS.values(), ids=OTHERS)
def test_a_rotation_counts_against_the_key_it_rotated(
    watch: Watch,
    here: Watched,
    world: World,
    duty: Duty,
    incident: Incident,
    name: str,
    reference: str | None,
    refused: bool,
) -> None:
    """The cap of one rotation a day is a key's: it neither follows a name nor stops at one."""
    entries = yaml.safe_load(watch.settings.integrations.read_text())
    other = deepcopy(entries["integrations"][NAME])
    other["credential"]["reference"] = reference or other["credential"]["reference"]
    entries["integrations"].setdefault(name, other)
    watch.settings.integrations.write_text(yaml.safe_dump(entries))
    promote(watch, duty, here, world.offer())
    next_one = replace(incident, integration=name, cause="api_key_expired", round=2)
    made = asyncio.run(make_plan(watch, watch.integration(name), next_one))
    assert ("rotate-key" in [a.name for a in made.actions]) is not refused
    assert [said.split(" today")[0] for said in made.refused] == [
        "rotate-key: maintainx-api-key was rotated 1 times"
    ] * refused


def test_no_key_is_changed_while_everything_is_halted(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """The kill switch stops rotations and restarts."""
    mark = world.offer()
    watch.settings.halt_file.touch()
    with pytest.raises(Refused):
        promote(watch, duty, here, mark)
    with pytest.raises(Refused):
        move(watch, duty, here, mark)
    assert (world.stage("pending"), world.shown()) == (mark, Secret(FIRST_KEY).fingerprint)


# --- consumers ----------------------------------------------------------------------------------


def test_a_consumer_is_restarted_once_and_shows_the_new_key(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """The command ran, and the consumer itself says which key it holds; entered again, nothing is
    restarted again."""
    mark, before = world.offer(), world.restarts()
    promote(watch, duty, here, mark)
    assert world.shown() == Secret(FIRST_KEY).fingerprint
    move(watch, duty, here, mark, asyncio.sleep)
    assert (world.shown(), world.restarts()) == (mark, before + 1)
    for again in (duty, Duty(incident.id, 2)):
        move(watch, again, here, mark)
    assert world.restarts() == before + 1


def test_killed_after_the_restart_it_is_found_done(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """The ledger does not know whether it was restarted; the consumer does."""
    mark = world.offer()
    promote(watch, duty, here, mark)
    with watch.store.write() as session:
        effect = duty.effect(CONSUMER_RESTART, f"integration:{mark}")
        effects.sending(session, effect, 0, watch.now())
    httpx.post(f"{world.unit['url']}/restart", timeout=10)
    before = world.restarts()
    move(watch, duty, here, mark)
    assert (world.shown(), world.restarts()) == (mark, before)


def test_killed_before_the_restart_it_is_restarted(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """Still on the old key, it was not restarted: now it is."""
    mark, before = world.offer(), world.restarts()
    promote(watch, duty, here, mark)
    with watch.store.write() as session:
        effect = duty.effect(CONSUMER_RESTART, f"integration:{mark}")
        effects.sending(session, effect, 0, watch.now())
    move(watch, duty, here, mark, asyncio.sleep)
    assert (world.shown(), world.restarts()) == (mark, before + 1)


def test_a_consumer_that_stays_on_the_old_key_is_told(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """A restart that changed nothing is no rotation: the flow may not go on to revoke."""
    mark = world.offer()
    with pytest.raises(Transient, match=f"integration shows .*, not {mark}, after its restart"):
        move(watch, duty, here, mark)
    assert world.shown() == Secret(FIRST_KEY).fingerprint


def test_a_command_that_fails_is_tried_again(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """Its last words are told, and nothing counts as restarted."""
    broken = consumer_of(here).model_copy(
        update={
            "runtime": consumer_of(here).runtime.model_copy(
                update={"restart": (sys.executable, "-c", "raise SystemExit('no such unit')")}
            )
        }
    )
    with pytest.raises(Transient, match="ended 1: no such unit"):
        asyncio.run(rotating.restart_consumer(watch, duty, broken, "0" * 8, at_once))
    assert ledger(watch, incident) == [("restart integration:00000000", EffectState.PLANNED)]


# --- the old key --------------------------------------------------------------------------------


def test_the_old_key_is_proven_dead_by_the_vendor(
    watch: Watch, here: Watched, world: World, duty: Duty
) -> None:
    """Asked to be revoked, and watched: only the vendor's refusal of it ends the vigil, and only
    while our own key is let in."""
    promote(watch, duty, here, first := world.offer())
    promote(watch, duty, here, world.offer())
    lease = old_keys.watch_over(watch, duty, here, first, timedelta(hours=1))

    def mind() -> old_keys.OldKey:
        return asyncio.run(old_keys.mind(watch, here, lease))

    assert mind().accepted is True
    world.vendor.fault("outage", status=503)
    assert mind().accepted is None
    world.vendor.mend()
    world.vendor.fault("auth_down")
    assert "our current key is not let in either" in mind().says
    world.vendor.mend()
    world.vendor.revoke(first)
    assert mind().accepted is False
    with watch.store.read() as session:
        ended = leases.find(session, duty.incident_id, LeaseKind.OLD_KEY, first)
        said = [entry.text for entry in incidents.timeline(session, duty.incident_id)]
    assert ended is not None and (ended.active, ended.ended_because) == (False, old_keys.REFUSED)
    assert any(f"the old key {first} is dead: accepted until" in text for text in said)
    assert old_keys.watch_over(watch, duty, here, first, timedelta(hours=1)) == ended


def test_no_incident_is_closed_over_half_a_rotation(
    watch: Watch, here: Watched, world: World, duty: Duty, incident: Incident
) -> None:
    """Current already, and consumers not proven on it: the old key is not to be revoked yet, and what
    began is not forgotten either."""
    promote(watch, duty, here, world.offer())
    old = Secret(FIRST_KEY).fingerprint
    with watch.store.read() as session:
        assert standing.asks_of(session, incident) == []
    assert recovering.close(watch, duty, incident).in_the_way == (
        f"old_key on {old} is still in force",
    )
    old_keys.ask_for_end(watch, duty, here, old, timedelta(hours=1))
    with watch.store.read() as session:
        assert [asked["fingerprint"] for asked in standing.asks_of(session, incident)] == [old]
