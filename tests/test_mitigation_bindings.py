"""A runbook's row bound to what is there: what it changes, what it leaves out, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from making import HOUR, changed, incident, job, lease, runbook, watched

from watchkeeper.mitigation.actions import (
    CapRate,
    ChangeSettings,
    PauseJobs,
    Restart,
    RotateKey,
    Scale,
    Wait,
)
from watchkeeper.mitigation.bound import Bound, LeftOut
from watchkeeper.mitigation.job import PAUSED
from watchkeeper.mitigation.lease import LeaseKind, Shown
from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.mitigation.planning import BINDERS, plan
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.acting import (
    CloudRunService,
    CommandRuntime,
    CronJob,
    FileSettings,
    HttpSettings,
    KubernetesWorkload,
    PrefectDeployment,
    ScheduledJob,
)
from watchkeeper.runbook.api import RateLimit
from watchkeeper.runbook.integration import Consumer, Credential, Watched
from watchkeeper.runbook.mitigations import AnyMitigation, Mitigation

SETTINGS = HttpSettings(url="http://127.0.0.1:9/settings", names={"model": "MODEL_NAME"})
IN_FILE = FileSettings(path="service.json", reload=("systemctl", "reload", "ours"))


def row(action: str, **more: Any) -> Mitigation:
    given = {"name": "it", "action": action, "summary": "-", "lease": "1 h", **more}
    return AnyMitigation.model_validate(given).root


def bound(given: Mitigation, chosen: Watched, world: World | None = None) -> Bound:
    return BINDERS[given.action](given, chosen, world or World())


def done(given: Mitigation, chosen: Watched, world: World | None = None) -> PlannedAction:
    made = bound(given, chosen, world)
    assert isinstance(made, PlannedAction)
    return made


def planned(given: Mitigation, chosen: Watched, world: World) -> Plan:
    return plan(incident(cause="slow_vendor"), "slow_vendor", chosen, world, (given,))


def test_every_action_of_the_vocabulary_is_bound() -> None:
    """A row that nothing binds would end a plan with an error in the night; what is not available yet
    is never planned."""
    known = AnyMitigation.model_json_schema()["discriminator"]["mapping"]
    assert set(BINDERS) == set(known) - {"buffer_writes", "poll_instead"}


# --- settings of our service --------------------------------------------------------------------

# (the row, what it sets)
SETTERS = {
    "cap_service": (row("cap_service", max_requests_per_s=0.5), {"max_requests_per_s": "0.5"}),
    "enable_retries": (
        row("enable_retries", max_retries=4, share=0.5),
        {"max_retries": "4", "max_requests_per_s": "0.833"},
    ),
    "shed_requests": (
        row("shed_requests", criticality=["deferrable", "normal"]),
        {"refuse": "deferrable,normal"},
    ),
    "limit_intake": (row("limit_intake", intake_per_s=5), {"intake_per_s": "5"}),
    "switch_model": (row("switch_model", model="ear-2"), {"model": "ear-2"}),
    "spread_keys": (row("spread_keys", over=3), {"keys": "3"}),
    "cache_dns": (row("cache_dns", keep="5 min"), {"dns_cache_s": "300"}),
}
EACH_SETTER = pytest.mark.parametrize(("given", "values"), SETTERS.values(), ids=SETTERS)


@EACH_SETTER
def test_a_setting_is_set_from_what_it_is(given: Mitigation, values: dict[str, str]) -> None:
    """The plan says from what to what, and which call does it, by the service's own name."""
    world = World(settings=dict.fromkeys(values, "before"))
    made = done(given, watched(settings=SETTINGS), world)
    assert made.action == ChangeSettings(values=tuple(values.items()), lease=HOUR)
    assert made.effects == tuple(
        f"set {name} of the service to {value}, from before" for name, value in values.items()
    )
    (call,) = made.calls
    assert call.startswith("settings: PATCH http://127.0.0.1:9/settings {")
    assert ("MODEL_NAME" in call) is ("model" in values)
    assert made.left_out == ()


@EACH_SETTER
def test_without_settings_a_person_sets_it(given: Mitigation, values: dict[str, str]) -> None:
    """And is told what."""
    wanted = ", ".join(f"{name} {value}" for name, value in values.items())
    says = f"integrations.yaml names no settings of the service; a person sets {wanted}"
    assert bound(given, watched()) == LeftOut(says)


@EACH_SETTER
def test_settings_that_cannot_be_read_are_left_alone(
    given: Mitigation, values: dict[str, str]
) -> None:
    """What is not known cannot be put back."""
    world = World(unread={"settings": "no answer within 10 s"})
    says = "the service's settings cannot be read: no answer within 10 s"
    assert bound(given, watched(settings=SETTINGS), world) == LeftOut(says)


