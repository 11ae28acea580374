"""The threads of the service that call the vendor, as far as its settings let them."""

import math
import threading
import time
from dataclasses import replace

import httpx

from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.pacing import Intake, Pacer
from watchkeeper.sandbox.service_calls import Poll, call
from watchkeeper.sandbox.service_config import Operation
from watchkeeper.sandbox.service_faults import Heavy
from watchkeeper.sandbox.service_state import VERSION, State

PRODUCT = f"integration-service/{VERSION}"
# One worker of a heavy consumer sends no more, so that a slow vendor does not slow the flood.
WORKER_PER_S = 5.0
# What a worker was held back from for longer is not made up for.
CATCHES_UP_S = 1.0


class Caller:
    """`client` knows where the vendor is; which key goes with a call is decided for each."""

    def __init__(self, state: State, client: httpx.Client) -> None:
        self.state, self.client = state, client
        self.pacer = Pacer(lambda: state.book.now.max_requests_per_s)
        self.intake = Intake(lambda: state.book.now.intake_per_s)

    def work_for_ever(self, poll_s: float) -> None:
        due = time.monotonic()
        while True:
            for operation in self.state.setup.operations:
                for _ in range(operation.per_turn):
                    self.turn(operation)
            due = max(due + poll_s, time.monotonic())
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

    def turn(self, operation: Operation) -> None:
        if reason := self._turned_away(operation):
            if reason == "refuse":
                self.state.forget(operation)
            return
        waited_s = self.state.wait_s()
        time.sleep(waited_s)
        self.state.did(operation, self._tried(operation), waited_s)

    def flood(self, heavy: Heavy) -> None:
        workers = math.ceil(heavy.per_s / WORKER_PER_S)
        for n in range(workers):
            ours = (heavy, workers / heavy.per_s, n / heavy.per_s)
            threading.Thread(target=self._flood, args=ours, daemon=True).start()

    def _flood(self, heavy: Heavy, every_s: float, after_s: float) -> None:
        asked = replace(self.state.setup.operations[0], consumer=heavy.consumer)
        asked = replace(asked, criticality=heavy.criticality or asked.criticality)
        due = time.monotonic() + after_s
        while any(fault is heavy for fault in self.state.faults):
            time.sleep(max(due - time.monotonic(), 0))
            due = max(due + every_s, time.monotonic() - CATCHES_UP_S)
            if not self._turned_away(asked):
                self.state.called(asked, self._call(asked))

    def _turned_away(self, operation: Operation) -> str:
        """Why, or nothing where it is taken in."""
        refused = operation.criticality in self.state.book.now.refused
        reason = "refuse" if refused else "" if self.intake.takes() else "intake"
        if reason:
            self.state.refused(operation, reason)
        return reason

    def _tried(self, operation: Operation) -> Poll:
        """The last of its calls: the one that went well, or with which it gave up."""
        left = self.state.book.now.max_retries or 0
        poll = self._call(operation)
        while left and poll.is_worth_another:
            self.state.retries(operation, poll)
            poll, left = self._call(operation), left - 1
        return poll

    def _call(self, operation: Operation) -> Poll:
        self.pacer.wait()
        key, body = self.state.next_key(), operation.sent(self.state.book.now.model)
        headers = self.state.setup.key_header(key) | {"User-Agent": operation.agent(PRODUCT)}
        poll = call(self.client, operation, headers, body)
        return replace(poll, key=fingerprint(key), model=str((body or {}).get("model", "")))
