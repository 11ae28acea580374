"""Binding `rotate_key`: a new key proven before the old one goes, or the old one revoked first."""

from __future__ import annotations

from watchkeeper.mitigation.actions import RotateKey
from watchkeeper.mitigation.bound import READ_BACK, Bound, LeftOut, planned
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.acting_text import calls_of_restart
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import RotateKeyRow

ROTATABLE = ("file:", "aws:", "gcp:")


def bind_rotation(row: RotateKeyRow, watched: Watched, world: World) -> Bound:
    credential, consumers = watched.integration.credential, watched.integration.consumers
    if not credential.reference.startswith(ROTATABLE):
        return LeftOut(f"{credential.reference} keeps one key only; a person replaces it")
    promoted = f"make the offered key of {credential.name} current, once the vendor accepts it"
    restarts = tuple(f"restart {c.name}" for c in consumers)
    dead = f"see the vendor refuse the old key of {credential.name}, which a person revokes"
    first = row.order == "revoke_first"
    return planned(
        row,
        RotateKey(
            credential=credential.name,
            consumers=tuple(c.name for c in consumers),
            order=row.order,
            revoke_within=row.revoke_within,
        ),
        target=credential.name,
        effects=(dead, promoted, *restarts) if first else (promoted, *restarts, dead),
        calls=(
            "vendor: GET on every probed endpoint with the offered key, and with the old one",
            f"secret store: promote pending of {credential.reference}",
            *(call for c in consumers for call in calls_of_restart(c.runtime)),
        ),
        undo="the previous key stays in the store and can be made current again until it is revoked",
        cost="requests fail until the new key is in place" if first else "each consumer restarts",
        risk="a consumer that does not come up stays on the old key, which is then kept",
        promise=READ_BACK,
        needs=_needs(row, watched.name),
    )


def _needs(row: RotateKeyRow, integration: str) -> tuple[str, ...]:
    offered = f"a new key, offered with: watchkeeper key offer {integration}"
    if row.order == "overlap":
        return (offered,)
    return ("the leaked key revoked in the vendor's settings, now", offered)
