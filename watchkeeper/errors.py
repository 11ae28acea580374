"""What the runner must do about a failure.

    WatchkeeperError
    ├── Transient        ask again, later
    │   ├── Throttled    ask again, when the vendor said so
    │   └── StoreBroken  our own database is damaged, read-only or full
    ├── Permanent        asking again gives the same answer
    │   ├── Refused      our own guard said no: nothing was sent
    │   │   └── Stopped  a person's word stops it: it goes on once that is lifted
    │   │       ├── Halted   the kill switch is on
    │   │       └── Paused   its job is paused
    │   └── StaleFence   somebody else has taken this work over
    ├── Ambiguous        sent, no answer: the far side may have done it
    └── UserError        a person can mend it: one line, exit 2, nothing changed
        └── StoreUnusable    our own database is damaged, read-only or full

Texts never hold a secret: name the reference, not the value.
"""

from __future__ import annotations


class WatchkeeperError(Exception):
    """Base of every error raised on purpose."""


class Transient(WatchkeeperError):
    """A fault that another attempt may not meet."""


class Throttled(Transient):
    """The vendor asked us to wait.

    `wait_s` is what it asked for, already clamped; None where it did not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class StoreBroken(Transient):
    """Our own database cannot be used until a person, or the disk, is better. Nothing was written."""


class Permanent(WatchkeeperError):
    """A fault that every further attempt will meet."""


class Refused(Permanent):
    """Our own guard stopped the call before anything was sent."""


class Stopped(Refused):
    """A person stopped it. It is no fault: it goes on where it was once the stop is lifted."""


class Halted(Stopped):
    """The kill switch is on: it may be done once it is off."""


class Paused(Stopped):
    """The job that it belongs to is paused: it may be done once the job runs again."""


class StaleFence(Permanent):
    """A newer holder has this work: whatever we hold must not be written."""


class Ambiguous(WatchkeeperError):
    """The call was sent and its outcome is unknown: read back before sending again."""


class UserError(WatchkeeperError):
    """Something a person asked for that cannot be done: what, where, what to do."""


class StoreUnusable(UserError):
    """Our own database was there and cannot be opened."""
