"""The sealed world of a drill: a vendor, its status page, our service, a pager, and their files.

All of it is on loopback and in a folder of its own; keys begin with `test_`, which the live client
refuses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deployments.drill.cases.service_setup import service_setup
from deployments.drill.entry import entry, watch_only
from deployments.drill.keys import first_key, made_key, routing_key, write_secret
from deployments.drill.played import Played, played
from deployments.drill.setup import Setup, filled, merged
from deployments.drill.shape import status_page_options
from deployments.drill.surroundings import environment, sealed
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.homes import make_home
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings

__all__ = ["World", "running_world", "sandbox_world", "sealed"]


@dataclass(frozen=True, slots=True)
class World:
    """Where everything of a running sandbox is. `home` may hold other worlds beside this `folder`.

    `base_url` and `page_url` are what Watchkeeper is told: wires, where there are some; `wires`
    are where these are told to fail.
    """

    home: Path
    folder: Path
    integration: str
    vendor: str
    base_url: str
    status_page: str
    page_url: str
    service: str
    unit: str
    pager: str
    pager_ca: Path
    processes: Processes
    wires: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def integrations(self) -> Path:
        return self.home / "integrations.yaml"

    @property
    def played(self) -> Played:
        return played(self.integration.partition("@")[0])

    @property
    def control_url(self) -> str:
        """Another host than the vendor's API, as well as our way to it."""
        return self.page_url

    @property
    def places(self) -> dict[str, str]:
        """What texts of a setup may name."""
        known = places(self.home, self.folder, self.vendor, self.base_url)
        own = {"service": self.service, "unit": self.unit, "pager": self.pager}
        pages = {"page": self.page_url, "control": self.control_url}
        return {**known, **own, **pages, **self.stand_ins}

    def environment(self) -> dict[str, str]:
        return environment(self.home)


def places(home: Path, folder: Path, vendor: str, api: str) -> dict[str, str]:
    """Those that there are before our service is."""
    here = str(folder.relative_to(home))
    return {
        "python": sys.executable,
        "folder": str(folder),
        "here": here,
        "vendor": vendor,
        "api": api,
    }


@contextmanager
def running_world(
    home: Path, folder: Path, integration: str, setup: Setup | None = None
) -> Iterator[World]:
    """Start the stand-ins in `folder` and watch them from `home`; end all of them after."""
    wanted = setup or Setup()
    make_home(home)
    for place in (home / "failpoints", folder, folder / "sandbox", folder / "secrets"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Processes(folder / "sandbox") as processes:
        world = _started(home, folder, integration, wanted, processes)
        play = world.played
        said = entry(play.runbook, wanted, play.entry, world.places)
        watch_only(world.integrations, {integration: said})
        yield world


def _started(
    home: Path, folder: Path, integration: str, wanted: Setup, processes: Processes
) -> World:
    play = played(integration.partition("@")[0])
    secret_file, key = _write_secrets(folder, play.runbook.vendor, integration)
    vendor = _vendor(processes, folder, play, {**wanted.simulator, "key": key})
    for name in (*(["second"] if wanted.second_key else []), *wanted.keys):
        write_secret(folder, name, made_key(vendor["url"], name))
    page = processes.start(["status_page", *status_page_options(play.runbook)])
    wires = [_wire(processes, to["url"]) for to in (vendor, page)] if wanted.wired else []
    base_url = (wires[0]["url"] if wires else vendor["url"]) + urlsplit(vendor["api"]).path
    ca = folder / "sandbox" / "pager-ca.pem"
    pager = processes.start(["pager", "--ca-file", str(ca)])
    known = places(home, folder, vendor["url"], base_url)
    stand_ins: dict[str, str] = {}
    for name, argv in wanted.stand_ins.items():
        stand_ins[name] = processes.start(filled(argv, known | stand_ins))["url"]
    child = _service(folder, play, filled(wanted.service, known | stand_ins))
    child += ["--vendor-url", base_url, "--secret-file", str(secret_file)]
    for name in wanted.keys:
        child += ["--secret-file", str(folder / "secrets" / f"{name}.json")]
    unit = processes.start(["unit", *wanted.unit, "--", *child])
    return World(
        home=home,
        folder=folder,
        integration=integration,
        vendor=vendor["url"],
        base_url=base_url,
        status_page=page["url"],
        page_url=wires[1]["url"] if wires else page["url"],
        service=unit["service"],
        unit=unit["url"],
        pager=pager["url"],
        pager_ca=ca,
        processes=processes,
        wires=tuple(wire["control"] for wire in wires),
        stand_ins=stand_ins,
    )


@contextmanager
def sandbox_world(settings: Settings, vendor: str = "maintainx") -> Iterator[Settings]:
    """For `up --sandbox`: the same world in the user's home, watched at the user's port."""
    home = settings.home.resolve() / "sandbox"
    with running_world(home, home, f"{vendor}@sandbox") as world:
        given = settings.model_fields_set
        ours = {
            "home": world.home,
            "integrations": world.integrations,
            "health_interval_s": settings.health_interval_s if "health_interval_s" in given else 30,
            "sync_interval_s": settings.sync_interval_s if "sync_interval_s" in given else 60,
        }
        yield Settings(**{**settings.model_dump(include=given), **ours})


def _vendor(
    processes: Processes, folder: Path, play: Played, over: Mapping[str, Any]
) -> dict[str, Any]:
    config = folder / "sandbox" / "vendor.json"
    config.write_text(json.dumps(merged(play.told, over)))
    return processes.start([play.simulator, "--seed", "7", "--config", str(config)])


def _service(folder: Path, play: Played, over: Mapping[str, Any]) -> list[str]:
    """Its command, but for what it reads its keys from and whom it calls."""
    config = folder / "sandbox" / "service.json"
    usual = merged(service_setup(play.runbook, folder / "service.log"), play.service)
    config.write_text(json.dumps(merged(usual, over)))
    module = [sys.executable, "-m", "watchkeeper.sandbox.service"]
    kept = ["--settings-file", str(folder / "settings.json")]
    return [*module, "--config", str(config), *kept, "--poll-s", "1"]


def _wire(processes: Processes, to: str) -> dict[str, Any]:
    return processes.start(["wire", "--to", urlsplit(to).netloc])


def _write_secrets(folder: Path, vendor: str, integration: str) -> tuple[Path, str]:
    """The vendor's key file, and the key that it holds now: a sandbox that is started again goes
    on with the key of its last rotation."""
    write_secret(folder, "pager", routing_key(integration))
    path = write_secret(folder, vendor, first_key(integration))
    current = open_rotatable(f"file:{path}", folder).read("current")
    return path, current.reveal() if current else first_key(integration)
