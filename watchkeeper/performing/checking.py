"""A check with its alarm, as plain functions: what the supervisor does when no scheduled run does it."""

from __future__ import annotations

import logging

from watchkeeper.errors import WatchkeeperError
from watchkeeper.performing import detecting, paging, responding
from watchkeeper.performing.detecting import Check
from watchkeeper.performing.responding import Executor
from watchkeeper.performing.side_by_side import said
from watchkeeper.performing.watch import Watch

logger = logging.getLogger(__name__)


async def check_and_alarm(watch: Watch, name: str, executor: Executor) -> Check:
    """Check one integration; on a confirmed failure open or join its incident, call the first rung,
    start a responder. What of that fails is left to the sweep, which does it again."""
    try:
        found = await detecting.check(watch, watch.registered(name))
    except Exception as error:
        detecting.not_checked(watch, name, said(error))
        raise
    if found.healthy:
        return found
    incident, _ = detecting.open_incident(watch, found)
    ladder = found.watched.runbook.escalation
    try:
        if ladder and found.watched.runbook.severity_level(incident.severity).pages:
            await paging.page(watch, found.watched, incident, ladder[0])
    except WatchkeeperError:
        logger.exception("INC-%s: its first page did not go out", incident.id)
    try:
        await responding.dispatch(watch, incident, executor)
    except WatchkeeperError:
        logger.warning("INC-%s: no responder could be started", incident.id, exc_info=True)
    return found
