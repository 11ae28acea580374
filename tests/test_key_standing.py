"""How our key stands by our own record: soon to be replaced, or told to have leaked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from conftest import Clock
from making import NAME, T0

from watchkeeper.changes import ChangeKind
from watchkeeper.evidence import Outcome, Reading
from watchkeeper.performing import leaking
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.key_standing import ends_of, key_standing
from watchkeeper.performing.watch import Watch
from watchkeeper.store import changes, exposures

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("expires", "max_age", "ends"),
    [
        (None, None, None),
        (T0 + 9 * DAY, None, T0 + 9 * DAY),
        (None, 90 * DAY, T0 + 90 * DAY),
        (T0 + 9 * DAY, 90 * DAY, T0 + 9 * DAY),
        (T0 + 9 * DAY, 3 * DAY, T0 + 3 * DAY),
    ],
)
def test_when_a_key_is_to_be_replaced(
    expires: datetime | None, max_age: timedelta | None, ends: datetime | None
) -> None:
    """Where it expires or is as old as it may grow, whichever comes first."""
    assert ends_of(expires, T0, max_age) == ends


def due_on(watch: Watch, expires: datetime) -> None:
    text = watch.settings.integrations.read_text()
    told = f', expires: "{expires.isoformat()}"}}'
    watch.settings.integrations.write_text(
        text.replace('"file:key.json"}', f'"file:key.json"{told}')
    )


def age(watch: Watch) -> Reading:
    (reading,) = key_standing(watch, watch.integration(NAME))
    return reading


def test_a_warning_comes_two_weeks_before(watch: Watch, clock: Clock) -> None:
    due_on(watch, T0 + 30 * DAY)
    assert age(watch).outcome is Outcome.OK
    clock.advance(17 * DAY)
    assert (age(watch).outcome, age(watch).fault) == (Outcome.DEGRADED, "due")
    assert "in 13 days" in age(watch).detail
    clock.advance(20 * DAY)
    assert age(watch).detail.endswith("that is over")


def test_the_key_that_we_made_current_since_is_another(watch: Watch, clock: Clock) -> None:
    """What is written down expires with the old one: nobody is warned of it for ever."""
    due_on(watch, T0 + 30 * DAY)
    clock.advance(20 * DAY)
    assert age(watch).fault == "due"
    with watch.store.write() as session:
        changes.add(
            session,
            integration=NAME,
            kind=ChangeKind.KEY,
            what="maintainx-api-key is 0123abcd (INC-1)",
            who="watchkeeper",
            at=watch.now(),
            now=watch.now(),
            source="rotation",
        )
    assert key_standing(watch, watch.integration(NAME)) == ()


def test_a_leaked_key_is_told_until_it_is_dead_and_replaced(watch: Watch, clock: Clock) -> None:
    watched = watch.registered(NAME)
    (current,) = (v.fingerprint for v in keys_of(watch, watched).versions())
    incident = leaking.tell(watch, watched, current, T0 - DAY, "a public log", "ada")
    assert (incident.cause, incident.severity) == ("key_leaked", 1)

    def leak() -> Reading:
        (reading,) = key_standing(watch, watched)
        return reading

    assert (leak().outcome, leak().fault) == (Outcome.DOWN, "leaked")
    assert leak().detail.endswith("not yet seen to be dead")
    with watch.store.write() as session:
        exposures.refused(session, incident.id, current, clock.advance(timedelta(hours=1)))
    assert leak().detail.endswith("dead, and not replaced")
    with watch.store.read() as session:
        (told,) = exposures.of_incident(session, incident.id)
    assert told.good_for(watch.now()) == DAY + timedelta(hours=1)
    assert "from 2026-03-01 09:00:00Z to 2026-03-02 10:00:00Z (25 h)" in told.says(watch.now())
