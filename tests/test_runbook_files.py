"""Runbook files and integrations.yaml: what is right loads, what is wrong is told at its line."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.runbook.explain import explain
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_integrations, load_runbook, watch
from watchkeeper.runbook.problems import BadFile, Problem
from watchkeeper.signs import FAMILIES, SIGNS

RUNBOOK = SHIPPED_RUNBOOKS / "maintainx.yaml"
SAMPLE = SHIPPED_RUNBOOKS.parent / "docs" / "integrations.sample.yaml"
NAME = "maintainx@prod"


def problems_of(load: Callable[[], object]) -> tuple[Problem, ...]:
    with pytest.raises(BadFile) as caught:
        load()
    return caught.value.problems


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def changed(source: Path, old: str, new: str) -> str:
    text = source.read_text(encoding="utf-8")
    assert old in text, f"the mutation's text is gone from {source.name}: {old}"
    return text.replace(old, new, 1)


SILENCE = (
    "timeouts",
    "cannot_connect",
    "proxy_wants_us",
    "answers_break_off",
    "only_errors_of_anybody",
)


def test_the_shipped_runbooks_speak_the_whole_vocabulary() -> None:
    """A sign that no runbook of ours uses is a sign that nobody has tried."""
    books = [load_runbook(path) for path in sorted(SHIPPED_RUNBOOKS.glob("*.yaml"))]
    used = {name for book in books for rule in book.causes for name in rule.signs}
    plain = {name for name in used if ":" not in name}
    assert plain <= set(SIGNS)
    assert set(SIGNS) - plain <= SPARE
    assert {name.partition(":")[0] for name in used - plain} == set(FAMILIES)


# For a company's own rows: no row of ours needs them. `answers_contradict` holds for all rows.
SPARE = {
    "answers_contradict",
    "certificate_is_not_the_vendors",
    "changed_of_late",
    "connects",
    "some_endpoints_silent",
    "vendor_status_green",
}


# What a person tells of, before all that is seen; then the source's symptom table in its order, its
# error-handling table and its slow row.
@pytest.mark.parametrize(
    ("row", "symptom", "cause", "severity", "milder"),
    [
        (0, "key_leaked", "key_leaked", 1, None),
        (1, "all_endpoints_401", "api_key_expired", 1, None),
        (2, "all_endpoints_5xx", "vendor_outage", 1, None),
        (3, "requests_429", "rate_limit_exceeded", 2, None),
        (4, ("endpoint_404", "all_endpoints_404", "redirected"), "api_path_changed", 2, 4),
        (5, SILENCE, "network_issue", 1, 2),
        (6, ("service_crashed", "crash_loop", "log:deaths"), "service_crash", 1, None),
        (7, "intermittent_5xx", "intermittent_errors", 2, 4),
        (8, "slow_responses", "slow_vendor", 3, None),
    ],
)
def test_each_row_of_the_symptom_table(
    row: int, symptom: str | tuple[str, ...], cause: str, severity: int, milder: int | None
) -> None:
    rule = load_runbook(RUNBOOK).causes[row]
    found = (rule.symptom, rule.cause, rule.severity, rule.severity_when_not_critical)
    assert found == (symptom, cause, severity, milder)


@pytest.mark.parametrize(
    ("level", "word", "respond_within", "pages"),
    [
        (1, "SEV-1", timedelta(minutes=15), True),
        (2, "SEV-2", timedelta(hours=1), True),
        (3, "SEV-3", timedelta(hours=4), False),
        (4, "SEV-4", "next business day", False),
    ],
)
def test_each_row_of_the_severity_table(
    level: int, word: str, respond_within: object, pages: bool
) -> None:
    row = load_runbook(RUNBOOK).severity_level(level)
    assert (row.word, row.respond_within, row.pages) == (word, respond_within, pages)


def test_emergency_measures_touch_what_the_source_names() -> None:
    runbook = load_runbook(RUNBOOK)
    assert runbook.mitigation("emergency-rate-cap").max_requests_per_s == 1
    deferrable = {job.name for job in runbook.jobs if job.criticality == "deferrable"}
    assert deferrable == {"asset-sync", "report-generator"}
    assert set(runbook.mitigation("pause-deferrable").criticality) == {"deferrable"}
    assert runbook.mitigation("rotate-key").approvals == 1
    by_itself = {m.name for m in runbook.mitigations if m.autonomy != "propose"}
    assert by_itself == {"escalate", "wait-for-vendor"}, "by itself it calls people and looks on"


def test_only_lists_that_can_be_asked_for_by_time_are() -> None:
    by_time = {r.name: (r.since_param, r.until_param) for r in load_runbook(RUNBOOK).resources}
    bracketed = ("updatedAt[gte]", "updatedAt[lte]")
    assert by_time == {
        "workorders": bracketed,
        "assets": bracketed,
        "locations": (None, None),
        "users": (None, None),
    }


# (what stands in the runbook, what is put there, the line that is named holds, field, phrase)
WRONG_RUNBOOKS = [
    ("severity: 1\n", "severity: 7\n", "severity: 7", "causes[0].severity", "1 to 4"),
    ("severity: 1\n", "severity: '1'\n", "severity: '1'", "causes[0].severity", "a whole number"),
    ("severity: 1\n", "severity: 1.5\n", "severity: 1.5", "causes[0].severity", "a whole number"),
    ("pages: false", "pages: no", "pages: no", "severity[2].pages", "true or false"),
    ("vendor: maintainx", "vendor: 404", "vendor: 404", "vendor", "404 is not allowed; text"),
    ("vendor: maintainx", "vendor: Maint X", "vendor: Maint X", "vendor", "lower-case letters"),
    ("vendor: maintainx", "vendor:", "vendor:", "vendor", "is empty"),
    (
        "vendor: maintainx\n",
        "",
        "display_name",
        "vendor",
        "is missing: Name of the vendor, such as",
    ),
    (
        'path: "/assets?limit=1", ',
        "",
        "name: assets,",
        "probes[1].path",
        "is missing: The path asked, below base_url, such as /workorders?limit=1",
    ),
    ("\nprobes:", "\npobes:", "pobes:", "pobes", "did you mean 'probes'?"),
    ("  scheme: Bearer", "  shceme: Bearer", "shceme", "auth.shceme", "did you mean 'scheme'?"),
    ("  scheme: Bearer", "  zzz: 1", "zzz", "auth.zzz", "known: header, organisation_header"),
    ("slow: 5 s", "slow: 5", "slow: 5", "thresholds.slow", "needs its unit"),
    ("slow: 5 s", "slow: soon", "slow: soon", "thresholds.slow", "reads like 15s, 5 min"),
    ("slow: 5 s", "slow: [5 s]", "slow: [5 s]", "thresholds.slow", "reads like 15s, 5 min"),
    ("slow: 5 s", f"slow: {'9' * 400} d", "slow: 9", "thresholds.slow", "at most 3650 days"),
    ("per: 60 s", "per: 0 s", "per: 0 s", "rate_limit.per", "more than 0 s"),
    (
        "respond_within: 15 min",
        "respond_within: soon",
        "soon",
        "severity[0].respond_within",
        "next",
    ),
    (
        "autonomy: propose",
        "autonomy: yes",
        "autonomy: yes",
        "mitigations[0].autonomy",
        "'observe',",
    ),
    ("reset: delta", "reset: later", "reset: later", "rate_limit.reset", "'delta' or 'epoch'"),
    ("requests: 100", "requests: 0", "requests: 0", "rate_limit.requests", "more than 0"),
    ("requests: 100", "requests: true", "requests: true", "rate_limit.requests", "whole number"),
    (
        "status_page:\n",
        "status_page: here\nx:\n",
        "status_page",
        "status_page",
        "a mapping is wanted",
    ),
    ("resources: [assets]", "resources: assets", "asset-sync", "jobs[1].resources", "a list"),
    (
        "resources: [assets]",
        "resources: []",
        "asset-sync",
        "jobs[1].resources",
        "at least 1 wanted",
    ),
    ("url: https://status", "url: status", "url: status", "status_page.url", "begins with http"),
    ("path: /en/index", "path: en/index", "path: en/", "status_page.path", "begins with /"),
    (
        "slow: 5 s",
        "slow: 5 s\n  slow: 6 s",
        "slow: 6 s",
        "thresholds.slow",
        "is given twice; first",
    ),
    ("slow: 5 s", "slow: !!python/name:os.system 5 s", "slow:", "thresholds.slow", "tag"),
    ("slow: 5 s", "slow: !!int five", "slow:", "thresholds.slow", "is not a !!int"),
    ("slow: 5 s", "[a, b]: 5 s", "[a, b]", "thresholds", "a key must be plain text"),
    (
        "give_up_after: 15 min",
        "give_up_after: '15 min",
        "give_up_after: '15 min",
        "",
        "while scanning a quoted scalar",
    ),
    ("slow: 5 s", "slow: *gone", "*gone", "", "found undefined alias"),
    ("slow: 5 s", "slow: &a [*a]", "slow: &a", "", "nested too deeply"),
    ("slow: 5 s", "\tslow: 5 s", "slow", "", "found character"),
    (
        f"symptom: [{', '.join(SILENCE)}]",
        "symptom: timeout",
        "symptom: timeout",
        "causes[5].symptom",
        "did you mean 'timeouts'?",
    ),
    (
        "confirm: [other_key_accepted, fails_each_time]",
        "confirm: [other_key]",
        "confirm: [other_key]",
        "causes[1].confirm[0]",
        "not a known sign; did you mean 'other_key_",
    ),
    (
        "cause: vendor_outage",
        "cause: api_key_expired",
        "- cause: api_key_expired",
        "causes[2].cause",
        "is used twice; first on line",
    ),
    ("name: assets,", "name: users,", "name: users", "probes[3].name", "is used twice"),
    (
        "mitigations: [pause-all-jobs, rotate-key]",
        "mitigations: [pause-all-jobs, rotate-keys]",
        "rotate-keys",
        "causes[1].mitigations[1]",
        "did you mean 'rotate-key'?",
    ),
    (
        "resources: [assets]",
        "resources: [asset]",
        "asset-sync",
        "jobs[1].resources[0]",
        "'asset' is not a known resource; did you mean 'assets'?",
    ),
    ("resource: assets", "resource: ass", "ass,", "probes[1].resource", "not a known resource"),
    ("level: 4\n", "level: 3\n", "level: 3", "severity[3].level", "is used twice"),
    ("level: 4\n", "level: 5\n", "level: 5", "severity[3].level", "1 to 4"),
    (
        "criticality: [deferrable]",
        "criticality: [normal]",
        "criticality: [normal]",
        "mitigations[1].criticality",
        "matches no job; pause_jobs needs a criticality that a job has: critical, deferrable",
    ),
    (
        "    criticality: [deferrable]\n",
        "",
        "name: pause-deferrable",
        "mitigations[1].criticality",
        "matches no job",
    ),
    (
        "    max_requests_per_s: 1\n",
        "",
        "name: emergency-rate-cap",
        "mitigations[4].max_requests_per_s",
        "is missing; cap_rate needs",
    ),
    (
        "autonomy: propose\n    approvals: 1",
        "autonomy: approve\n    approvals: 0",
        "approvals: 0",
        "mitigations[2].approvals",
        "1 or 2",
    ),
    ("after: 30 min", "after: 15 min", "after: 15 min", "escalation[2].after", "later than"),
    ("level: 3, who", "level: 2, who", "level: 2, who", "escalation[2].level", "is used twice"),
    ("level: 4, who", "level: 1, who", "level: 1, who", "escalation[3].level", "does not follow"),
    ("needed: 2", "needed: 5", "needed: 5", "detection.needed", "1 to 4"),
    (
        "resource: assets, envelope: assets",
        "resource: assets, envelope: items",
        "name: assets, path",
        "probes[1].envelope",
        "'items' is not where assets has its list: 'assets'",
    ),
    ("page_size: 100", "page_size: 250", "page_size: 250", "resources[0].page_size", "200 a page"),
    ("    sort_param: sort\n", "", "sort: updatedAt", "resources[0].sort", "is never sent"),
    ("overlap: 5 min", "overlap: 0 s", "overlap: 0 s", "resources[0].overlap", "get lost"),
    (
        "path: /assets\n",
        "path: /assets?x=1\n",
        "path: /assets?",
        "resources[1].path",
        "without a query",
    ),
    (
        "resource: assets, envelope: assets",
        "resource: assets, expect: {equals: 1}",
        "expect: {equals: 1}",
        "probes[1].expect.equals",
        "json_path is missing",
    ),
    (
        "    since_param: updatedAt[gte]\n",
        "",
        "until_param",
        "resources[0].until_param",
        "needs since_param",
    ),
]


@pytest.mark.parametrize(("old", "new", "at", "field", "says"), WRONG_RUNBOOKS)
def test_a_wrong_runbook_is_told_at_its_line(
    tmp_path: Path, old: str, new: str, at: str, field: str, says: str
) -> None:
    text = changed(RUNBOOK, old, new)
    path = written(tmp_path / "maintainx.yaml", text)
    problems = problems_of(lambda: load_runbook(path))
    told = [problem for problem in problems if problem.field == field and says in problem.message]
    assert told, f"nothing said {says!r} of {field}: {[str(problem) for problem in problems]}"
    assert at in text.splitlines()[told[0].line - 1]
    assert str(told[0]).startswith(f"{path}:{told[0].line}: ")


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = changed(RUNBOOK, "vendor: maintainx", "vendor: 404").replace("needed: 2", "needed: 9")
    text = text.replace(f"symptom: [{', '.join(SILENCE)}]", "symptom: hiccups").replace(
        "severity: 3", "severity: 9", 1
    )
    text = text.replace("slow: 5 s", "slow: 5 s\n  slow: 6 s")
    path = written(tmp_path / "maintainx.yaml", text)
    with pytest.raises(BadFile) as caught:
        load_runbook(path)
    heading, *lines = str(caught.value).splitlines()
    assert heading == f"{path}: 5 problems"
    assert [line.split(": ")[1] for line in lines] == [
        "vendor",
        "thresholds.slow",
        "causes[5].symptom",
        "causes[8].severity",
        "detection.needed",
    ]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"# only words\n", "the file is empty"),
        (b"- a\n- b\n", "a list of 2 is not allowed; a mapping is wanted"),
        (b"a: 1\n---\nb: 2\n", "expected a single document"),
        (b"a: \xff\n", "UTF-8"),
        (b"a: \x07\n", "control character"),
        (b"a:\n\tb: 1\n", "blanks, not with a tab"),
        (b"a: 1\n  b: 2\n", "indented too far"),
        (b"a: what: this\n", "stands in no quotes"),
        (b"a: {b: c: d}\n", "stands in quotes"),
        (b"a:\n  - b\n  c: 1\n", "not indented as the lines"),
        (b'a: "\\uD800"\n', "surrogate"),
        (b'a: "\\UFFFFFFFF"\n', "no character"),
        (b"a: 1.0e999\n", "too large"),
        (b"a: " + b"[" * 60 + b"]" * 60, "nested too deeply"),
        (b"a: " + b"[" * 400 + b"]" * 400, "nested too deeply"),
        (b"a: &a [x]\n<<: {b: *a}\n", "'<<' is not a known key"),
    ],
)
def test_a_file_that_is_no_runbook_at_all(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert any(says in str(problem) for problem in problems_of(lambda: load_runbook(path)))


def test_aliases_cannot_make_a_small_file_endless(tmp_path: Path) -> None:
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    path = written(tmp_path / "laughs.yaml", f"a0: &a0 [lol]\n{laughs}\n")
    assert "too many values" in str(problems_of(lambda: load_runbook(path))[0])


def test_a_lost_runbook_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.yaml: cannot be read: No such file") as caught:
        load_runbook(tmp_path / "gone.yaml")
    assert not isinstance(caught.value, BadFile)


def test_overrides_in_memory() -> None:
    runbook = load_runbook(
        RUNBOOK,
        {"verification": {"probes_in_a_row": 1}, "resources": {"workorders": {"list_lag": "1s"}}},
    )
    assert runbook.verification.probes_in_a_row == 1
    assert runbook.verification.interval == timedelta(seconds=10)
    assert runbook.resource("workorders").list_lag == timedelta(seconds=1)
    assert runbook.resource("assets").list_lag == timedelta(hours=2)
    (problem,) = problems_of(lambda: load_runbook(RUNBOOK, {"caps": {"approval_timeout": "soon"}}))
    assert str(problem).startswith("overrides: caps.approval_timeout: 'soon' is not allowed;")


# --- integrations.yaml --------------------------------------------------------------------------


def test_the_sample_passes_and_its_overrides_reach_the_runbook() -> None:
    assert list(load_integrations(SAMPLE)) == [NAME]
    watched = watch(NAME, SAMPLE)
    assert watched.base_url == "https://api.getmaintainx.com/v1"
    assert watched.status_url == "https://status.getmaintainx.com/en/index.json"
    assert watched.runbook.mitigation("rotate-key").autonomy == "approve"
    assert watched.runbook.mitigation("pause-all-jobs").autonomy == "propose"
    assert watched.runbook.caps.approval_timeout == timedelta(minutes=30)


SANDBOX = """\
integrations:
  maintainx@sandbox:
    runbook: maintainx
    sandbox: true
    base_url: http://127.0.0.1:8080/v1
    status_page_url: http://127.0.0.1:8081
    credential: {name: key, reference: "file:key"}
    consumers:
      - {name: ours, health_url: "http://localhost:3000/h", runtime: {restart: ["true"]}}
    pager: {routing_key: "file:pd", base_url: "https://127.0.0.1:8443"}
    contacts:
      - {who: team lead, name: Ada}
    overrides:
      causes: {slow_vendor: {severity: 4, confirm: [vendor_healthy]}}
      probes: {users: {critical: true}}
      jobs: {asset-sync: {criticality: normal}}
      severity: {3: {respond_within: 2 h}}
      links: []
