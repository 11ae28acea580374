"""A runbook begun from nothing: the skeleton, what is said of a file, and what it leaves open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_cli import refused, well

from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.explain import explain
from watchkeeper.runbook.load import load_runbook, watch
from watchkeeper.runbook.missing import gaps_in
from watchkeeper.runbook.model import Runbook

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL = DOCS / "tutorial" / "parcelhive.yaml"


@pytest.fixture
def begun(tmp_path: Path) -> Runbook:
    path = tmp_path / "parcelhive.yaml"
    well("runbook", "new", "parcelhive", "--to", str(path))
    return load_runbook(path)


def test_a_new_runbook_loads_as_it_is(begun: Runbook) -> None:
    """With the usual causes: no class of failure is without a row."""
    assert (begun.vendor, begun.display_name) == ("parcelhive", "Parcelhive")
    assert not [gap for gap in gaps_in(begun) if "cause" in gap]
    assert {action.autonomy for action in begun.mitigations} == {"propose", "auto"}
    assert [a.name for a in begun.mitigations if a.autonomy == "auto"] == ["escalate"]


def test_a_new_runbook_passes_its_check(tmp_path: Path) -> None:
    """The command that `new` tells; what is missing is told and is no failure."""
    path = tmp_path / "parcelhive.yaml"
    told = well("runbook", "new", "parcelhive", "--to", str(path)).err
    command = told.splitlines()[1].split()[1:]
    said = well(*command)
    assert "Parcelhive (parcelhive), 60 requests per 1 min" in said.err
    assert "missing: no metrics" in said.err


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine", encoding="utf-8")
    assert f"{path} exists already" in refused("runbook", "new", "acme", "--to", str(path))
    assert path.read_text(encoding="utf-8") == "mine"
    assert "cannot be written" in refused("runbook", "new", "acme", "--to", str(tmp_path / "no/a"))


@pytest.mark.parametrize("name", ["Acme", "../acme", "a b", "a" * 65, "9lives", "a\n"])
def test_a_name_is_a_name(name: str, tmp_path: Path) -> None:
    said = refused("runbook", "new", name, "--to", str(tmp_path / "a.yaml"))
    assert "is no name for a vendor" in said
    assert list(tmp_path.iterdir()) == []


def test_a_new_runbook_goes_where_runbooks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_RUNBOOKS", str(tmp_path))
    well("runbook", "new", "acme_parts")
    assert load_runbook(tmp_path / "acme_parts.yaml").display_name == "Acme Parts"


def test_the_schema_is_alone_on_stdout() -> None:
    assert well("runbook", "schema").data["title"] == "A Watchkeeper runbook"
    of_entries = well("runbook", "schema", "--integrations").data
    assert of_entries["properties"].keys() == {"integrations"}


# --- what is missing -----------------------------------------------------------------------------


def resource(**changes: Any) -> Resource:
    given = {"name": "orders", "path": "/orders", "envelope": "orders", "item_path": "/o/{id}"}
    return Resource.model_validate({**given, "since_param": "since", **changes})


def without(book: Runbook, *causes: str) -> dict[str, Any]:
    return {"causes": tuple(c for c in book.causes if c.cause not in causes)}


def first(book: Runbook, section: str, **changes: Any) -> dict[str, Any]:
    one, *others = getattr(book, section)
    return {section: (one.model_copy(update=changes), *others)}


GAPS: dict[str, tuple[Any, str]] = {
    "status page": (lambda b: {"status_page": None}, "no status_page"),
    "component": (
        lambda b: {"status_page": b.status_page.model_copy(update={"component": None})},
        "status_page names no component",
    ),
    "control": (lambda b: {"control": None}, "no control"),
    "description": (lambda b: {"description": None}, "no description"),
    "described, not asked": (
        lambda b: {"contrast_probes": b.contrast_probes[:-1]},
        "no contrast probe for description",
    ),
    "support": (lambda b: {"support": ()}, "no support"),
    "ladder": (lambda b: {"escalation": ()}, "no escalation"),
    "critical": (lambda b: first(b, "probes", critical=False), "no probe is critical"),
    "one probe": (lambda b: {"probes": b.probes[:1]}, "only one probe"),
    "cost": (lambda b: first(b, "probes", costs=True), "probe orders costs"),
    "contrasts": (
        lambda b: {"contrast_probes": ()},
        "no contrast probe for again, description, made_up_key, no_key, other_key, second_key",
    ),
    "resources": (lambda b: {"resources": ()}, "no resources"),
    "item path": (lambda b: {"resources": (resource(item_path=None),)}, "orders: no item_path"),
    "since": (lambda b: {"resources": (resource(since_param=None),)}, "orders: no since_param"),
    "version": (
        lambda b: {"resources": (resource(version_field=None),)},
        "orders: no version_field",
    ),
    "no probe of it": (lambda b: {"resources": (resource(name="new"),)}, "new: no probe"),
    "no job of it": (lambda b: {"jobs": ()}, "orders: no job moves it"),
    "metrics": (lambda b: {"metrics": ()}, "no metrics"),
    "logs": (lambda b: {"logs": ()}, "no logs"),
    "volume": (lambda b: {"volume": None}, "no volume"),
    "unproven": (
        lambda b: first(b, "causes", confirm=()),
        "never more than likely: api_key_expired",
    ),
    "401": (lambda b: without(b, "api_key_expired", "right_missing"), "no cause row for 401"),
    "403": (lambda b: without(b, "right_missing"), "no cause row for 403"),
    "404": (lambda b: without(b, "api_path_changed"), "no cause row for 404"),
    "429": (lambda b: without(b, "rate_limit_exceeded"), "no cause row for 429"),
    "5xx": (lambda b: without(b, "vendor_outage", "intermittent_errors"), "no cause row for 5xx"),
    "silence": (
        lambda b: without(b, "network_issue", "vendor_hangs"),
        "no cause row for silence",
    ),
    "slow": (lambda b: without(b, "slow_vendor"), "no cause row for slow answers"),
    "ours": (lambda b: without(b, "service_crash"), "no cause row for our service down"),
}


@pytest.mark.parametrize(("change", "said"), GAPS.values(), ids=GAPS)
def test_what_is_missing_is_said(change: Any, said: str, begun: Runbook) -> None:
    """Where it is missing, and only there."""
    full = begun.model_copy(
        update={
            "base_url": "https://api.parcelhive.example/v2",
            "status_page": begun.status_page.model_copy(
                update={"url": "https://status.parcelhive.example", "kind": "betterstack"}
            )
            if begun.status_page
            else None,
            "support": tuple(s.model_copy(update={"contact": "ann"}) for s in begun.support),
            "links": (),
            "control": "https://www.cloudflare.com/",
            "description": "/openapi.json",
            "contrast_probes": (
                *begun.contrast_probes,
                begun.contrast_probes[-1].model_copy(update={"varies": "description"}),
            ),
            "resources": (resource(),),
            "metrics": ("some",),
            "logs": ("some",),
            "volume": "some",
        }
    )
    assert gaps_in(full) == ()
    found = gaps_in(full.model_copy(update=change(full)))
    assert [gap for gap in found if said in gap], found


def test_a_failure_of_one_endpoint_alone_has_its_row(begun: Runbook) -> None:
    """The sign that others answer cannot be seen where all fail: each of the two is told apart."""
    rules = tuple(
        c.model_copy(update={"symptom": "endpoint_404"}) if c.cause == "api_path_changed" else c
        for c in begun.causes
    )
    told = [g for g in gaps_in(begun.model_copy(update={"causes": rules})) if "404" in g]
    assert [g.partition(": it would")[0].split()[-1] for g in told] == ["everywhere"]
    alone = begun.model_copy(update={"causes": rules, "probes": begun.probes[:1]})
    assert [g for g in gaps_in(alone) if "no cause row for 404" in g]


# --- what is told --------------------------------------------------------------------------------

TOLD = [
    "Parcelhive (parcelhive), 60 requests per 1 min",
    "  key in X-Api-Key: KEY; reset header counts as epoch",
    "component 'Shipments API')",
    "  control https://www.iana.org/",
    "  ping: GET /ping, good is 200, status = 'ok', within 1 s",
    "  shipments: GET /shipments?per_page=1 (critical), good is any 2xx, a list in shipments",
    "  again: no path of its own (again)",
    "pages by number from 1 (ends at page total_pages) of 50, walked whole, deletions told",
    "  carriers: /carriers, all in one answer, walked whole, deletions not told",
    "  4 is Blue: A nuisance (next business day, wakes nobody)",
    "right_missing: Orange (Red where no endpoint answers well, Blue where nothing critical fails)",
    "  called: shift lead at once, logistics manager after 20 min",
    "in maintenance",
]


@pytest.mark.parametrize("line", TOLD)
def test_a_check_tells_all_that_will_be_done(line: str) -> None:
    assert line in explain(load_runbook(TUTORIAL))


PAGES: list[tuple[dict[str, Any], str]] = [
    ({}, "pages by cursor nextCursor of 100, since since"),
    ({"paging": "offset_cursor"}, "pages by cursor nextCursor (rows may shift) of 100"),
    ({"paging": "page_number"}, "pages by number from 1 (ends with a shorter page) of 100"),
    (
        {"paging": "page_number", "cursor_field": "next", "cursor_means": "next_page"},
        "pages by number from 1 (next page in next)",
    ),
    ({"list_lag": "2h"}, "shows a write after 2 h"),
]


@pytest.mark.parametrize(("changes", "said"), PAGES)
def test_paging_is_told(changes: dict[str, Any], said: str, begun: Runbook) -> None:
    book = begun.model_copy(update={"resources": (resource(**changes),)})
    assert said in explain(book)


# --- the tutorial --------------------------------------------------------------------------------

TEXT = (DOCS / "tutorial-a-vendor-in-one-file.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
FACTS = [(key, value) for block in BLOCKS for key, value in block.items() if key != "integrations"]


def holds(whole: Any, part: Any) -> bool:
    """All that the part says is said by the whole, too."""
    if isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize(("key", "value"), FACTS, ids=[key for key, _ in FACTS])
def test_the_tutorial_shows_what_stands_in_the_file(key: str, value: Any) -> None:
    assert holds(yaml.safe_load(TUTORIAL.read_text(encoding="utf-8"))[key], value)


def test_the_tutorial_tells_what_is_missing_as_the_check_does() -> None:
    shown = re.findall(r"^ {4}missing: (.*)$", TEXT, re.MULTILINE)
    assert len(shown) == 4
    assert set(shown) <= set(gaps_in(load_runbook(TUTORIAL)))


def test_the_tutorials_entry_can_be_watched(tmp_path: Path) -> None:
    """With the finished runbook beneath it."""
    entries = next(block for block in BLOCKS if "integrations" in block)
    path = tmp_path / "integrations.yaml"
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    watched = watch("parcelhive@prod", path, TUTORIAL.parent)
    assert watched.base_url == "https://api.parcelhive.example/v2"
