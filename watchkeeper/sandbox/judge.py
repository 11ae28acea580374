"""Is the data whole? Compares the simulator's truth with what the sink holds.

    python watchkeeper/sandbox/judge.py --truth URL --resource workorders \
        --sink-sqlite PATH --integration NAME [--since ISO] [--until ISO]

A judge shares nothing with the judged: the standard library alone, its own digest, its own
reading of both sides. Prints one JSON object; ends with 0 when it could judge, whatever it found.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
import urllib.parse
import urllib.request
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

NAMED = 20
SELECT = (
    "SELECT record_id, payload FROM records "
    "WHERE integration = ? AND resource = ? AND deleted_at IS NULL"
)


def digest(payload: str) -> str:
    """SHA-256 over the canonical form: sorted keys, compact, UTF-8. Broken JSON matches nothing."""
    try:
        value = json.loads(payload)
    except ValueError:
        return ""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_truth(url: str, resource: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"resource": resource})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url.rstrip('/')}/_sim/truth?{query}", timeout=60) as answer:
        records: list[dict[str, Any]] = json.load(answer)["records"]
    return records


def read_sink(path: Path, integration: str, resource: str) -> list[tuple[str, str]]:
    """(record id, digest of the payload) of each live row."""
    sink = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        rows = sink.execute(SELECT, (integration, resource)).fetchall()
    finally:
        sink.close()
    return [(str(number), digest(payload)) for number, payload in rows]


def compare(truth: list[dict[str, Any]], sink: list[tuple[str, str]]) -> dict[str, Any]:
    expected = {str(row["id"]): row["digest"] for row in truth}
    held, counts = dict(sink), Counter(number for number, _ in sink)
    missing = [number for number in expected if number not in held]
    stale = [n for n in expected if n in held and held[n] != expected[n]]
    return {
        "expected": len(expected),
        "present": len(expected) - len(missing),
        "missing": len(missing),
        "duplicates": sum(counts.values()) - len(counts),
        "stale": len(stale),
        "extra": len(held.keys() - expected.keys()),
        "missing_ids": missing[:NAMED],
        "stale_ids": stale[:NAMED],
    }


def touched(truth: list[dict[str, Any]], since: str | None, until: str | None) -> int:
    """How many records were created or last changed in [since, until)."""
    low = datetime.fromisoformat(since) if since else None
    high = datetime.fromisoformat(until) if until else None

    def inside(text: str) -> bool:
        at = datetime.fromisoformat(text)
        return (low is None or at >= low) and (high is None or at < high)

    return sum(inside(row["createdAt"]) or inside(row["updatedAt"]) for row in truth)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the truth with the sink.")
    parser.add_argument("--truth", required=True, help="the simulator's URL")
    parser.add_argument("--resource", required=True)
    parser.add_argument("--sink-sqlite", type=Path, required=True)
    parser.add_argument("--integration", required=True)
    parser.add_argument("--since")
    parser.add_argument("--until")
    options = parser.parse_args()
    try:
        truth = read_truth(options.truth, options.resource)
        sink = read_sink(options.sink_sqlite, options.integration, options.resource)
    except (OSError, sqlite3.Error, ValueError) as error:
        sys.stderr.write(f"cannot judge: {error}\n")
        return 2
    found = compare(truth, sink)
    found["touched_since"] = touched(truth, options.since, options.until)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
