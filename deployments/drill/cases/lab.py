"""A vendor, its status page, our service and the wires between them, for one triage after another.

No Prefect, no schedules: what is planted is looked at once, from a fresh record.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import yaml

from deployments.drill.cases.case import Case, Found
from deployments.drill.cases.planted_logs import PLANTED_LOGS
from deployments.drill.cases.prepared import PREPARED
from deployments.drill.cases.service_setup import service_setup
from deployments.drill.shape import PAGE_WORDS, status_page_options, vendor_shape
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean
from watchkeeper.performing.triaging import Triage, triage
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings

FIRST_KEY = "test_first_key_4f1c9a77d2"
BAD_KEY = "test_never_issued_00000000"
AMPLE = {"requests": 3000, "per": "10 s"}
POLL_S = 0.1
# Where each kind of page serves what is read.
USUAL_PATHS = {
    "betterstack": "/en/index.json",
    "statuspage_v2": "/api/v2/summary.json",
    "incident_io": "/api/v1/summary",
    "instatus": "/v2/components.json",
    "feed": "/history.rss",
}
# Below those that anybody may listen at without being root.
CLOSED_PORT = 9
YEAR, FEW_DAYS = timedelta(days=365), timedelta(days=3)

# Clocks run fast, budgets are ample: a triage is about what is planted, not about our own pace.
OVERLAY: dict[str, Any] = {
    "rate_limit": AMPLE,
    "thresholds": {"slow": "1 s", "probe_deadline": "3 s", "connect_slow": "600ms"},
}


@dataclass(frozen=True, slots=True)
class Place:
    """A stand-in: where it is, and where it is told what to do."""

    url: str
    control: str
    pid: int

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0


class Lab:
    """Use as a context manager. One case at a time; several labs may stand side by side."""

    def __init__(self, vendor: str, runbooks: Path = SHIPPED_RUNBOOKS, seed: int = 7) -> None:
        self.vendor, self.runbooks, self.seed = vendor, runbooks, seed
        self.book = load_runbook(runbooks / f"{vendor}.yaml")
        self.folder = Path(tempfile.mkdtemp(prefix="watchkeeper-lab-"))
        self._processes = Processes(self.folder / "stand-ins")
        self._client = httpx.Client(timeout=10, trust_env=False)

    def __enter__(self) -> Self:
        self._processes.__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._processes.__exit__(kind, error, trace)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, case: Case) -> Found:
        """Plant it, look once, mend it."""
        with self._planted(case), tempfile.TemporaryDirectory(dir=self.folder) as home:
            watch = self._watch(case, Path(home))
            watched = watch.registered(self.integration)
            for name in case.record:
                PREPARED[name](watch, watched)
            found, took_s = self._look(watch, watched, case.looks)
            watch.store.close()
        return Found.of(case, found.evidence, watched.runbook, took_s)

    def _look(self, watch: Watch, watched: Watched, looks: int) -> tuple[Triage, float]:
        for left in reversed(range(looks)):
            began = time.monotonic()
            found = asyncio.run(triage(watch, watched))
            took_s = time.monotonic() - began
            if not (found.diagnosis.healthy and left):
                break
        return found, took_s

    @property
    def integration(self) -> str:
        return f"{self.book.vendor}@sandbox"

    # --- standing up -----------------------------------------------------------------------------

    def _start(self) -> None:
        start = self._processes.start
        self.vendor_at = self._vendor()
        page = start(["status_page", *status_page_options(self.book)])
        self.page_at = Place(page["url"], f"{page['url']}/_sim/status", page["pid"])
        self.other_pages: dict[str, Place] = {}
        self.wire_at = self._wire(self.vendor_at.url)
        self.tls_at = self._wire(self.vendor_at.url, "--tls-as", "Corporate Proxy Authority")
        self.control_at = self._wire(self.page_at.url)
        self._write_key(self.folder / "service-key.json", FIRST_KEY, datetime.now(UTC))
        self.log = self.folder / "service.log"
        setup = service_setup(self.book, self.log)
        (self.folder / "service.json").write_text(json.dumps(setup))
        self.service_at = self._service(0)

    def _vendor(self) -> Place:
        shape = {} if self.vendor == "maintainx" else vendor_shape(self.book)
        told = {"key": FIRST_KEY, "rate": {"limit": 100_000, "window_s": 10}}
        told |= {"arrivals": {"created_per_s": 0, "changed_per_s": 0}}
        config = self.folder / "vendor.json"
        config.write_text(json.dumps({**shape, **told}))
        name = "vendor" if self.vendor == "maintainx" else "derived"
        line = self._processes.start([name, "--seed", str(self.seed), "--config", str(config)])
        self.base_path = urlsplit(line["api"]).path
        return Place(line["url"], f"{line['url']}/_sim", line["pid"])

    def _wire(self, to: str, *options: str) -> Place:
        line = self._processes.start(["wire", "--to", urlsplit(to).netloc, *options])
        return Place(line["url"], line["control"], line["pid"])

    def _service(self, port: int) -> Place:
        options = ["--vendor-url", self.wire_at.url + self.base_path, "--port", str(port)]
        options += ["--secret-file", str(self.folder / "service-key.json")]
        options += ["--config", str(self.folder / "service.json")]
        options += ["--poll-s", str(POLL_S), "--timeout-s", "2"]
        line = self._processes.start(["service", *options])
        return Place(line["url"], f"{line['url']}/_sim/faults", line["pid"])

    # --- planting --------------------------------------------------------------------------------

    @contextmanager
    def _planted(self, case: Case) -> Iterator[None]:
        self.log.write_text("")
        try:
            for fault in case.faults:
                self._tell("POST", f"{self.vendor_at.control}/faults", fault)
            if case.page:
                self._tell("PUT", self._page(case).control, case.page)
            if case.wire:
                self._tell("PUT", self.wire_at.control, case.wire)
            if case.control:
                self._tell("PUT", self.control_at.control, case.control)
            for fault in case.service:
                self._tell("POST", self.service_at.control, fault)
            time.sleep(case.settle_s)
            yield
        finally:
            self._mend(case)

    def _mend(self, case: Case) -> None:
        self._client.delete(f"{self.vendor_at.control}/faults")
        for wire in (self.wire_at, self.control_at):
            self._tell("PUT", wire.control, {"mode": "pass"})
        if case.page:
            self._tell("PUT", self._page(case).control, self._calm(case))
        if any(fault["kind"] in ("crash", "hang") for fault in case.service):
            self._processes.stop(self.service_at.pid)
            self.service_at = self._service(self.service_at.port)
        elif case.service:
            self._client.delete(self.service_at.control)

    def _page(self, case: Case) -> Place:
        """The vendor's status page, or one of another kind: started when the first case wants it."""
        kind = case.page_kind
        if kind and kind not in self.other_pages:
            options = ["--kind", kind, "--components", self._component, "Website"]
            line = self._processes.start(["status_page", *options])
            self.other_pages[kind] = Place(line["url"], f"{line['url']}/_sim/status", line["pid"])
        return self.other_pages[kind] if kind else self.page_at

    @property
    def _component(self) -> str:
        page = self.book.status_page
        return (page.component if page else None) or "API"

    def _calm(self, case: Case) -> dict[str, Any]:
        page = self.book.status_page
        kind = case.page_kind or (page.kind if page else "statuspage_v2")
        nothing = dict.fromkeys(("maintenance", "incident", "twins", "broken"))
        return {self._component: PAGE_WORDS[kind][0], **nothing}

    def _tell(self, method: str, url: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.request(method, url, json=body)
        if answer.status_code >= 400:
            raise ValueError(f"{method} {urlsplit(url).path} {body}: {answer.text}")
        return dict(answer.json())

    # --- looking ---------------------------------------------------------------------------------

    def _watch(self, case: Case, home: Path) -> Watch:
        entry = self._entry(case, home)
        path = home / "integrations.yaml"
        path.write_text(yaml.safe_dump({"integrations": {self.integration: entry}}))
        return open_watch(Settings(home=home, integrations=path, runbooks=self.runbooks))

    def _entry(self, case: Case, home: Path) -> dict[str, Any]:
        credential = {"name": "vendor-key", "reference": "file:key.json"}
        now = datetime.now(UTC)
        if case.stored == "good":
            self._write_key(home / "key.json", FIRST_KEY, now)
        if case.stored == "due":
            self._write_key(home / "key.json", FIRST_KEY, now - YEAR)
            credential["expires"] = (now + FEW_DAYS).isoformat()
        if case.pending != "none":
            store = open_rotatable("file:key.json", home)
            store.offer(clean(self._key(case.pending), "the lab"))
        if case.second != "none":
            self._write_key(home / "second.json", self._key(case.second), now)
            credential["second"] = "file:second.json"
        service: dict[str, Any] = {"health_url": self._health_url(case)}
        if case.measured:
            service["metrics"] = {"kind": "text", "url": f"{self.service_at.url}/metrics"}
            service["logs"] = {"kind": "file", "path": str(self.log)}
        if case.log:
            told = PLANTED_LOGS[case.log](home / "planted.log", now)
            service["logs"] = {"kind": "file", "path": "planted.log", **told}
        return {
            "runbook": self.vendor,
            "sandbox": True,
            "base_url": self._base_url(case) + self.base_path,
            "status_page_url": self._page(case).url,
            "control_url": self.control_at.url,
            "credential": credential,
            "service": service,
            "overrides": OVERLAY | self._other_page(case),
            **({"direct_url": self.vendor_at.url + self.base_path} if case.gateway else {}),
        }

    def _other_page(self, case: Case) -> dict[str, Any]:
        if not case.page_kind:
            return {}
        told = {"kind": case.page_kind, "path": USUAL_PATHS[case.page_kind]}
        return {"status_page": {**told, "component": self._component}}

    def _health_url(self, case: Case) -> str:
        port = self.service_at.port
        return {
            "usual": f"http://127.0.0.1:{port}/health",
            "typo": f"http://integration.{self.book.vendor}.invalid:{port}/health",
            "wrong_port": f"http://127.0.0.1:{CLOSED_PORT}/health",
            "tls": f"https://127.0.0.1:{port}/health",
        }[case.health]

    def _base_url(self, case: Case) -> str:
        if case.address == "unresolvable":
            return f"http://api.{self.book.vendor}.invalid:{self.wire_at.port}"
        return self.tls_at.url if case.address == "intercepted" else self.wire_at.url

    def _key(self, which: str) -> str:
        """A good one is made now, after what was planted: the vendor takes it."""
        if which == "bad":
            return BAD_KEY
        made = self._tell("POST", f"{self.vendor_at.control}/keys", {"label": "another"})
        return str(made["value"])

    @staticmethod
    def _write_key(path: Path, value: str, since: datetime) -> None:
        store = open_rotatable(f"file:{path}", path.parent, lambda: since)
        store.promote(store.offer(clean(value, "the lab")))
