"""`halt`: the kill switch. It must work where nothing else does, so it opens the database last."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from deployments.commands.edge import (
    BAD_USAGE,
    UNHEALTHY,
    By,
    Reason,
    person,
    settings,
    words,
)
from watchkeeper.errors import Transient, UserError
from watchkeeper.performing.watch import utc_now
from watchkeeper.settings import Settings
from watchkeeper.store import switches
from watchkeeper.store.engine import Store, open_store

log = logging.getLogger(__name__)


class HaltWord(StrEnum):
    ON = "on"
    OFF = "off"
    STATUS = "status"


def halt(
    word: Annotated[HaltWord, typer.Argument(help="on, off or status")],
    by: By = None,
    reason: Reason = "",
) -> None:
    """The kill switch: while it is on, automation pages and undoes, and does nothing else. Walks stop
    at their next page. Exit 1 where a part of it could not be done, 2 where nothing was."""
    chosen = settings()
    if word is HaltWord.ON:
        _on(chosen, person(by), reason, utc_now())
    elif word is HaltWord.OFF:
        _off(chosen, person(by), reason, utc_now())
    else:
        why = _halted(chosen)
        words.print(f"halted: {why}" if why else "not halted", markup=False)


def _on(chosen: Settings, by: str, reason: str, now: datetime) -> None:
    """The file first: it needs no space and no database."""
    no_file = no_row = None
    try:
        switches.raise_file(chosen.halt_file, by=by, reason=reason, now=now)
    except OSError as error:
        log.info("the halt file was not put in its place", exc_info=True)
        no_file = error.strerror or type(error).__name__
    try:
        _with_store(chosen, lambda s: switches.set_halt(s, True, by=by, reason=reason, now=now))
    except (UserError, Transient, SQLAlchemyError) as error:
        log.info("the halt was not recorded", exc_info=True)
        no_row = _line(error)
    if no_file and no_row:
        raise UserError(f"NOT halted: no file {chosen.halt_file} ({no_file}), no record ({no_row})")
    if no_row:
        words.print(
            f"halted by the file {chosen.halt_file}; not recorded in the database: {no_row}",
            markup=False,
        )
    elif no_file:
        words.print(
            f"halted and recorded in the database; no file {chosen.halt_file}: {no_file}",
            markup=False,
        )
    else:
        words.print(f"halted: {by}: {reason}", markup=False)
        return
    raise typer.Exit(UNHEALTHY)


def _off(chosen: Settings, by: str, reason: str, now: datetime) -> None:
    """The row first: where that fails it stays halted, which is the safe side."""
    no_row = None
    try:
        _with_store(chosen, lambda s: switches.set_halt(s, False, by=by, reason=reason, now=now))
    except (UserError, Transient, SQLAlchemyError) as error:
        log.info("the end of the halt was not recorded", exc_info=True)
        no_row = _line(error)
    if no_row is None or _row_says(chosen) is None:
        try:
            switches.lower_file(chosen.halt_file)
        except OSError as error:
            log.info("the halt file stays", exc_info=True)
            raise UserError(
                f"still halted: {chosen.halt_file} cannot be removed ({error.strerror})"
            ) from None
    why = _halted(chosen)
    if why is not None:
        more = f"; not recorded: {no_row}" if no_row else ""
        words.print(f"still halted: {why}{more}", markup=False)
        raise typer.Exit(BAD_USAGE)
    if no_row is not None:
        words.print(f"not halted; not recorded in the database: {no_row}", markup=False)
        raise typer.Exit(UNHEALTHY)
    words.print("not halted", markup=False)


def _halted(chosen: Settings) -> str | None:
    return switches.halt_file_says(chosen.halt_file) or _row_says(chosen)


def _row_says(chosen: Settings) -> str | None:
    found: list[str | None] = []
    try:
        _with_store(chosen, lambda s: found.append(switches.halt_row_says(s)), write=False)
    except (UserError, Transient, SQLAlchemyError) as error:
        log.info("the kill switch cannot be read", exc_info=True)
        return f"the kill switch cannot be read ({_line(error)})"
    return found[0]


def _with_store(chosen: Settings, act: Callable[[Session], None], *, write: bool = True) -> None:
    store: Store = open_store(chosen.database)
    try:
        with store.write() if write else store.read() as session:
            act(session)
    finally:
        store.close()


def _line(error: Exception) -> str:
    """The driver's own words, without the statement that it was given."""
    said = getattr(error, "orig", None) or error
    return next(iter(str(said).strip().splitlines()), type(error).__name__)
