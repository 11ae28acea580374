"""Start one world with a planted fault, and end it when the standard input closes.

``python -m benchmarks.second_vendor.serve --fault ID --folder DIR`` writes ``DIR/world.json`` when all
servers answer. ``--list`` prints the ids with all expectations as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp

from benchmarks.second_vendor import faults
from benchmarks.second_vendor.net import HOST, Harbour, cut_in_half, hang, self_signed
from benchmarks.second_vendor.plants import NONSENSE_NAME, PLANTS, Plant
from benchmarks.second_vendor.surroundings import (
    Reach,
    control_app,
    gateway_app,
    service_app,
    status_app,
    write_log,
)
from benchmarks.second_vendor.vendor import Vendor, utc_now

STATUS_PATHS = {"betterstack": "/en/index.json", "statuspage_v2": "/api/v2/summary.json"}


def _new_key() -> str:
    """Make a random key that nobody can take for a real one."""
    return "test_" + secrets.token_urlsafe(24)


async def _reachable(harbour: Harbour, app: ASGIApp, reach: Reach) -> int:
    """Start an application, or the wreck that stands in its place; return the port."""
    if reach == "refused":
        return harbour.closed_port()
    if reach == "hangs":
        return await harbour.serve_raw(hang)
    return await harbour.serve(app)


async def _front(harbour: Harbour, plant: Plant, vendor: Vendor, folder: Path) -> tuple[str, bool]:
    """Start the vendor and what stands before it; return its origin and whether that is plain."""
    if plant.front == "no_name":
        return f"http://{NONSENSE_NAME}", False
    if plant.front == "closed":
        return f"http://{HOST}:{harbour.closed_port()}", False
    if plant.front == "hangs":
        return f"http://{HOST}:{await harbour.serve_raw(hang)}", False
    if plant.front == "tls_self_signed":
        certificate = self_signed(folder, "appliance.internal.example")
        return f"https://{HOST}:{await harbour.serve(vendor, certificate=certificate)}", False
    origin = f"http://{HOST}:{await harbour.serve(vendor)}"
    if plant.front == "cut":
        return f"http://{HOST}:{await harbour.serve_raw(cut_in_half(origin))}", False
    return origin, True


async def start(fault_id: str, folder: Path, harbour: Harbour) -> dict[str, object]:
    """Start all servers of one world and return what ``world.json`` says of it."""
    faults.by_id(fault_id)
    folder.mkdir(parents=True, exist_ok=True)
    plant = PLANTS[fault_id]()
    keys: dict[str, str | None] = {
        "current": _new_key(),
        "second": _new_key() if plant.second_key else None,
        "other": _new_key() if plant.other_key else None,
    }
    ahead: timedelta = plant.clock_ahead
    vendor = Vendor(
        {role: key for role, key in keys.items() if key is not None},
        clock=lambda: utc_now() + ahead,
        before=plant.before,
        after=plant.after,
    )
    if plant.adopt is not None:
        plant.adopt(vendor)
    origin, plain = await _front(harbour, plant, vendor, folder)
    direct = None
    base = origin
    if plant.gateway is not None and plain:
        port = await harbour.serve(gateway_app(plant.gateway, origin))
        base = f"http://{HOST}:{port}"
        direct = origin + "/v1" if plant.direct_way else None
    status_port = await _reachable(harbour, status_app(plant.status), plant.status.reach)
    control_port = await _reachable(harbour, control_app(plant.control), plant.control)
    health_url = metrics_url = log_file = None
    if plant.service is not None:
        app = service_app(plant.service)
        health_port = await _reachable(harbour, app, plant.service.health)
        health_url = f"http://{HOST}:{health_port}/health"
        metrics_url = f"http://{HOST}:{health_port}/metrics"
        if plant.service.log:
            log_file = str(write_log(folder, plant.service.story, utc_now()))
    return {
        "base_url": base + "/v1",
        "direct_url": direct,
        "status_url": f"http://{HOST}:{status_port}{STATUS_PATHS[plant.status.kind]}",
        "status_kind": plant.status.kind,
        "status_component": "REST API",
        "control_url": f"http://{HOST}:{control_port}/",
        "health_url": health_url,
        "metrics_url": metrics_url,
        "log_file": log_file,
        "keys": keys,
        "healthy_history": True,
        "fault": fault_id,
    }


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader never sees a part of it."""
    beside = path.with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


async def _run(fault_id: str, folder: Path) -> None:
    """Serve one world until the standard input closes or a signal asks to end."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def wait_for_end() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(over.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    harbour = Harbour()
    try:
        world = await start(fault_id, folder, harbour)
        _write_whole(folder / "world.json", json.dumps(world, indent=2) + "\n")
        threading.Thread(target=wait_for_end, daemon=True).start()
        await over.wait()
    finally:
        await harbour.end()


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="second_vendor.serve", description=__doc__)
    parser.add_argument("--fault", help="the id of the fault to plant")
    parser.add_argument("--folder", type=Path, help="where world.json and the log go")
    parser.add_argument("--list", action="store_true", help="print all expectations as JSON")
    options = parser.parse_args(arguments)
    if options.list:
        print(json.dumps([faults.as_json(fault) for fault in faults.FAULTS], indent=2))
        return 0
    if options.fault not in PLANTS or options.folder is None:
        parser.error("a known --fault and a --folder are needed; --list shows the ids")
    asyncio.run(_run(options.fault, options.folder))
    return 0


if __name__ == "__main__":
    # A daemon thread may still wait at the standard input; leave without waiting for it.
    code = main()
    sys.stdout.flush()
    os._exit(code)
