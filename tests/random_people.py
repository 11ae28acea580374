"""What people do in a random schedule, by the performers that the commands call, in their order."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from random_far import JOB

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import mitigating, releasing, stepping
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import begin_again, dispatch, wake
from watchkeeper.store import approvals, incidents, jobs, leases, pages, switches
from watchkeeper.store.approvals import APPROVE, DENY

if TYPE_CHECKING:
    from random_world import World


class People:
    """Ann, and Bob where two are wanted."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def incident(self) -> Incident | None:
        with self.world.watch.store.read() as session:
            found = incidents.listed(session, only_open=True)
        return found[0] if found else None

    def says_of_job(self, name: str, desired: str) -> None:
        """Of a job elsewhere that is so already nobody can tell that they said it again."""
        world = self.world
        if name == JOB:
            if world.far.job.change(desired == "paused"):
                world.words[JOB] = desired
            return
        with world.watch.store.write() as session:
            now = world.clock.now()
            jobs.desire(session, world.watched.name, name, desired, by="ann", reason="-", now=now)
        world.words[name] = desired

    def sets(self, name: str, value: str) -> None:
        if name == "replicas":
            self.world.far.scale(value)
        else:
            self.world.far.settings[name] = int(value)
        self.world.words[name] = value

    def halt(self, on: bool, by_file: bool = False) -> None:
        world, file = self.world, self.world.ground.settings.halt_file
        by_file = by_file or world.deaf
        if by_file and on:
            file.touch()
        elif not on:
            file.unlink(missing_ok=True)
        if not (by_file and on):
            with world.watch.store.write() as session:
                switches.set_halt(session, on, by="ann", reason="-", now=world.clock.now())
        world.halted = on

    async def answers(self, decision: str) -> None:
        world, watch, incident = self.world, self.world.watch, self.incident
        if incident is None:
            return
        with suppress(WatchkeeperError):
            with watch.store.read() as session:
                question = approvals.meant(session, incident.id, None)
            if decision == APPROVE:
                if any("key offer" in need for need in question.needs) and not self._offered():
                    return
                await mitigating.still_the_plan(watch, world.watched, question)
            answered = mitigating.record_answer(watch, incident, decision, "ann", "-")
            if answered.open:
                return
            if not answered.waits and decision == APPROVE:
                stepping.plan_again(watch, incident)
            await self._hurries(incident.id)

    async def wants(self, step: str) -> None:
        world, watch, incident = self.world, self.world.watch, self.incident
        if incident is None:
            return
        with suppress(WatchkeeperError):
            plan = await mitigating.plan_of(watch, world.watched, incident, frozenset({step}))
            if (
                any("key offer" in n for a in plan.to_approve for n in a.needs)
                and not self._offered()
            ):
                return
            stepping.want(watch, incident, step, "ann", "-")
            for waiting in plan.questions:
                question = mitigating.ask(watch, world.watched, waiting)
                if question.open:
                    mitigating.record_answer(
                        watch, incident, APPROVE, "ann", "-", question.plan_hash
                    )
            stepping.plan_again(watch, incident)
            await self._hurries(incident.id)

    async def _hurries(self, number: int) -> None:
        world = self.world
        with world.watch.store.read() as session:
            incident = incidents.get(session, number)
        woken = await wake(world.watch, incident, world.runs)
        if woken is None and incident.is_open:
            await dispatch(world.watch, incident, world.runs)

    def skips(self, step: str) -> None:
        incident = self.incident
        if incident is not None and not incident.has_reached(State.RESOLVED):
            stepping.skip(self.world.watch, incident, step, "ann", "-")

    def tries_again(self, step: str | None) -> None:
        world, incident = self.world, self.incident
        if incident is None:
            return
        if step is not None:
            with suppress(UserError):
                stepping.retry(world.watch, incident, step, "ann", "-")
            return
        with world.watch.store.write() as session:
            begin_again(session, incident.id, world.clock.now())

    def takes(self, over: bool) -> None:
        if (incident := self.incident) is not None:
            with self.world.watch.store.write() as session:
                incidents.take(session, incident.id, "ann" if over else None)

    def corrects(self, cause: str) -> None:
        if (incident := self.incident) is not None:
            with self.world.watch.store.write() as session:
                now = self.world.clock.now()
                incidents.correct(
                    session, incident.id, cause=cause, severity=None, by="ann", reason="-", now=now
                )

    def acknowledges(self) -> None:
        if (incident := self.incident) is not None:
            with self.world.watch.store.write() as session:
                pages.acknowledge(session, incident.id, self.world.clock.now())

    def extends(self, hours: int) -> None:
        with self.world.watch.store.write() as session:
            for lease in leases.active(session)[:1]:
                leases.extend(
                    session,
                    lease,
                    lease.expires_at + timedelta(hours=hours),
                    self.world.clock.now(),
                )

    async def releases(self, place: int) -> None:
        watch = self.world.watch
        with watch.store.read() as session:
            held = leases.active(session)
        if not held:
            return
        lease = held[place % len(held)]
        with watch.store.read() as session:
            incident = incidents.get(session, lease.incident_id)
        with suppress(WatchkeeperError):
            await releasing.end_lease(watch, Duty.unfenced(incident), lease, "released by ann")

    async def see_to_old_keys(self) -> None:
        """They are revoked, and said to be: no vendor is there that could refuse them."""
        watch = self.world.watch
        with watch.store.read() as session:
            held = [x for x in leases.active(session) if x.kind is LeaseKind.OLD_KEY]
            owners = [incidents.get(session, x.incident_id) for x in held]
        for lease, incident in zip(held, owners, strict=True):
            with suppress(WatchkeeperError):
                await releasing.end_lease(watch, Duty.unfenced(incident), lease, "revoked by ann")

    def offers(self, number: int) -> None:
        with suppress(UserError):
            self._keys().offer(Secret(f"test_offered_key_{number:04d}"))

    def _offered(self) -> bool:
        return self._keys().read("pending") is not None

    def _keys(self) -> object:
        return open_rotatable("file:key.json", self.world.ground.home)


ANSWERS = (APPROVE, DENY)
