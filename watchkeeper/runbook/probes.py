"""How a vendor is asked whether it is well, and what a good answer is."""

from __future__ import annotations

from typing import Any, Literal

from watchkeeper.runbook.base import Frozen, Name, Path, Span


class Expectation(Frozen):
    """What a good answer is: its status, what its JSON holds, and how long it may take."""

    status: tuple[int, ...] = ()
    """Statuses that are good, such as `[200, 204]`; any 2xx where none is named."""
    json_path: str | None = None
    """Dotted path of a value that the answer must hold, such as `status` or `checks.0.name`."""
    equals: str | int | bool | None = None
    """What must stand at json_path, such as `ok`; anything but null where left out."""
    slow: Span | None = None
    """A good answer that takes longer is slow, such as `1 s`; thresholds.slow where left out."""


class Probe(Frozen):
    """One check of one endpoint with the real credential, and what a good answer is."""

    name: Name
    """What answers and overrides call the endpoint, such as `workorders`; used once."""
    path: Path
    """The path asked, below base_url, such as `/workorders?limit=1`."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """How it is asked. A HEAD is judged by status and time alone; a POST is sent with `body`."""
    body: dict[str, Any] | None = None
    """The JSON that a POST is sent with; GET and HEAD send none."""
    resource: Name | None = None
    """The list of `resources` that it asks, so that the jobs that get nothing new can be named."""
    envelope: str | None = None
    """Member of the answer that must be a list, such as `workOrders`: the one that its resource
    names. Not looked at where left out."""
    expect: Expectation = Expectation()
    """What a good answer is besides; any 2xx within thresholds.slow where left out."""
    critical: bool = True
    """Whether its failure is grave. Where only others fail, severity_when_not_critical counts."""
    record: bool = False
    """It asks for one record by its id, which may be gone without the path having moved."""
    costs: bool = False
    """It writes, or costs money; it runs only when a person asks for it by name."""


class ContrastProbe(Frozen):
    """The same check with one thing changed, so that causes can be told apart: asked where it failed.

    no_key       with no key at all
    other_key    with the pending key, where one has been offered
    second_key   with the second credential of integrations.yaml, where there is one
    made_up_key  with a key that cannot be right: what does the vendor say to a wrong one?
    again        each failing endpoint a few times more: always, or now and then?
    description  the vendor's own description of its API: is the path still in it?
    direct       without our gateway, at the vendor's own address and without a key
    """

    name: Name
    """What overrides call it, mostly the same as `varies`; used once."""
    varies: Literal[
        "no_key", "other_key", "second_key", "made_up_key", "again", "description", "direct"
    ]
    """The key (`no_key`, `other_key`, `second_key`, `made_up_key`), the time (`again`), the address
    (`direct`), or what is asked (`description`)."""
    path: Path | None = None
    """For `direct` alone, and wanted there: the path asked at the vendor's own address."""
