"""The pods that a service of ours runs in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.evidence import Outcome
from watchkeeper.harmless import harmless
from watchkeeper.local_command import DEADLINE_S, Unreadable, output_of
from watchkeeper.runbook.telemetry import KubernetesRuntime
from watchkeeper.runtimes.pods import Pod, pods_of
from watchkeeper.runtimes.state import Fault, State, worst
from watchkeeper.runtimes.usage import NOTHING_KNOWN, Usage, usage_of
from watchkeeper.vendor.strict_json import LARGEST, BadBody, loads

TOP_WITHIN_S = 5.0
MOST_WORDS = 3
LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class KubernetesState:
    spec: KubernetesRuntime
    now: Callable[[], datetime]
    deadline_s: float = DEADLINE_S

    async def state(self) -> State:
        pods = await self._pods()
        if not pods:
            # Scaled to none, or the wrong selector, namespace or cluster: they look the same.
            where = f"{self.spec.selector} in {self.spec.namespace}"
            raise Unreadable(f"no pod matches {where}: none runs, or the place is wrong")
        return judged(pods, await self._usage())

    async def _pods(self) -> tuple[Pod, ...]:
        argv = pods_argv(self.spec)
        output = await output_of(argv, deadline_s=self.deadline_s, largest=LARGEST)
        if output.cut:
            raise Unreadable("kubectl prints more of the pods than we read")
        try:
            return pods_of(loads(output.text), self.now())
        except (BadBody, ValueError):
            raise Unreadable("kubectl printed no list of pods") from None

    async def _usage(self) -> Mapping[str, Usage]:
        """Many clusters measure none, which is no fault."""
        try:
            return usage_of((await output_of(top_argv(self.spec), deadline_s=TOP_WITHIN_S)).text)
        except Unreadable:
            return {}


def pods_argv(spec: KubernetesRuntime) -> tuple[str, ...]:
    return (*spec.kubectl, "get", "pods", "-l", spec.selector, "-n", spec.namespace, "-o", "json")


def top_argv(spec: KubernetesRuntime) -> tuple[str, ...]:
    named = ("-l", spec.selector, "-n", spec.namespace)
    return (*spec.kubectl, "top", "pods", *named, "--no-headers")


def judged(pods: tuple[Pod, ...], used: Mapping[str, Usage]) -> State:
    """Down where no pod is ready; degraded where one is not, or has a fault."""
    live = tuple(pod for pod in pods if pod.live)
    ready = sum(pod.ready for pod in live)
    outcome, fault = _verdict(pods, len(live), ready)
    if outcome is Outcome.OK and any(_use(pod, used).busy(pod.limits) for pod in live):
        outcome, fault = Outcome.DEGRADED, "busy"
    detail = harmless("; ".join((f"{ready} of {len(live)} ready", *_told(pods, live, used))))
    return State(outcome, fault, detail, value=ready, bound=len(live), unit="pods")


def _verdict(pods: tuple[Pod, ...], live: int, ready: int) -> tuple[Outcome, Fault | None]:
    fault = worst(tuple(pod.fault for pod in pods if pod.fault))
    if not ready:
        return Outcome.DOWN, fault or ("not_ready" if live else "not_running")
    return (Outcome.DEGRADED if fault or ready < live else Outcome.OK), fault


def _told(
    pods: tuple[Pod, ...], live: tuple[Pod, ...], used: Mapping[str, Usage]
) -> tuple[str, ...]:
    words = Counter(harmless(word, LONGEST_WORD) for pod in pods for word in pod.words)
    parts = [f"{times}x {word}" for word, times in words.most_common(MOST_WORDS)]
    if restarts := sum(pod.restarts for pod in live):
        parts.append(f"{restarts} restarts")
    measured = [pod for pod in live if pod.name in used]
    if measured:
        most = max(measured, key=lambda pod: _use(pod, used).memory or 0)
        parts.append(f"the largest: {_use(most, used).says(most.limits)}")
    return tuple(parts)


def _use(pod: Pod, used: Mapping[str, Usage]) -> Usage:
    return used.get(pod.name, NOTHING_KNOWN)
