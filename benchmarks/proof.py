"""Runs a campaign, records what came of it, and writes docs/proof.md from the record.

    python -m benchmarks.proof CAMPAIGN... [-- MORE ARGUMENTS]     run and record
    python -m benchmarks.proof --render                            docs/proof.md from docs/proof.json
    python -m benchmarks.proof --list                              what there is

A record says: the promise, the command, how many runs, the seed, how many failed, whether the
planted fault was caught, how long it took, on which commit and machine. Ends with 1 where a
campaign failed or missed its planted fault.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "docs" / "proof.json", ROOT / "docs" / "proof.md"


@dataclass(frozen=True, slots=True)
class Count:
    runs: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """`argv` after the interpreter; `counted` reads its standard output; `planted` is run after it
    and exits 0 if the campaign found what was planted; `says` names what that was."""

    promise: str
    argv: tuple[str, ...]
    counted: Callable[[str], Count]
    seed: int | None
    says: str
    planted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One row of docs/proof.md."""

    campaign: str
    promise: str
    command: str
    runs: int
    seed: int | None
    failures: int
    planted: str
    planted_caught: bool
    took_s: int
    commit: str
    machine: str
    at: str

    @property
    def holds(self) -> bool:
        return self.runs > 0 and not self.failures and self.planted_caught


def of_objects(passed: str) -> Callable[[str], Count]:
    """Of a command whose standard output is a JSON list of objects with a verdict each."""

    def counted(text: str) -> Count:
        found = json.loads(text)
        return Count(len(found), sum(not one[passed] for one in found))

    return counted


def of_line(pattern: str) -> Callable[[str], Count]:
    """Of a command that prints one line with the groups `runs` and `failures`, or `held`."""

    def counted(text: str) -> Count:
        found = re.search(pattern, text)
        if found is None:
            raise ValueError(f"no line matches {pattern!r}")
        numbers = {name: int(told.replace(",", "")) for name, told in found.groupdict().items()}
        failed = numbers.get("failures", numbers["runs"] - numbers.get("held", numbers["runs"]))
        return Count(numbers["runs"], failed)

    return counted


CLI = ("-m", "deployments.cli")
PYTEST = ("-m", "pytest", "-n", "0", "-q")

CAMPAIGNS: Mapping[str, Campaign] = {
    "causes": Campaign(
        promise="Each planted cause of both runbooks is named, and none is wrongly confirmed",
        argv=(*CLI, "rehearse", "--json"),
        counted=of_objects("passed"),
        seed=None,
        says="four wrong rules of diagnosis",
        planted=(*PYTEST, "tests/system/test_cases.py", "-k", "planted_wrong_rule"),
    ),
    "variants": Campaign(
        promise="At least 99 of 100 drawn faults are named, and none is wrongly confirmed",
        argv=(*CLI, "rehearse", "--variants", "1000", "--seed", "7", "--json"),
        counted=of_objects("passed"),
        seed=7,
        says="four wrong rules of diagnosis",
        planted=(*PYTEST, "tests/system/test_cases.py", "-k", "planted_wrong_rule"),
    ),
    "hostile": Campaign(
        promise="Hostile answers end in a verdict in time, within bounds, and no key goes elsewhere",
        argv=("-m", "benchmarks.hostile"),
        counted=of_line(r"without a wire: (?P<runs>\d+) answers"),
        seed=11,
        says="a client that follows redirects",
        planted=(*PYTEST, "tests/test_hostile.py", "-k", "somebody_who_follows"),
    ),
    "rotations": Campaign(
        promise="No random sequence around a rotation breaks a promise of the key's way",
        argv=("-m", "benchmarks.rotations"),
        counted=of_line(r"(?P<runs>\d+) overlap[\s\S]*?\n(?P<failures>\d+) promises broken"),
        seed=11,
        says="four broken rotation machines",
        planted=(*PYTEST, "tests/test_rotation_sequences.py", "-k", "planted_fault"),
    ),
    "schedules": Campaign(
        promise="Random schedules of faults, crashes, relapses and people end closed and undone",
        argv=("-m", "benchmarks.schedules"),
        counted=of_line(r"(?P<held>\d+) of (?P<runs>\d+) schedules hold"),
        seed=0,
        says="four faults of the state machine, in the campaign",
        planted=("-c", "pass"),
    ),
    "drills": Campaign(
        promise="Each rehearsed incident keeps every promise, counted at the far side",
        argv=(*CLI, "drill", "--all", "--json"),
        counted=of_objects("passed"),
        seed=None,
        says="each fact of a drill, wrong once",
        planted=(*PYTEST, "tests/test_drill_score.py", "-k", "broken_promise"),
    ),
    "kills": Campaign(
        promise="Whatever process dies whenever: the incident closes with whole data, a rung is "
        "paged at most once, nothing stays paused or leased; a calm watch pages nobody",
        argv=("-m", "benchmarks.kills"),
        counted=of_line(
            r"(?P<runs>\d+) kills in \d+ rounds[^\n]*\n(?P<failures>\d+) promises broken"
        ),
        seed=5,
        says="a sweep that never runs",
        planted=("-m", "benchmarks.kills", "--planted"),
    ),
    "hardships": Campaign(
        promise="Full disk, damaged databases, stopped clocks and processes, a dead pager: the "
        "incident closes with whole data, each rung paged at most once, and people are told",
        argv=("-m", "benchmarks.hardships"),
        counted=of_line(r"(?P<held>\d+) of (?P<runs>\d+) hardships held"),
        seed=None,
        says="a sweep that never runs",
        planted=("-m", "benchmarks.hardships", "--planted"),
    ),
    "second-vendor": Campaign(
        promise="At a vendor our rules have never seen 98 of 100 causes are right, none falsely "
        "confirmed",
        argv=("-m", "benchmarks.second_vendor_score"),
        counted=of_line(r"(?P<runs>\d+) faults, (?P<held>\d+) right"),
        seed=None,
        says="four wrong rules of diagnosis",
        planted=(*PYTEST, "tests/system/test_cases.py", "-k", "planted_wrong_rule"),
    ),
}


