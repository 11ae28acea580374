"""A responder in this process: the performers that the flow calls, in the flow's order.

The flows themselves need Prefect. What is left out: the looks at the vendor (what they would find is
the world's), the walks that fill a gap, the key's test and its consumers' restarts, and the retries
that a task has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from watchkeeper.errors import Halted, Permanent, StaleFence, Transient, WatchkeeperError
from watchkeeper.gaps import Reconciliation
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.actions import (
    CapRate,
    ChangeSettings,
    Escalate,
    PauseJobs,
    RotateKey,
    Scale,
    Wait,
)
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.performing import (
    key_test,
    leasing,
    mitigating,
    paging,
    pulling,
    recovering,
    releasing,
    reporting,
    resuming,
    rotating,
    rotation_stand,
    stepping,
    triaging,
)
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import lever_of
from watchkeeper.performing.responding import on_duty, resumed, suspended
from watchkeeper.performing.vigils import good_looks_wanted, looked
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, gaps, incidents
from watchkeeper.store.approvals import APPROVE, Approval
from watchkeeper.verification import Recovery

if TYPE_CHECKING:
    from random_world import World

MOST_QUESTIONS = 10
VERIFYING, GIVING_UP = timedelta(seconds=30), timedelta(minutes=15)
CAP = frozenset({LeaseKind.RATE_CAP})


class Suspended(Exception):
    """The run has no process any more; its lock waits for an answer."""


class Responder:
    """One run. `turn` is where it may be parked while others act: a process that is merely slow."""

    def __init__(
        self, world: World, watch: Watch, run_id: str, turn: Callable[[], Awaitable[None]]
    ) -> None:
        self.world, self.watch, self.run_id, self.turn = world, watch, run_id, turn

    async def respond(self, incident_id: int, epoch: int) -> None:
        async with on_duty(self.watch, self.now(incident_id), epoch, self.run_id) as duty:
            if duty is not None:
                await self.see_through(duty)

    def now(self, incident_id: int) -> Incident:
        with self.watch.store.read() as session:
            return incidents.get(session, incident_id)

    async def see_through(self, duty: Duty) -> None:
        await self.find_cause(duty)
        await self.stop_harm(duty)
        if not await self.prove_repair(duty):
            return
        await self.fill_gaps(duty)
        await self.resume(duty)
        if await self.settle(duty):
            name = self.now(duty.incident_id).integration
            reporting.write_report(self.watch, self.watch.integration(name), duty.incident_id)

    async def find_cause(self, duty: Duty) -> None:
        if self.now(duty.incident_id).state is State.OPEN:
            found = self.world.triage()
            await self.turn()
            triaging.record_triage(self.watch, self.now(duty.incident_id), found)

    async def stop_harm(self, duty: Duty) -> None:
        incident = self.now(duty.incident_id)
        if incident.state is not State.TRIAGED:
            return
        for _ in range(MOST_QUESTIONS):
            question = await self.apply_plan(duty, incident)
            if question is None:
                return
            with self.watch.store.write() as session:
                approvals.waits_in(session, question.id, self.run_id)
            suspended(self.watch, duty, question.expires_at)
            self.take_answer(duty, incident, question)

    def take_answer(self, duty: Duty, incident: Incident, question: Approval) -> None:
        """One that was handed to this run before is there at once, for this very question."""
        key = f"{self.run_id}:{question.plan_hash}-{len(question.votes)}"
        answer = self.world.runs.answers.get(key)
        if answer is None:
            self.world.runs.asks[self.run_id] = key
            raise Suspended
        resumed(self.watch, duty)
        with self.watch.store.read() as session:
            unanswered = {asked.id for asked in approvals.unanswered(session, incident.id)}
        if question.id in unanswered:
            said = (answer, "nobody", "", question.plan_hash)
            mitigating.record_answer(self.watch, incident, *said)

    async def apply_plan(self, duty: Duty, incident: Incident) -> Approval | None:
        watched = self.watch.integration(incident.integration)
        plan = await mitigating.make_plan(self.watch, watched, incident)
        await self.turn()
        await self.carry_out_all(duty, incident, plan.by_itself)
        for waiting in plan.questions:
            question = mitigating.ask(self.watch, watched, waiting)
            if question.open and question.waits:
                return question
            if question.decision == APPROVE:
                await self.carry_out_all(duty, incident, waiting.actions)
        await self.turn()
        if self.now(incident.id).state is State.TRIAGED:
            mitigating.mitigated(self.watch, duty, incident, "as far as the plan goes")
        return None

    async def carry_out_all(
        self, duty: Duty, incident: Incident, actions: tuple[PlannedAction, ...]
    ) -> None:
        watched = self.watch.integration(incident.integration)
        for planned in actions:
            if not await self.carry_out(duty, incident, planned):
                await paging.call_next(self.watch, watched, incident)
                return

    async def carry_out(self, duty: Duty, incident: Incident, planned: PlannedAction) -> bool:
        try:
            if not stepping.begin(self.watch, duty, planned):
                return True
            await self.turn()
            await self.perform(duty, incident, planned.action)
        except StaleFence:
            raise
        except Halted:
            stepping.held_back(self.watch, duty, planned)
            raise
        except WatchkeeperError as error:
            stepping.failed(self.watch, duty, planned, str(error))
            return planned.calls_people
        stepping.done(self.watch, duty, planned)
        return True

    async def perform(self, duty: Duty, incident: Incident, action: Any) -> None:
        watch, name = self.watch, incident.integration
        match action:
            case PauseJobs():
                leasing.pause_jobs(watch, duty, name, action)
                also = leasing.how_to_resume(action)
                for target in action.schedules:
                    await self.pull(
                        duty, name, LeaseKind.PAUSED_SCHEDULE, target, "paused", action, also
                    )
            case CapRate():
                leasing.cap_rate(watch, duty, name, action)
            case ChangeSettings():
                for target, value in action.values:
                    await self.pull(duty, name, LeaseKind.SETTING, target, value, action)
            case Scale():
                for target, count in action.replicas:
                    await self.pull(duty, name, LeaseKind.REPLICAS, target, str(count), action)
            case RotateKey():
                await self.rotate(duty, incident, action)
            case Wait():
                needed: dict[str, object] = {"needed": action.good_looks, "good": 0}
                leasing.hold(watch, duty, name, LeaseKind.WAIT, name, needed, action.lease)
            case Escalate():
                await paging.call_next(watch, watch.integration(name), incident)
            case _:
                raise AssertionError(f"{action} is not played here")

    async def pull(
        self,
        duty: Duty,
        name: str,
        kind: LeaseKind,
        target: str,
        value: str,
        action: Any,
        also: dict[str, object] | None = None,
    ) -> None:
        lever = lever_of(self.watch, self.watch.integration(name), kind, target)
        await pulling.pull(self.watch, duty, name, lever, value, action.lease, also)

    async def rotate(self, duty: Duty, incident: Incident, action: RotateKey) -> None:
        watched = self.watch.integration(incident.integration)
        chosen = rotation_stand.chosen_in_round(self.watch, watched, incident)
        key = chosen or key_test.offered(self.watch, watched)
        if key is None:
            raise Permanent("no key was offered")
        if chosen is None:
            rotating.choose(self.watch, duty, watched, key)
        await self.turn()
        await rotating.promote(self.watch, duty, watched, key, action.revoke_within)

    async def prove_repair(self, duty: Duty) -> bool:
        incident = self.now(duty.incident_id)
        if incident.state is not State.MITIGATED:
            return incident.has_reached(State.RESOLVED)
        well = self.world.cause is None
        await self.world.passes(self.watch, duty, VERIFYING if well else GIVING_UP)
        if not well:
            triaging.reconsider(self.watch, duty, incident, self.world.triage())
            return False
        wanted = good_looks_wanted(self.watch, incident)
        if wanted is not None:
            looked(self.watch, incident, wanted, "", True)
        await self.turn()
        watched = self.watch.integration(incident.integration)
        recovery = Recovery(True, ("good looks in a row",))
        found = recovering.mark_recovered(self.watch, duty, watched, incident, recovery)
        return found.has_reached(State.RESOLVED)

    async def fill_gaps(self, duty: Duty) -> None:
        incident = self.now(duty.incident_id)
        if incident.state is not State.RESOLVED:
            return
        watched = self.watch.integration(incident.integration)
        await recovering.all_clear(self.watch, watched, incident)
        await releasing.end_leases(self.watch, duty, "the service is well", CAP)
        self.vendor_answers()
        with self.watch.store.write() as session:
            for gap in gaps.of_incident(session, incident.id):
                gaps.filled(session, gap.id)

    def vendor_answers(self) -> None:
        if self.world.cause is not None:
            raise Transient("the vendor does not answer")

    async def resume(self, duty: Duty) -> None:
        incident = self.now(duty.incident_id)
        if incident.state is State.RESOLVED:
            await self.turn()

            async def sleep(seconds: float) -> None:
                await self.turn()
                await self.world.passes(self.watch, duty, timedelta(seconds=seconds))

            await self.world.give_back(self.watch, duty, self.world.runs, "well again", sleep)
            recovering.begin_settling(self.watch, duty, incident)

    async def settle(self, duty: Duty) -> bool:
        incident = self.now(duty.incident_id)
        if incident.state is not State.SETTLING:
            return incident.state is State.CLOSED
        rest = (incident.settles_at or self.watch.now()) - self.watch.now()
        if rest > timedelta(seconds=self.watch.settings.settle_inline_s):
            return False
        await self.world.passes(self.watch, duty, max(rest, timedelta(0)))
        self.vendor_answers()
        whole = Reconciliation(0, 0, (), ())
        with self.watch.store.write() as session:
            for gap in gaps.of_incident(session, incident.id):
                if not gap.state.over:
                    gaps.judged(session, gap.id, whole, self.watch.now())
        await self.turn()
        return recovering.close(self.watch, duty, incident).closed


# So that a planted way of giving back can be played in its place.
GiveBack = Callable[..., Awaitable[object]]
AS_SHIPPED: GiveBack = resuming.give_back
