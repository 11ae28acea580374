"""Every named case, by its name."""

from __future__ import annotations

from deployments.drill.cases import table
from deployments.drill.cases.answers_table import ANSWERS
from deployments.drill.cases.case import Case
from deployments.drill.cases.look_alikes import LOOK_ALIKES

CASES: dict[str, Case] = {**table.CASES, **{case.name: case for case in (*ANSWERS, *LOOK_ALIKES)}}
