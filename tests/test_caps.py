"""The most that automation may do: what goes over it is left out whole, and the plan says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from making import HOUR, job, lease, runbook

from watchkeeper.mitigation.actions import (
    Action,
    CapRate,
    Escalate,
    PauseJobs,
    RotateKey,
)
from watchkeeper.mitigation.caps import capped
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.mitigation.world import Step, StepState, World
from watchkeeper.runbook.policy import Caps

DONE, BEGUN, FAILED = StepState.DONE, StepState.BEGUN, StepState.FAILED
SKIPPED, WANTED = StepState.SKIPPED, StepState.WANTED


def act(name: str, action: Action) -> PlannedAction:
    return PlannedAction(
        name=name,
        action=action,
        target="-",
        summary="-",
        effects=("-",),
        calls=("-",),
        undo="-",
        cost="-",
        risk="-",
        promise="-",
        autonomy="auto",
        approvals=1,
    )


CAP = act("cap", CapRate(max_requests_per_s=1, lease=HOUR))
PAUSE = act("pause", PauseJobs(jobs=("a", "b"), lease=HOUR))
MORE = act("pause-more", PauseJobs(jobs=("b", "c"), schedules=("d",), lease=HOUR))
ROTATE = act("rotate", RotateKey(credential="key", consumers=()))
CALL = act("call", Escalate(why="-"))
EVERY = [CAP, PAUSE, ROTATE, CALL]


def limits(**changes: Any) -> Caps:
    return runbook().caps.model_copy(update=changes)


def judged(
    world: World, actions: list[PlannedAction] = EVERY, caps: Caps | None = None
) -> tuple[list[str], list[str]]:
    kept, refused = capped(actions, caps or limits(), world)
    return [a.name for a in kept], refused


def steps(**found: StepState) -> World:
    return World(steps=tuple(Step(n, s, "ann", "on purpose") for n, s in found.items()))


def test_what_is_within_bounds_is_kept_in_its_order() -> None:
    """Nothing stands in the way: the plan stays as it was."""
    assert judged(World()) == ([a.name for a in EVERY], [])


# (what came of the steps of this round, what is kept, why the rest is not)
STEPS: list[tuple[World, list[str], list[str]]] = [
    (
        steps(cap=SKIPPED),
        ["pause", "rotate", "call"],
        ["cap: skipped by ann: on purpose"],
    ),
    # What was skipped stops nothing else, and what is done or under way is still in the plan.
    (steps(cap=DONE, pause=BEGUN), ["cap", "pause", "rotate", "call"], []),
    (
        steps(cap=FAILED),
        ["call"],
        [
            "cap: it failed, and nothing more is done by itself: on purpose",
            "pause: cap failed, and nothing more is done by itself: on purpose",
            "rotate: cap failed, and nothing more is done by itself: on purpose",
        ],
    ),
    # One that is done stays; one that a person asked for by name is not done by itself.
    (
        steps(cap=DONE, pause=FAILED, rotate=WANTED),
        ["cap", "rotate", "call"],
        ["pause: it failed, and nothing more is done by itself: on purpose"],
    ),
    # A process died in it, and another action failed: a person says whether it is finished.
    (
        steps(pause=BEGUN, cap=FAILED),
        ["call"],
        [
            "cap: it failed, and nothing more is done by itself: on purpose",
            "pause: cap failed, and nothing more is done by itself: on purpose",
            "rotate: cap failed, and nothing more is done by itself: on purpose",
        ],
    ),
]


@pytest.mark.parametrize(("world", "kept", "refused"), STEPS)
def test_what_came_of_this_round_decides_what_may_follow(
    world: World, kept: list[str], refused: list[str]
) -> None:
    """A person's skip, and the first failure, end what is done by itself."""
    assert judged(world) == (kept, refused)


@pytest.mark.parametrize(
    ("down", "cap", "stopped"),
    [
        ((), 2, False),
        (("a@prod",), 2, False),
        (("a@prod", "b@prod"), 2, True),
        (("a@prod", "b@prod", "c@prod"), 2, True),
        (("a@prod",), 1, True),
        # 0 turns it off.
        (("a@prod", "b@prod"), 0, False),
    ],
)
def test_where_many_vendors_are_down_only_people_act(
    down: tuple[str, ...], cap: int, stopped: bool
) -> None:
    """Our own network is likelier than several vendors at once."""
    kept, refused = judged(World(others_down=down), caps=limits(vendors_down_at_once=cap))
    assert kept == (["call"] if stopped else [a.name for a in EVERY])
    why = f"{', '.join(down)} are down too: our own network is likelier, and only people act"
    assert refused == ([f"{name}: {why}" for name in ("cap", "pause", "rotate")] * stopped)


