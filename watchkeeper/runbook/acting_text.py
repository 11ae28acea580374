"""What acting on a service will call, in words for a plan. No I/O here."""

from __future__ import annotations

from watchkeeper.runbook.acting import CloudRunService, CommandRuntime, KubernetesWorkload

Spec = CommandRuntime | KubernetesWorkload | CloudRunService


def calls_of_restart(spec: Spec) -> tuple[str, ...]:
    if isinstance(spec, CommandRuntime):
        return (f"command: {' '.join(spec.restart)}",)
    if isinstance(spec, KubernetesWorkload):
        return (f"kubernetes: PATCH {_place(spec)}",)
    return (
        f"cloud_run: PATCH {_place(spec)}: template",
        f"cloud_run: PATCH {_place(spec)}: traffic, where it is pinned to the revision before",
    )


def calls_of_scale(spec: Spec, replicas: int) -> tuple[str, ...]:
    """Empty where it cannot be scaled."""
    if isinstance(spec, CommandRuntime):
        argv = scale_argv(spec, replicas)
        return (f"command: {' '.join(argv)}",) if argv else ()
    if isinstance(spec, KubernetesWorkload):
        return (f"kubernetes: PATCH {_place(spec, '/scale')}: replicas={replicas}",)
    return (f"cloud_run: PATCH {_place(spec)}: at least {replicas} instances",)


def scale_argv(spec: CommandRuntime, replicas: int) -> tuple[str, ...]:
    """The command with the number filled in, word by word; none where none is given."""
    return tuple(word.replace("{replicas}", str(replicas)) for word in spec.scale or ())


def _place(spec: KubernetesWorkload | CloudRunService, subresource: str = "") -> str:
    if isinstance(spec, CloudRunService):
        return f"services/{spec.service} in {spec.project}/{spec.region}"
    where = f" of {spec.context}" if spec.context else ""
    return f"deployments/{spec.deployment}{subresource} in {spec.namespace}{where}"