"""


def test_a_sandbox_with_every_kind_of_override(tmp_path: Path) -> None:
    watched = watch("maintainx@sandbox", written(tmp_path / "integrations.yaml", SANDBOX))
    slow = watched.runbook.cause("slow_vendor")
    assert slow is not None
    assert slow.severity == 4
    assert watched.runbook.probes[3].critical
    assert watched.runbook.job("asset-sync").criticality == "normal"
    assert watched.runbook.severity_level(3).respond_within == timedelta(hours=2)
    assert watched.runbook.links == ()


WRONG_INTEGRATIONS = [
    ("runbook: maintainx", "runbook: maintain", "runbook:", "runbook", "known: maintainx"),
    ("maintainx@sandbox:", "twinmind@sandbox:", "runbook:", "runbook", "not of twinmind"),
    ("maintainx@sandbox:", "maintainx:", "maintainx:", "name", "vendor@environment"),
    ("runbook: maintainx", "name: x\n    runbook: maintainx", "name: x", "name", "leave this out"),
    ("sandbox: true", "sandbox: yes", "sandbox: yes", "sandbox", "true or false"),
    ("sandbox: true", "sandbox: false", "base_url", "base_url", "https:// is wanted"),
    (
        "http://127.0.0.1:8080/v1",
        "https://api.getmaintainx.com",
        "base_url",
        "base_url",
        "loopback",
    ),
    ("http://127.0.0.1:8080/v1", "http://127.0.0.1@evil.example", "base_", "base_url", "no user"),
    ("http://127.0.0.1:8080/v1", "http://localhost.evil.example", "base_", "base_url", "loopback"),
    ("http://127.0.0.1:8080/v1", '"http://[::1"', "base_url", "base_url", "not a URL"),
    ("    base_url: http://127.0.0.1:8080/v1\n", "", "maintainx@", "base_url", "is missing, and"),
    (
        "    status_page_url: http://127.0.0.1:8081\n",
        "",
        "maintainx@",
        "status_page_url",
        "loopback",
    ),
    ("http://localhost:3000/h", "http://10.0.0.1/h", "ours", "consumers[0].health_url", "loopback"),
    (', base_url: "https://127.0.0.1:8443"', "", "pager", "pager.base_url", "loopback"),
    *(
        (
            "    contacts:",
            f"    service: {{health_url: 'http://127.0.0.1:1', {given}}}\n    contacts:",
            "service:",
            f"service.{field}",
            says,
        )
        for given, field, says in (
            ("metrics: {kind: text}", "metrics.url", "is missing"),
            ("logs: {path: x}", "logs", "its kind is wanted first"),
            ("logs: {kind: fil, path: x}", "logs", "its kind is 'journald', 'file'"),
        )
    ),
    ("who: team lead", "who: team leader", "who:", "contacts[0].who", "did you mean 'team lead'?"),
    (
        "runbook: maintainx",
        "runbook: maintainx\n    organisation: x",
        "org",
        "organisation",
        "number",
    ),
    ("overrides:", "overides:", "overides:", "overides", "did you mean 'overrides'?"),
    ('restart: ["true"]', "restart: []", "ours", "consumers[0].runtime.restart", "at least 1"),
    ('"file:key"', '"env:key"', "credential", "credential.reference", "autonomy: observe"),
    (
        '"file:key"',
        '"vault:key"',
        "credential",
        "credential.reference",
        "aws:NAME, gcp:NAME, env:NAME",
    ),
    (
        "slow_vendor: {",
        "slow_vendr: {",
        "slow_vendr",
        "overrides.causes.slow_vendr",
        "did you mean",
    ),
    (
        "severity: 4",
        "severity: 7",
        "severity: 7",
        "overrides.causes.slow_vendor.severity",
        "1 to 4",
    ),
    (
        "severity: 4",
        "severety: 4",
        "severety",
        "overrides.causes.slow_vendor.severety",
        "did you mean 'severity'?",
    ),
    (
        "[vendor_healthy]",
        "[vendor_hale]",
        "vendor_hale",
        "overrides.causes.slow_vendor.confirm[0]",
        "not a known sign",
    ),
    (
        "severity: {3:",
        "severity: {5:",
        "severity: {5:",
        "overrides.severity.5",
        "known: 1, 2, 3, 4",
    ),
    ("{users: {critical: true}}", "[users]", "probes", "overrides.probes", "override by name"),
    ("{critical: true}", "true", "probes", "overrides.probes.users", "mapping of what changes"),
    ("{critical: true}", "{name: x}", "probes", "overrides.probes.users.name", "cannot be"),
    ("links: []", "verificaton: {}", "verificaton", "overrides.verificaton", "did you mean"),
    ("links: []", "overlap: 1\n      overlap: 2", "overlap: 2", "overrides.overlap", "twice"),
    ("links: []", "vendor: other", "runbook:", "runbook", "is the runbook of other"),
]


@pytest.mark.parametrize(("old", "new", "at", "field", "says"), WRONG_INTEGRATIONS)
def test_a_wrong_integration_is_told_at_its_line(
    tmp_path: Path, old: str, new: str, at: str, field: str, says: str
) -> None:
    assert old in SANDBOX
    text = SANDBOX.replace(old, new, 1)
    path = written(tmp_path / "integrations.yaml", text)
    name = text.splitlines()[1].strip().removesuffix(":")
    problems = problems_of(lambda: watch(name, path))
    told = [p for p in problems if p.field == f"integrations.{name}.{field}" and says in p.message]
    assert told, f"nothing said {says!r} of {field}: {[str(problem) for problem in problems]}"
    assert at in text.splitlines()[told[0].line - 1]
    assert told[0].path == path


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    written(tmp_path / "maintainx.yaml", changed(RUNBOOK, "needed: 2", "needed: 5"))
    text = SANDBOX.replace("severity: 4", "severity: 7").replace(
        "http://127.0.0.1:8080", "http://a"
    )
    path = written(tmp_path / "integrations.yaml", text)
    problems = problems_of(lambda: watch("maintainx@sandbox", path, tmp_path))
    assert [(problem.path.name, problem.field.rpartition(".")[2]) for problem in problems] == [
        ("integrations.yaml", "base_url"),
        ("integrations.yaml", "severity"),
        ("maintainx.yaml", "needed"),
    ]


def test_a_mistake_in_another_entry_does_not_end_the_watch(tmp_path: Path) -> None:
    text = f"{SANDBOX}  maintainx@other:\n    runbok: maintainx\n    runbok: maintainx\n"
    path = written(tmp_path / "integrations.yaml", text)
    assert watch("maintainx@sandbox", path).name == "maintainx@sandbox"
    assert {problem.field for problem in problems_of(lambda: load_integrations(path))} == {
        "integrations.maintainx@other.runbok",
        "integrations.maintainx@other.runbook",
        "integrations.maintainx@other.credential",
    }


def test_a_pasted_secret_is_not_repeated(tmp_path: Path) -> None:
    text = SANDBOX.replace('"file:key"', "live_SECRET").replace('"file:pd"', "R0_SECRET")
    text = text.replace("//127.0.0.1:8080", "//user:SECRET@127.0.0.1:8080")
    path = written(tmp_path / "integrations.yaml", text)
    for load in (lambda: watch("maintainx@sandbox", path), lambda: load_integrations(path)):
        with pytest.raises(BadFile) as caught:
            load()
        assert "SECRET" not in str(caught.value)
    bare = written(
        tmp_path / "bare.yaml", text.replace("{name: key, reference: live_SECRET}", "SECRET")
    )
    with pytest.raises(BadFile) as caught:
        load_integrations(bare)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("reference", ["env:KEY", "prefect-block:key"])
def test_a_mere_source_is_enough_where_nothing_rotates(reference: str, tmp_path: Path) -> None:
    rotating = ("rotate-key", "replace-leaked-key")
    off = ", ".join(f"{name}: {{autonomy: observe}}" for name in rotating)
    observe = f"overrides:\n      mitigations: {{{off}}}"
    text = SANDBOX.replace('"file:key"', f'"{reference}"').replace("overrides:", observe)
    watched = watch("maintainx@sandbox", written(tmp_path / "integrations.yaml", text))
    assert watched.integration.credential.reference == reference
    for name in rotating:
        on = written(
            tmp_path / "one.yaml", text.replace(f"{name}: {{autonomy: observe}}", f"{name}: {{}}")
        )
        (problem,) = problems_of(lambda on=on: watch("maintainx@sandbox", on))
        assert f"override the mitigation {name} " in problem.message
        assert "versions: file:PATH, aws:NAME or gcp:projects/PROJECT/secrets/NAME" in (
            problem.message
        )
    both = written(tmp_path / "both.yaml", text.replace(observe, "overrides:"))
    (problem,) = problems_of(lambda: watch("maintainx@sandbox", both))
    assert "override the mitigations rotate-key and replace-leaked-key to" in problem.message


STORES = ("file:key", "aws:key", "gcp:projects/p-1/secrets/key")


@pytest.mark.parametrize("reference", STORES)
def test_a_store_that_keeps_versions_may_rotate(reference: str, tmp_path: Path) -> None:
    text = SANDBOX.replace('"file:key"', f'"{reference}"')
    watched = watch("maintainx@sandbox", written(tmp_path / "integrations.yaml", text))
    assert watched.integration.credential.reference == reference


def test_an_unknown_integration_and_a_lost_file_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'maintainx@prd' is .*did you mean 'maintainx@prod'\?"):
        watch("maintainx@prd", SAMPLE)
    with pytest.raises(UserError, match=r"copy docs/integrations\.sample\.yaml .*up --sandbox"):
        watch(NAME, tmp_path / "integrations.yaml")


def test_the_explanation_names_everything_that_can_happen() -> None:
    watched = watch(NAME, SAMPLE)
    text = explain(watched)
    rules = watched.runbook.causes
    assert all(word in text for rule in rules for word in (rule.cause, *rule.mitigations))
    assert "rotate-key [approve]" in text
    assert "deferrable: asset-sync, report-generator" in text
    assert text.startswith("maintainx@prod (live) at https://api.getmaintainx.com/v1\n")
    assert explain(watched.runbook) in text


# --- anything at all ----------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["vendor", "probes", "causes", "name", "severity", "level", "jobs", "overrides", "5 min", "0s"]
)
SCALARS = st.one_of(
    WORDS, st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none()
)
THINGS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | SCALARS, inner, max_size=4),
    max_leaves=12,
)
QUICK = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def dumped(thing: object) -> str:
    return str(yaml.dump(thing, Dumper=yaml.CSafeDumper, allow_unicode=True))


def only_bad_files(load: Callable[[], object]) -> None:
    with contextlib.suppress(BadFile):
        load()


@QUICK
@given(text=st.one_of(THINGS.map(dumped), st.text()))
def test_any_text_is_a_bad_file_at_worst(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    only_bad_files(lambda: load_runbook(path))
    only_bad_files(lambda: load_integrations(path))


WHOLE = yaml.safe_load(RUNBOOK.read_text(encoding="utf-8"))
PLACES = st.tuples(
    st.sampled_from(sorted(WHOLE)),
    st.integers(0, 3),
    st.integers(0, 5),
)


def put(data: dict[str, object], place: tuple[str, int, int], thing: object) -> dict[str, object]:
    """`data` with one thing put somewhere within a section: the section, an item, or its field."""
    section, row, column = place
    value = data[section]
    item = value[row % len(value)] if isinstance(value, list) else value
    if column and isinstance(item, dict):
        item[list(item)[column % len(item)]] = thing
        return data
    return {**data, section: thing}


@QUICK
@given(place=PLACES, thing=THINGS)
def test_any_thing_anywhere_in_the_runbook_is_a_bad_file_at_worst(
    tmp_path: Path, place: tuple[str, int, int], thing: object
) -> None:
    path = written(tmp_path / "any.yaml", dumped(put(copy.deepcopy(WHOLE), place, thing)))
    only_bad_files(lambda: load_runbook(path))


@QUICK
@given(place=PLACES, thing=THINGS)
def test_any_override_is_a_bad_file_at_worst(
    tmp_path: Path, place: tuple[str, int, int], thing: object
) -> None:
    entry = yaml.safe_load(SANDBOX)["integrations"]["maintainx@sandbox"]
    entry["overrides"] = {place[0]: thing, "causes": {"slow_vendor": thing}}
    data = {"integrations": {"maintainx@sandbox": entry}}
    path = written(tmp_path / "integrations.yaml", dumped(data))
    only_bad_files(lambda: watch("maintainx@sandbox", path))


def test_what_is_watched_follows_every_letter_of_its_files(tmp_path: Path) -> None:
    """Unchanged files are not judged again; a changed, broken or lost one is seen at once."""
    book = written(tmp_path / "mine.yaml", RUNBOOK.read_text())
    text = SANDBOX.replace("runbook: maintainx\n", "runbook: mine\n")
    path = written(tmp_path / "integrations.yaml", text)

    def slow() -> int:
        rule = watch("maintainx@sandbox", path, tmp_path).runbook.cause("slow_vendor")
        assert rule is not None
        return rule.severity

    assert slow() == 4
    first = watch("maintainx@sandbox", path, tmp_path)
    assert watch("maintainx@sandbox", path, tmp_path) is first
    written(path, text.replace("severity: 4", "severity: 2"))
    assert slow() == 2
    written(book, RUNBOOK.read_text().replace("display_name: MaintainX", "display_name: Another"))
    assert watch("maintainx@sandbox", path, tmp_path).runbook.display_name == "Another"
    book.write_text("- nothing of a runbook")
    with pytest.raises(BadFile):
        slow()
    book.unlink()
    with pytest.raises(WatchkeeperError):
        slow()
    written(book, RUNBOOK.read_text())
    assert slow() == 2