JOB_LEASE, FAR_LEASE = lease("x"), lease("y", LeaseKind.PAUSED_SCHEDULE)
PAUSES: list[tuple[str, World, list[PlannedAction], int, list[str]]] = [
    ("as many as may be", World(), [PAUSE], 2, []),
    ("one too many", World(), [PAUSE], 1, ["pause: would pause 2 jobs, the cap is 1"]),
    ("none may be", World(), [PAUSE], 0, ["pause: would pause 2 jobs, the cap is 0"]),
    (
        "with those that are held",
        World(leases=(JOB_LEASE, FAR_LEASE)),
        [PAUSE],
        3,
        ["pause: would pause 4 jobs, the cap is 3"],
    ),
    ("what is held is not counted twice", World(leases=(lease("a"),)), [PAUSE], 2, []),
    ("another kind of lease is no job", World(leases=(lease("x", LeaseKind.RATE_CAP),)), [PAUSE], 2, []),
    (
        "with those of the action before",
        World(),
        [PAUSE, MORE],
        3,
        ["pause-more: would pause 4 jobs, the cap is 3"],
    ),
    ("each once", World(), [PAUSE, MORE], 4, []),
    (
        "an action that was left out holds nothing",
        World(),
        [MORE, PAUSE],
        2,
        ["pause-more: would pause 3 jobs, the cap is 2"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "actions", "cap", "refused"), [p[1:] for p in PAUSES], ids=[p[0] for p in PAUSES]
)
def test_no_more_jobs_are_held_paused_than_the_cap_allows(
    world: World, actions: list[PlannedAction], cap: int, refused: list[str]
) -> None:
    """Here and where others run them, before and by this plan; and never half of an action."""
    kept, said = judged(world, actions, limits(jobs_paused_per_incident=cap))
    assert said == refused
    assert len(kept) == len(actions) - len(refused)


@pytest.mark.parametrize(("today", "cap", "may"), [(0, 1, True), (1, 1, False), (1, 2, True)])
def test_a_key_is_rotated_so_often_a_day(today: int, cap: int, may: bool) -> None:
    """A further rotation is a person's decision; nothing else is held back by it."""
    caps = limits(rotations_per_credential_per_day=cap)
    kept, refused = judged(World(rotations_today=today), caps=caps)
    assert ("rotate" in kept) is may
    why = f"rotate: key was rotated {today} times today, the cap is {cap}"
    assert refused == ([] if may else [why])
    assert {"cap", "pause", "call"} <= set(kept)


# (actions begun within the hour, the cap, steps of this round, what is kept)
PACE: list[tuple[int, int, World, list[str]]] = [
    (0, 3, World(), ["cap", "pause", "rotate", "call"]),
    (0, 2, World(), ["cap", "pause", "call"]),
    (1, 2, World(), ["cap", "call"]),
    (2, 2, World(), ["call"]),
    (0, 0, World(), ["call"]),
    # What is begun is counted already, and may be finished.
    (2, 2, steps(pause=BEGUN, rotate=DONE), ["pause", "rotate", "call"]),
    (2, 2, steps(cap=WANTED), ["cap", "call"]),
]


@pytest.mark.parametrize(("begun", "cap", "world", "kept"), PACE)
def test_an_incident_begins_so_many_actions_an_hour(
    begun: int, cap: int, world: World, kept: list[str]
) -> None:
    """A plan that goes round in circles runs dry; people are called all the same."""
    found, refused = judged(
        replace(world, actions_last_hour=begun), caps=limits(actions_per_incident_per_hour=cap)
    )
    assert found == kept
    assert len(refused) == len(EVERY) - len(kept)
    assert all(f"actions within the hour, the cap is {cap}" in why for why in refused)


def test_calling_people_is_never_capped() -> None:
    """Everything at once stands in the way, and they are called."""
    worst = World(
        jobs=(job("a"),),
        leases=(JOB_LEASE,),
        steps=(Step("call", SKIPPED), Step("cap", FAILED)),
        rotations_today=9,
        actions_last_hour=99,
        others_down=("a@prod", "b@prod"),
    )
    none = Caps(
        actions_per_incident_per_hour=0,
        jobs_paused_per_incident=0,
        rotations_per_credential_per_day=0,
        vendors_down_at_once=1,
        approval_timeout=timedelta(hours=1),
    )
    assert judged(worst, caps=none)[0] == ["call"]
