"""JSON Schemas (draft 2020-12) of a runbook and of integrations.yaml, for editors and validators.

They are made from the models that read the files: what those accept, these accept. What one part
says about another (names that must exist, levels that must ascend) only `runbook check` knows.
"""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watchkeeper.runbook.base import SIGN
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import INTEGRATION_NAME, Integration
from watchkeeper.runbook.model import Runbook
from watchkeeper.signs import FAMILIES, SIGNS

DURATION = r"^(\s*[0-9]+(\.[0-9]+)?\s*(ms|sec|s|min|m|hours|hour|h|days|day|d)\s*)+$"


def runbook_schema() -> dict[str, Any]:
    """The schema of a file in runbooks/."""
    return _schema(Runbook, "A Watchkeeper runbook")


def integrations_schema() -> dict[str, Any]:
    """The schema of integrations.yaml. Overrides are free: they are judged with their runbook."""
    entry = _schema(Integration, "An entry of integrations.yaml")
    # The name is the entry's key.
    entry["properties"].pop("name")
    entry["required"].remove("name")
    head, defs = entry.pop("$schema"), entry.pop("$defs")
    return {
        "$schema": head,
        "title": "Watchkeeper's integrations.yaml",
        "type": "object",
        "properties": {
            "integrations": {
                "description": "Your integrations, each by its name: `vendor@environment`, or "
                "`vendor@environment/organisation`.",
                "type": "object",
                "propertyNames": {"pattern": INTEGRATION_NAME},
                "additionalProperties": {"$ref": "#/$defs/Integration"},
            }
        },
        "required": ["integrations"],
        "additionalProperties": False,
        "$defs": {**defs, "Integration": entry},
    }


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    made = _with_refs(model.model_json_schema(schema_generator=_Generator))
    defs = {**made.pop("$defs", {}), "Duration": _DURATION}
    if model is Runbook:
        defs["Sign"] = _sign()
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": title, "$defs": defs}


_DURATION = {"type": "string", "pattern": DURATION, "examples": ["15s", "5 min", "1h30m", "2d"]}
_SHARED = {SIGN: "Sign", DURATION: "Duration"}


def _with_refs(node: Any) -> Any:
    """Signs and durations are told once; what stands beside them (a default) is kept."""
    if isinstance(node, list):
        return [_with_refs(part) for part in node]
    if not isinstance(node, dict):
        return node
    shared = _SHARED.get(str(node.get("pattern")))
    if shared is None:
        return {key: _with_refs(part) for key, part in node.items()}
    kept = {key: node[key] for key in ("default", "description") if key in node}
    return {"$ref": f"#/$defs/{shared}", **kept}


class _Generator(GenerateJsonSchema):
    """Pydantic's own, but for durations as people write them."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"pattern": DURATION}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A field's words on one line: an editor takes the end of a line for that of a paragraph."""
        made = super().model_schema(schema)
        for field in made["properties"].values():
            if "description" in field:
                field["description"] = " ".join(field["description"].split())
        return made

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return words(dft)
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", exclude_defaults=True)
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A field's name in capitals tells nobody anything."""
        return False


def _sign() -> dict[str, Any]:
    """One of the vocabulary, each with what it says, or one of a family with what it is about."""
    named = [{"const": name, "description": _first_line(sign)} for name, sign in SIGNS.items()]
    families = [
        {"pattern": f"^{name}:[a-z][a-z0-9_-]*$", "description": _first_line(make)}
        for name, make in FAMILIES.items()
    ]
    return {
        "description": "A sign: a named predicate over what the probes saw.",
        "type": "string",
        "anyOf": [*sorted(named, key=lambda sign: sign["const"]), *families],
    }


def _first_line(told: object) -> str:
    return (inspect.getdoc(told) or "").partition("\n")[0]