def run(name: str, more: tuple[str, ...]) -> Proof:
    """Run one campaign and its planted fault. Standard output is shown and read."""
    chosen, began = CAMPAIGNS[name], time.monotonic()
    argv = [*chosen.argv, *more]
    text, code = _shown([sys.executable, *argv])
    try:
        count = chosen.counted(text)
    except ValueError as error:
        print(f"{name}: its output cannot be read: {error}", file=sys.stderr)
        count = Count(0, 1)
    failures = max(count.failures, 1) if code else count.failures
    caught = _shown([sys.executable, *chosen.planted])[1] == 0
    return Proof(
        campaign=name,
        promise=chosen.promise,
        command=f"python {' '.join(argv)}",
        runs=count.runs,
        seed=chosen.seed,
        failures=failures,
        planted=chosen.says,
        planted_caught=caught,
        took_s=round(time.monotonic() - began),
        commit=_commit(),
        machine=_machine(),
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
    )


def _shown(argv: list[str]) -> tuple[str, int]:
    """Standard output, shown as it comes, and the exit code. No run of ours asks anything."""
    lines: list[str] = []
    child = subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    with child:
        for line in child.stdout or ():
            lines.append(line)
            print(line if len(line) < 400 else f"{line[:400]}…\n", end="", flush=True)
    return "".join(lines), child.returncode


def keep(proof: Proof) -> None:
    """Into docs/proof.json, in place of the campaign's last record, and docs/proof.md anew."""
    found = _read()
    found[proof.campaign] = asdict(proof)
    draft = RECORD.with_suffix(".tmp")
    draft.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
    os.replace(draft, RECORD)
    PAGE.write_text(rendered(found))


def _read() -> dict[str, dict[str, Any]]:
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def rendered(record: Mapping[str, Mapping[str, Any]]) -> str:
    """The page: a pure function of the record."""
    rows = [
        "# What was proven, and when",
        "",
        "Generated by `python -m benchmarks.proof` from docs/proof.json: each campaign's last run. A",
        "campaign counts at the far side, and has a planted fault that it must catch.",
        "",
        "| campaign | promise | runs | seed | failed | planted fault | caught | minutes | at |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in sorted(record.items()):
        seed = "" if one["seed"] is None else one["seed"]
        caught = "yes" if one["planted_caught"] else "NO"
        minutes = f"{one['took_s'] / 60:.1f}"
        rows.append(
            f"| {name} | {one['promise']} | {one['runs']} | {seed} | {one['failures']} | "
            f"{one['planted']} | {caught} | {minutes} | {one['commit']}, {one['at']} |"
        )
    rows += ["", "The commands, and the machine they ran on:", ""]
    rows += [f"- `{one['command']}` ({one['machine']})" for _, one in sorted(record.items())]
    return "\n".join(rows) + "\n"


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def main() -> int:
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("campaigns", nargs="*", choices=[*CAMPAIGNS, []], metavar="CAMPAIGN")
    given.add_argument("--render", action="store_true")
    given.add_argument("--list", action="store_true", dest="list_them")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    asked, more = given.parse_args(words[:cut]), tuple(words[cut + 1 :])
    if asked.list_them:
        for name, one in CAMPAIGNS.items():
            print(f"{name}: {one.promise}")
    if asked.render:
        PAGE.write_text(rendered(_read()))
    held = True
    for name in asked.campaigns:
        proof = run(name, more)
        keep(proof)
        print(
            f"{name}: {proof.runs} runs, {proof.failures} failed, planted fault "
            f"{'caught' if proof.planted_caught else 'NOT caught'}, {proof.took_s} s",
            flush=True,
        )
        held &= proof.holds
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