@EACH_SETTER
def test_a_setting_that_is_so_already_is_nobody_s_to_undo(
    given: Mitigation, values: dict[str, str]
) -> None:
    """It is told, nothing is called, and nobody is asked about nothing."""
    made = done(given, watched(settings=SETTINGS), World(settings=values))
    assert (made.effects, made.calls, made.needs_approval) == ((), (), False)
    assert made.left_out == tuple(f"{n}: is {v} already" for n, v in values.items())


@EACH_SETTER
def test_planned_again_after_its_own_change_it_is_the_same_plan(
    given: Mitigation, values: dict[str, str]
) -> None:
    """A run that is entered again asks nobody a second time."""
    before: dict[str, str | None] = dict.fromkeys(values)
    held = tuple(
        lease(name, LeaseKind.SETTING, prior={"value": None}, applied={"value": value})
        for name, value in values.items()
    )
    chosen = watched(settings=SETTINGS)
    first = planned(given, chosen, World(settings=before))
    assert all(", from its default" in said for a in first.actions for said in a.effects)
    for shown in (values, before):
        assert planned(given, chosen, World(settings=shown, leases=held)).hash == first.hash
    theirs = {name: f"{value}1" for name, value in values.items()}
    assert planned(given, chosen, World(settings=theirs)).hash != first.hash


def test_only_what_differs_is_changed() -> None:
    """One of two is so already."""
    given, _ = SETTERS["enable_retries"]
    world = World(settings={"max_retries": "4", "max_requests_per_s": "2"})
    made = done(given, watched(settings=SETTINGS), world)
    assert made.action == ChangeSettings(values=(("max_requests_per_s", "0.833"),), lease=HOUR)
    assert made.left_out == ("max_retries: is 4 already",)


def test_a_file_of_settings_is_written_and_the_service_told() -> None:
    """The plan names both calls."""
    made = done(row("spread_keys", over=3), watched(settings=IN_FILE), World())
    assert made.calls == (
        'settings: write {"keys": 3} into service.json',
        "settings: run systemctl reload ours",
    )


# --- replicas -----------------------------------------------------------------------------------

TWICE = row("scale_replicas", factor=2, at_most=10)


def replicas(**found: int) -> World:
    return World(replicas=found)


@pytest.mark.parametrize(
    ("factor", "before", "after"),
    [
        *((2, 2, 4), (1.5, 3, 5), (2, 5, 10), (2, 7, 10), (10, 1, 10)),
        *((2, 10, None), (2, 12, None), (2, 0, None)),
    ],
)
def test_so_many_times_as_many_and_never_above_the_cap(
    factor: float, before: int, after: int | None
) -> None:
    """Rounded up; one that has as many as it may, or none at all, is left as it is."""
    given = row("scale_replicas", factor=factor, at_most=10)
    made = done(given, watched(consumers=("ours",)), replicas(ours=before))
    more = () if after is None else (("ours", after),)
    assert made.action == Scale(replicas=more, lease=HOUR)
    if after is None:
        assert made.left_out == (f"ours: has {before}, and may have 10",)
        assert (made.effects, made.calls, made.needs_approval) == ((), (), False)
    else:
        assert made.effects == (f"run {after} replicas of ours, from {before}",)
        assert made.calls == (f"command: true {after}",)


def test_each_consumer_by_itself() -> None:
    """One can be scaled, one has as many as it may, one cannot be counted."""
    world = World(replicas={"a": 2, "b": 10}, unread={"replicas c": "ended 1"})
    made = done(TWICE, watched(consumers=("a", "b", "c")), world)
    assert made.action == Scale(replicas=(("a", 4),), lease=HOUR)
    assert made.target == "a"
    assert made.left_out == ("c: cannot be scaled: ended 1", "b: has 10, and may have 10")


@pytest.mark.parametrize(
    ("chosen", "world", "says"),
    [
        (
            watched(),
            World(),
            "integrations.yaml names no consumer to run more replicas of; a person does",
        ),
        (
            watched(consumers=("a", "b")),
            World(unread={"replicas a": "gone", "replicas b": "no right"}),
            "a: cannot be scaled: gone; b: cannot be scaled: no right",
        ),
    ],
)
def test_where_nothing_can_be_scaled_a_person_reads_why(
    chosen: Watched, world: World, says: str
) -> None:
    """An action that could do nothing is left out whole."""
    assert bound(TWICE, chosen, world) == LeftOut(says)


def test_a_count_without_a_way_to_set_it_scales_nothing() -> None:
    """A plan must not promise what no call could do."""
    only_told = CommandRuntime(restart=("true",), replicas=("true",))
    ours = Consumer(name="ours", health_url="http://127.0.0.1:9/health", runtime=only_told)
    says = "ours: cannot be scaled: no command is given that sets the replicas"
    assert bound(TWICE, holders(ours), replicas(ours=2)) == LeftOut(says)


