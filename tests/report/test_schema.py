# SPDX-License-Identifier: Apache-2.0
"""The shipped schema is the one that the record's classes make."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from report_samples import sample_budget

import mcuplan.report
from mcuplan.record.schema import fit_schema, joint_schema, left_out, report_schema, schema_text
from mcuplan.report.json import as_plain

_SHIPPED = Path(mcuplan.report.__file__).with_name("schema.json")


def test_the_shipped_schemas_are_those_of_the_record() -> None:
    """Where they differ on purpose, write schema_text() to the file."""
    schemas = {"": report_schema(), "bundle.": joint_schema(), "fit.": fit_schema()}
    for kind, made in schemas.items():
        name = f"{kind}schema.json"
        shipped = _SHIPPED.with_name(name).read_text(encoding="utf-8")
        assert json.loads(shipped) == made
        assert shipped == schema_text(made)
        jsonschema.Draft202012Validator.check_schema(made)


def test_what_is_left_out_is_what_is_not_required() -> None:
    """Keys that a full report has and an empty one has not are the optional ones."""
    schema = report_schema()["oneOf"][0]
    optional = schema["properties"].keys() - set(schema["required"])
    budget = sample_budget()
    assert optional == left_out(type(budget))
    assert as_plain(budget).keys() - optional == set(schema["required"])


def test_limits_of_the_types_hold() -> None:
    """Whole numbers are 0 or more, but those that may be less; texts are among the known ones."""
    properties = {name: kind["properties"] for name, kind in report_schema()["$defs"].items()}
    assert {"type": "integer", "minimum": 0} == properties["ram"]["arena_bytes"]
    assert {"type": "integer"} == properties["growth"]["ram_delta"]
    assert -1 == properties["peak"]["step"]["minimum"]
    assert ["target", "limit"] == properties["flash"]["budget_from"]["enum"]
    assert {"anyOf": [{"type": "number"}, {"type": "null"}]} == properties["model_port"]["scale"]
    assert "by rows" in properties["peak"]["row"]["description"]
