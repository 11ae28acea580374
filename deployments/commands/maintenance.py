"""`maintenance`: windows in which nobody is woken; what breaks in them is watched all the same."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from deployments.commands.edge import (
    AsJson,
    By,
    IntegrationOrAll,
    one_or_all,
    person,
    print_json,
    watch,
    words,
)
from deployments.commands.times import after
from watchkeeper.errors import UserError
from watchkeeper.maintenance import Maintenance
from watchkeeper.store import maintenance

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    integration: IntegrationOrAll,
    until: Annotated[str, typer.Option(help="2026-01-31T10:30:00Z, or 2h from its beginning.")],
    why: Annotated[str, typer.Option(help="What is being done; people read it in `status`.")],
    from_: Annotated[
        str, typer.Option("--from", help="2026-01-31T09:00:00Z, or 30min from now.")
    ] = "0s",
    by: By = None,
) -> None:
    """Wake nobody for a while. Whatever is still broken at its end is paged for then."""
    on = watch()
    name, now = one_or_all(on, integration), on.now()
    since = after(from_, "--from", now)
    end = after(until, "--until", since)
    if end <= now:
        raise UserError(f"--until {until} is over already: a window must end later than now")
    with on.store.write() as session:
        made = maintenance.add(
            session, integration=name, since=since, until=end, by=person(by), why=why
        )
    words.print(f"window {made.id}: {made.integration or 'all'}, {made.says()}", markup=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The windows that hold, or are still to come."""
    on = watch()
    now = on.now()
    with on.store.read() as session:
        found = maintenance.upcoming(session, now)
    if as_json:
        print_json([_json(window) | {"holds": window.holds(now)} for window in found])
        return
    table = Table("window", "integration", "from", "until", "", "by", "why")
    for w in found:
        times = (f"{t:%Y-%m-%d %H:%M}Z" for t in (w.since, w.until))
        holds = "holds" if w.holds(now) else ""
        who, why = escape(w.by), escape(w.why)
        table.add_row(str(w.id), w.integration or "all", *times, holds, who, why)
    words.print(table if found else "no maintenance is planned")


@app.command()
def end(window: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")]) -> None:
    """End a window now, or call one off that is still to come."""
    on = watch()
    now = on.now()
    with on.store.write() as session:
        ended = maintenance.end(session, window, now)
    words.print(f"window {ended.id} is over since {ended.over_at:%Y-%m-%d %H:%M:%S}Z")


def _json(window: Maintenance) -> dict[str, object]:
    names = ("id", "integration", "since", "until", "by", "why")
    return {name: getattr(window, name) for name in names}