def test_scaled_by_us_it_is_the_same_plan() -> None:
    """What it had before counts, whatever it has now, or where it cannot be counted any more."""
    chosen = watched(consumers=("ours",))
    first = planned(TWICE, chosen, replicas(ours=2))
    held = (lease("ours", LeaseKind.REPLICAS, prior={"value": "2"}, applied={"value": "4"}),)
    for world in (replicas(ours=4), replicas(ours=2), World(unread={"replicas ours": "gone"})):
        assert planned(TWICE, chosen, replace(world, leases=held)).hash == first.hash
    assert planned(TWICE, chosen, replicas(ours=4)).hash != first.hash


# --- restarts and keys --------------------------------------------------------------------------


def holders(*consumers: Consumer) -> Watched:
    chosen = watched()
    entry = chosen.integration.model_copy(update={"consumers": consumers})
    return chosen.model_copy(update={"integration": entry})


def test_each_consumer_is_restarted_in_its_order_by_its_own_call() -> None:
    """A command, a workload of a cluster, a service of Cloud Run."""
    runtimes = (
        CommandRuntime(restart=("systemctl", "restart", "a")),
        KubernetesWorkload(deployment="b", namespace="prod"),
        CloudRunService(project="acme-prod", region="us-central1", service="c"),
    )
    made = done(
        row("restart_service"),
        holders(
            *(
                Consumer(name=n, health_url="http://127.0.0.1:9/h", runtime=r)
                for n, r in zip("abc", runtimes, strict=True)
            )
        ),
    )
    assert made.action == Restart(consumers=("a", "b", "c"))
    assert made.effects == ("restart a", "restart b", "restart c")
    assert made.calls[:2] == (
        "command: systemctl restart a",
        "kubernetes: PATCH deployments/b in prod",
    )
    assert all(
        call.startswith("cloud_run: PATCH services/c in acme-prod") for call in made.calls[2:]
    )


def test_without_consumers_a_person_restarts() -> None:
    """There is nothing that could be called."""
    says = "integrations.yaml names no consumer to restart; a person restarts the service"
    assert bound(row("restart_service"), watched()) == LeftOut(says)


def kept_in(reference: str, *consumers: str) -> Watched:
    chosen = watched(consumers=consumers)
    key = Credential(name="the-key", reference=reference)
    entry = chosen.integration.model_copy(update={"credential": key})
    return chosen.model_copy(update={"integration": entry})


@pytest.mark.parametrize("reference", ["env:KEY", "prefect-block:key"])
@pytest.mark.parametrize("order", ["overlap", "revoke_first"])
def test_a_mere_source_cannot_be_rotated_in(reference: str, order: str) -> None:
    """It has no place for a second key: a person replaces it."""
    says = f"{reference} keeps one key only; a person replaces it"
    assert bound(row("rotate_key", order=order), kept_in(reference)) == LeftOut(says)


@pytest.mark.parametrize("reference", ["file:key.json", "aws:key", "gcp:projects/p/secrets/key"])
def test_a_key_is_replaced_in_the_order_that_the_row_says(reference: str) -> None:
    """The old one goes last where it expired, and first where others have it."""
    chosen = kept_in(reference, "a", "b")
    overlap = done(row("rotate_key"), chosen)
    first = done(row("rotate_key", order="revoke_first", revoke_within="10 min"), chosen)
    assert overlap.action == RotateKey(credential="the-key", consumers=("a", "b"))
    assert first.action == RotateKey(
        credential="the-key",
        consumers=("a", "b"),
        order="revoke_first",
        revoke_within=timedelta(minutes=10),
    )
    promote, *restarts, dead = overlap.effects
    assert promote.startswith("make the offered key of the-key current")
    assert restarts == ["restart a", "restart b"]
    assert "refuse the old key" in dead
    assert first.effects == (dead, promote, *restarts)
    assert overlap.needs == ("a new key, offered with: watchkeeper key offer maintainx@test",)
    assert first.needs == ("the leaked key revoked in the vendor's settings, now", *overlap.needs)


@pytest.mark.parametrize(
    ("order", "verdict", "autonomy"),
    [
        ("revoke_first", "likely", "approve"),
        ("revoke_first", "inconclusive", "approve"),
        ("revoke_first", "confirmed", "auto"),
        ("overlap", "likely", "auto"),
    ],
)
def test_what_cannot_be_taken_back_is_never_done_by_itself_on_a_guess(
    order: str, verdict: str, autonomy: str
) -> None:
    """A revoked key stays revoked: a cause that is only likely is a person's to decide."""
    given = row("rotate_key", order=order, autonomy="auto", approvals=0)
    (made,) = plan(
        incident(verdict=verdict), "key_leaked", kept_in("file:k"), World(), (given,)
    ).actions
    assert made.autonomy == autonomy
    assert made.approvals == (1 if autonomy == "approve" else 0)


