"""A process that may die at any of its transactions: before it begins, within it, or right after it
has committed. The ledger commits before and after each effect, so these are its failpoints, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from watchkeeper.store.engine import Store


class Died(BaseException):
    """No handler of ours may catch it: a killed process runs none."""


@dataclass
class Life:
    """`left`: how many more places it outlives; None: all of them."""

    left: int | None = None

    def goes_on(self) -> None:
        if self.left is None:
            return
        if self.left <= 0:
            raise Died
        self.left -= 1


class MortalStore(Store):
    """Once its process is dead, nothing more is written: not even what a `finally` would."""

    def __init__(self, engine: Engine, life: Life) -> None:
        super().__init__(engine)
        self.life = life

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.life.goes_on()
        with super().write() as session:
            yield session
            self.life.goes_on()
        self.life.goes_on()
