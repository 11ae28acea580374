"""`watchkeeper`: every command, and the one place where a user's error becomes a line and exit 2."""

from __future__ import annotations

import logging
import os
import sys

import typer

from deployments.commands import (
    acting,
    backtesting,
    changes,
    connecting,
    drilling,
    halting,
    incidents,
    jobs,
    keys,
    leaks,
    leases,
    looking,
    maintenance,
    rehearsing,
    runbooks,
    running,
)
from deployments.commands.edge import close_databases
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.network.proxies import spare_loopback

log = logging.getLogger(__name__)

app = typer.Typer(
    name="watchkeeper",
    help="Incident runbooks for SaaS integrations, run as Prefect flows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(running.up)
app.command()(drilling.drill)
app.command()(rehearsing.rehearse)
app.command()(connecting.connect)
app.command()(looking.triage)
app.command()(looking.verify)
app.command()(looking.status)
app.command()(looking.doctor)
app.command()(looking.gaps)
app.command()(backtesting.backtest)
app.command()(acting.mitigate)
app.command()(acting.backfill)
app.command()(acting.approve)
app.command()(acting.deny)
app.command()(halting.halt)
app.add_typer(incidents.app, name="incident", help="Declare, correct, take over and read.")
app.add_typer(keys.app, name="key", help="Offer a new key; show which there are.")
app.add_typer(leaks.app, name="leak", help="A key that others may have: tell it, audit its use.")
app.add_typer(leases.app, name="lease", help="What incidents hold: list, extend, release.")
app.add_typer(jobs.app, name="job", help="See, pause and resume sync jobs.")
app.add_typer(changes.app, name="change", help="Write down what was changed; see what was.")
app.add_typer(maintenance.app, name="maintenance", help="Windows in which nobody is woken.")
app.add_typer(
    runbooks.app, name="runbook", help="Check a runbook file, begin one, print its schema."
)


def main() -> None:
    """Exit 0 healthy or done, 1 unhealthy or failed, 2 bad usage or a bad file."""
    os.umask(0o077)
    os.environ.update(spare_loopback(os.environ))
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"watchkeeper: {error}\n")
        sys.exit(2)
    except WatchkeeperError as error:
        sys.stderr.write(f"watchkeeper: {error}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # A disk, a folder or a right that is missing is the machine's state, not a fault of ours.
        log.info("ended by the operating system", exc_info=True)
        sys.stderr.write(f"watchkeeper: {error}\n")
        sys.exit(2)
    finally:
        close_databases()


if __name__ == "__main__":
    main()