# --- rates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "allowed", "limit"),
    [
        ({"max_requests_per_s": 0.2}, (100, 60), 0.2),
        ({"share": 0.5}, (100, 60), 0.833),
        ({"share": 1.0}, (100, 60), 1.67),
        ({"share": 0.25}, (3000, 10), 75.0),
        ({"share": 0.5}, (1, 3600), 0.000139),
    ],
)
def test_a_cap_as_a_number_or_as_a_share_of_what_is_allowed(
    asked: dict[str, float], allowed: tuple[int, int], limit: float
) -> None:
    """A share moves with what the vendor allows."""
    requests, seconds = allowed
    rate = RateLimit(requests=requests, per=timedelta(seconds=seconds), reset="delta")
    made = done(row("cap_rate", **asked), watched(changed(rate_limit=rate)))
    assert made.action == CapRate(max_requests_per_s=limit, lease=HOUR)
    assert made.effects == (f"cap requests to maintainx@test at {limit:g} per second",)


# --- jobs ---------------------------------------------------------------------------------------

NIGHTLY = ScheduledJob(
    name="nightly", criticality="deferrable", scheduler=CronJob(cron_job="export", namespace="etl")
)
HOURLY = ScheduledJob(
    name="hourly", criticality="normal", scheduler=PrefectDeployment(deployment="export/hourly")
)
PAUSE = row("pause_jobs", criticality=["deferrable", "normal"], stagger="2 s", missed_runs="all")
SHOWN = {"nightly": Shown("running", "1"), "hourly": Shown("running", "a")}


def test_jobs_of_ours_and_of_others_are_paused_by_their_criticality() -> None:
    """Each by the call of what runs it; how they are resumed is the row's word."""
    world = World(jobs=(job("asset-sync"), job("workorder-sync", "critical")), schedules=SHOWN)
    made = done(PAUSE, watched(jobs=(NIGHTLY, HOURLY)), world)
    assert made.action == PauseJobs(
        jobs=("asset-sync",),
        schedules=("nightly", "hourly"),
        lease=HOUR,
        missed_runs="all",
        stagger=timedelta(seconds=2),
    )
    assert made.effects == ("pause job asset-sync", "pause job nightly", "pause job hourly")
    assert made.calls == (
        "database: jobs/asset-sync desired=paused",
        "kubernetes: PATCH cronjobs/export in etl suspend=true",
        "prefect: pause deployment export/hourly",
    )


def test_what_somebody_paused_or_nobody_can_read_is_left_alone() -> None:
    """Our own pause is not somebody's."""
    world = World(
        schedules={"nightly": Shown(PAUSED, "2")},
        unread={"schedule hourly": "no answer within 10 s"},
    )
    chosen = watched(jobs=(NIGHTLY, HOURLY))
    made = done(PAUSE, chosen, world)
    assert (made.effects, made.calls, made.target) == ((), (), "no job")
    assert made.left_out == (
        "nightly: already paused where it is run",
        "hourly: cannot be read: no answer within 10 s",
    )
    kept = tuple(lease(name, LeaseKind.PAUSED_SCHEDULE) for name in ("nightly", "hourly"))
    ours = planned(PAUSE, chosen, replace(world, leases=kept))
    assert ours.hash == planned(PAUSE, chosen, World(schedules=SHOWN)).hash


def test_no_job_of_that_kind_is_no_action() -> None:
    """Nothing selected is nothing done, here and elsewhere."""
    world = World(jobs=(job("workorder-sync", "critical"),))
    assert (
        bound(row("pause_jobs", criticality=["deferrable"]), watched(jobs=(HOURLY,)), world) is None
    )


# --- what waits ---------------------------------------------------------------------------------

HOLDS = [
    (row("wait_for_vendor", good_looks=2), Wait(good_looks=2, lease=HOUR)),
]


@pytest.mark.parametrize(("given", "action"), HOLDS, ids=["wait"])
def test_a_lease_that_others_act_by(given: Mitigation, action: Wait) -> None:
    """It is held for as long as the row says, and ends by itself."""
    made = done(given, watched())
    assert made.action == action
    assert made.effects
    assert all(made.calls)
    assert made.left_out == made.needs == ()


def test_how_long_and_how_often_is_told() -> None:
    """As it will be: nothing is rounded that is looked for later."""
    wait = done(HOLDS[0][0], watched())
    assert wait.effects == ("look until MaintainX is well 2 times in a row, for up to 1 h",)
    assert "vendor: GET its status page" in wait.calls
    pageless = watched(runbook().model_copy(update={"status_page": None}))
    assert "vendor: GET its status page" not in done(HOLDS[0][0], pageless).calls
