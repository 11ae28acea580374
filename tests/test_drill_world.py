"""A drill's world is its own: nothing live gets in, and both vendors stand in it as told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import wait_until
from making import T0

from deployments.drill.entry import CLOCKS, LEFT, LISTS, fall_due, overlay, watch_only
from deployments.drill.far_side import FarSide
from deployments.drill.keys import first_key
from deployments.drill.outside import labelled
from deployments.drill.played import played
from deployments.drill.scenarios import SCENARIOS
from deployments.drill.setup import SETTINGS, Setup, filled, merged
from deployments.drill.surroundings import environment, sealed
from deployments.drill.world import running_world
from watchkeeper.performing.key_standing import ends_of
from watchkeeper.runbook.load import named_integrations
from watchkeeper.runbook.load import watch as watch_over

KEY, RATE = "expired-key", "rate-limited"
SECOND = timedelta(seconds=1)

LIVE = {
    "WATCHKEEPER_DATABASE_URL": "postgresql://live",
    "WATCHKEEPER_NOT_KNOWN_YET": "1",
    "PREFECT_API_URL": "https://live",
    "PREFECT_API_KEY": "pnu_live",
    "PD_API_KEY": "live",
    "PAGERDUTY_ROUTING_KEY": "live",
    "SLACK_BOT_TOKEN": "xoxb-live",
    "AWS_PROFILE": "live",
    "GOOGLE_APPLICATION_CREDENTIALS": "live.json",
}
OURS = {"PATH": "/usr/bin", "HOME": "/root", "LANG": "C.UTF-8", "MY_WATCHKEEPER_NOTE": "kept"}


@pytest.mark.parametrize("name", LIVE)
def test_live_settings_do_not_get_in(name: str) -> None:
    """No settings and keys of the company reach a process of a drill."""
    assert sealed({name: LIVE[name]} | OURS) == OURS


def test_proxies_are_kept_and_loopback_is_spared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W11: a drill keeps what it is given, and all that it calls is on loopback."""
    for name, value in (("HTTPS_PROXY", "http://proxy:3128"), ("no_proxy", "corp.example")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    around = environment(tmp_path)
    assert around["HTTPS_PROXY"] == "http://proxy:3128"
    for name in ("NO_PROXY", "no_proxy"):
        assert around[name] == "corp.example,localhost,127.0.0.1,::1"


def test_a_scenario_is_laid_over_the_drills_own_overlay(tmp_path: Path) -> None:
    """A scenario changes what it names and leaves the rest of the overlay, and of the runbook, as
    it is; the world has a folder that nobody else reads."""
    scenario, before = SCENARIOS[RATE], repr((CLOCKS, LISTS))
    folder = tmp_path / "home" / "worlds" / RATE
    with running_world(tmp_path / "home", folder, scenario.integration, scenario.setup) as world:
        watched = watch_over("maintainx@rate-limited", world.integrations)
        environment = world.environment()
    runbook, entry = watched.runbook, watched.integration
    users, orders = runbook.resource("users"), runbook.resource("workorders")
    assert (users.page_size, users.list_lag) == (1, 3 * SECOND)
    assert (orders.page_size, orders.list_lag) == (100, 3 * SECOND)
    soaks = {rule.cause: rule.soak for rule in runbook.causes}
    assert soaks["rate_limit_exceeded"] == 40 * SECOND
    assert soaks["api_key_expired"] == 2 * SECOND
    assert runbook.verification.interval == 3 * SECOND
    assert runbook.verification.give_up_after == 60 * SECOND
    assert repr((CLOCKS, LISTS)) == before
    assert entry.credential.reference == "file:worlds/rate-limited/secrets/maintainx.json"
    assert (world.home / "worlds/rate-limited/secrets/maintainx.json").exists()
    assert {place.stat().st_mode & 0o777 for place in (world.home, folder)} == {0o700}
    assert environment["WATCHKEEPER_HOME"] == str(world.home)
    assert environment["WATCHKEEPER_PORT"] == "0"


def test_a_world_stands_behind_wires_and_holds_a_second_key_where_it_is_to(tmp_path: Path) -> None:
    """Every way out of ours leads over a wire that can fail; the far side is asked beside it, and
    the vendor lets the second key in. Keys are other ones than in any other world."""
    folder, setup = tmp_path / "worlds" / "network-down", Setup(second_key=True, wired=True)
    with running_world(tmp_path, folder, "maintainx@network-down", setup) as world:
        entry = watch_over(world.integration, world.integrations).integration
        made = FarSide(world).keys()
    assert entry.base_url == world.base_url
    assert not world.base_url.startswith(world.vendor)
    assert entry.status_page_url == entry.control_url == world.page_url != world.status_page
    assert len(world.wires) == 2
    assert entry.credential.second is not None
    assert first_key(world.integration) != first_key("maintainx@sandbox")
    assert [key["state"] for key in made] == ["active", "active"]


def test_only_one_integration_is_watched_at_a_time(tmp_path: Path) -> None:
    """The file is whole at any time, and names nobody once it is emptied."""
    path = tmp_path / "integrations.yaml"
    watch_only(path, {"maintainx@a": {"runbook": "maintainx"}})
    assert named_integrations(path) == ("maintainx@a",)
    watch_only(path, {})
    assert named_integrations(path) == ()
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_falls_due_at_once(tmp_path: Path) -> None:
    """It is written down to expire just when warnings begin."""
    path = tmp_path / "integrations.yaml"
    reference = {"name": "maintainx-api-key", "reference": "file:key.json"}
    watch_only(path, {"maintainx@a": {"runbook": "maintainx", "credential": reference}})
    fall_due(path, T0)
    credential = watch_over("maintainx@a", path).integration.credential
    assert credential.reference == "file:key.json"
    assert ends_of(credential.expires, T0, credential.max_age) == T0 + LEFT
    assert credential.warn_before == LEFT


def test_every_scenario_has_an_integration_of_its_own() -> None:
    """State, gaps, jobs and caps of two scenarios never mix."""
    assert len({scenario.integration for scenario in SCENARIOS.values()}) == len(SCENARIOS)
    assert SCENARIOS[KEY].integration == "maintainx@expired-key"


# --- one world for either vendor ----------------------------------------------------------------


def test_a_vendor_without_a_simulator_of_its_own_moves_and_is_judged(tmp_path: Path) -> None:
    """TwinMind's world has its API, its service with metrics and log, records that come, and a
    fault that is planted is met; once mended the service is well again."""
    scenario, folder = SCENARIOS["tm-expired-key"], tmp_path / "worlds" / "tm"
    setup = Setup(
        entry={"consumers": [], "service": {"disk": {"path": "{here}"}}},
        simulator={"arrivals": {"created_per_s": 100}},
        keys=("spare",),
        stand_ins={"other": ("wire", "--to", "127.0.0.1:9")},
    )
    with running_world(tmp_path, folder, scenario.integration, setup) as world:
        watched = watch_over(world.integration, world.integrations)
        far = FarSide(world)
        far.break_it(scenario)
        refused = key_states(far)
        metrics = httpx.get(f"{world.service}/metrics", trust_env=False).text
        truth = httpx.get(f"{world.vendor}/_sim/truth", trust_env=False).json()["records"]
    entry, book = watched.integration, watched.runbook
    assert (book.vendor, entry.runbook, entry.consumers) == ("twinmind", "twinmind", ())
    assert entry.service is not None
    assert entry.service.metrics is not None
    assert entry.service.logs is not None
    assert entry.service.disk is not None
    assert entry.credential.reference == "file:worlds/tm/secrets/twinmind.json"
    assert (folder / "secrets" / "spare.json").exists()
    assert world.places["other"].startswith("http://127.0.0.1:")
    assert refused == {"initial": "expired", "spare": "expired"}
    assert "twinmind_transcriptions_total" in metrics
    assert len(truth) > 300
    assert {m.autonomy for m in book.mitigations if m.action == "rotate_key"} == {"approve"}
    assert {m.autonomy for m in book.mitigations if m.action == "pause_jobs"} == {"auto"}


def key_states(far: FarSide) -> dict[str, str]:
    return {label: key["state"] for label, key in labelled(far.keys()).items()}


def test_a_service_fault_is_planted_and_mended_even_by_a_restart(tmp_path: Path) -> None:
    """What is sick is told to be well; what crashed is started again, as whoever is on duty would."""
    folder = tmp_path / "worlds" / "broken"
    with running_world(tmp_path, folder, "maintainx@broken") as world:
        far = FarSide(world)
        for kind in ("unhealthy", "crash"):
            scenario = replace(SCENARIOS["network-down"], service_faults=({"kind": kind},))
            far.break_it(scenario)
            if kind == "crash":
                gone = partial(far.seen, f"{world.service}/health")
                wait_until(lambda gone=gone: gone() == {}, 5, "the service is gone")
            far.mend_it(scenario)
            assert far.seen(f"{world.service}/_sim/faults") == {"faults": []}
            assert far.key_shown(f"{world.service}/health") is not None
        assert far.restarts() == 1
        assert far.seen(f"{world.unit}/nothing") == {}


# --- what a setup says --------------------------------------------------------------------------


def test_places_are_filled_in_and_other_braces_stay() -> None:
    """A runbook's own `{replicas}` is none of our places."""
    told = {"a": ["{unit}/x", {"b": "{replicas} of {service}"}], "n": 3, "none": None}
    found = filled(told, {"unit": "U", "service": "S"})
    assert found == {"a": ["U/x", {"b": "{replicas} of S"}], "n": 3, "none": None}
    assert filled(SETTINGS, {"service": "S"}) == {"settings": {"kind": "http", "url": "S/settings"}}


def test_what_is_laid_over_changes_neither_side() -> None:
    """Deep in mappings, lists whole; a table of scenarios can share its parts."""
    base: dict[str, Any] = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    over: dict[str, Any] = {"a": {"c": [3]}, "e": {"f": 5}}
    both = merged(base, over)
    assert both == {"a": {"b": 1, "c": [3]}, "d": 4, "e": {"f": 5}}
    both["a"]["c"].append(9)
    both["e"]["f"] = 6
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert over == {"a": {"c": [3]}, "e": {"f": 5}}


@pytest.mark.parametrize("vendor", ["maintainx", "twinmind"])
def test_what_a_drill_knows_of_a_vendor_is_in_its_runbook(vendor: str) -> None:
    """Jobs, resources and autonomy: no list of them stands beside the runbook."""
    play = played(vendor)
    book, laid = play.runbook, overlay(play.runbook)
    assert play.jobs == {job.name for job in book.jobs} >= play.deferrable
    assert set(play.resources) == {resource.name for resource in book.resources}
    assert play.moved_by(play.main_job.name) <= set(play.resources)
    assert play.moved_by(None) == frozenset()
    assert laid["mitigations"].keys() == {m.name for m in book.mitigations}
    assert laid["causes"].keys() == {rule.cause for rule in book.causes}


def test_two_keys_of_one_label_are_told_apart() -> None:
    keys = [{"label": "made by ada", "state": s} for s in ("revoked", "expired", "active")]
    found = {label: key["state"] for label, key in labelled(keys).items()}
    assert found == {
        "made by ada": "revoked",
        "made by ada 2": "expired",
        "made by ada 3": "active",
    }
