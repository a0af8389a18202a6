# SPDX-License-Identifier: Apache-2.0
"""Pages of reference in docs/ say what the program says: they are made from it.

`pytest tests/test_reference.py --update-golden` writes them anew.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from mcuplan.cli._app import app
from mcuplan.findings import explanations
from mcuplan.record.schema import fit_schema, joint_schema, schema_text
from mcuplan.sweep.rows import Row, column_types

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_HEAD = "<!-- SPDX-License-Identifier: Apache-2.0; made by tests/test_reference.py -->\n"


def _commands() -> Iterator[str]:
    """Every command, those of groups too: what it does, arguments and options."""
    yield "# Commands\n\nWhat `mcuplan COMMAND --help` says.\n"
    yield from _described(app, "mcuplan")


def _described(command: click.Command, path: str) -> Iterator[str]:
    """One command and those below it."""
    names = [str(p.name).upper() for p in command.params if isinstance(p, click.Argument)]
    words = " ".join([path, *names])
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    rows = [f"| {_spelled(p)} | {_cell(p.help or '')} |" for p in options]
    table = ["| option | |", "| --- | --- |", *rows, ""] if rows else []
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield "\n".join([f"## {words}", "", text, "", *table])
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _described(inner, f"{path} {inner.name}")


def _spelled(option: click.Option) -> str:
    """Its names, and the values it takes where they are few."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    chosen = option.type.choices if isinstance(option.type, click.Choice) else ()
    values = " ".join(f"`{value}`" for value in chosen)
    if values or option.is_flag:
        return f"{names} {values}".strip()
    return f"{names} `{option.metavar or option.type.name.upper()}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _codes() -> Iterator[str]:
    """Every code of errors and findings: what it means, what to do."""
    yield "# Codes of errors and findings\n\nWhat `mcuplan explain CODE` prints.\n"
    for code, entry in explanations().items():
        yield f"## {code}\n\n{entry.meaning}\n\n{entry.action}\n"


def _report() -> Iterator[str]:
    """Every object of the JSON report and its fields."""
    schema = json.loads(schema_text())
    yield (
        "# The JSON report\n\nObjects and fields of `--format json`; the schema is\n"
        "[schema.json](../mcuplan/report/schema.json). A field is only added within one version.\n"
    )
    whole = schema["oneOf"][0]
    yield f"## report\n\n{_fields(whole)}"
    several = json.loads(schema_text(joint_schema()))
    yield (
        "## bundle\n\nThe report of `mcuplan bundle`, beside that of each model; the schema is\n"
        f"[bundle.schema.json](../mcuplan/report/bundle.schema.json).\n\n{_fields(several['oneOf'][0])}"
    )
    found = fit_schema()
    yield (
        "## fit\n\nWhat `mcuplan fit --format json` prints; the schema is\n"
        f"[fit.schema.json](../mcuplan/report/fit.schema.json).\n\n{_fields(found['oneOf'][0])}"
    )
    defs = {**schema["$defs"], **several["$defs"], **found["$defs"]}
    for name, body in sorted(defs.items()):
        yield f"## {name}\n\n{body.get('description', '')}\n\n{_fields(body)}"


def _fields(body: Mapping[str, Any]) -> str:
    rows = ["| field | type | |", "| --- | --- | --- |"]
    for name, field in body.get("properties", {}).items():
        said = _cell(str(field.get("description", "")))
        rows.append(f"| `{name}` | {_type(field)} | {said} |")
    return "\n".join(rows) + "\n"


def _type(field: Mapping[str, Any]) -> str:
    """One word or two for the type of a field."""
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[1]
        return f"[{name}](#{name})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if field.get("type") == "array" and "items" in field:
        return f"list of {_type(field['items'])}"
    kind = field.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _columns() -> Iterator[str]:
    """The page on sweeps as it stands, and every column of their tables."""
    page, mark = (_DOCS / "sweeps.md").read_text(encoding="utf-8"), "<!-- columns -->\n"
    said = dict(re.findall(r"^    (\w+): (.+)$", str(inspect.getdoc(Row)), re.MULTILINE))
    rows = [f"| `{n}` | {kind.__name__} | {_cell(said[n])} |" for n, kind in column_types().items()]
    head = page.partition(mark)[0].removeprefix(_HEAD)
    yield "\n".join([f"{head}{mark}", "| column | type | |", "| --- | --- | --- |", *rows, ""])


_PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "commands.md": _commands,
    "codes.md": _codes,
    "report.md": _report,
    "sweeps.md": _columns,
}


@pytest.mark.parametrize("name", _PAGES)
def test_page_is_up_to_date(name: str, request: pytest.FixtureRequest) -> None:
    """What stands there is what the program says today."""
    text = _HEAD + "\n".join(_PAGES[name]())
    page = _DOCS / name
    if request.config.getoption("--update-golden"):
        page.write_text(text, encoding="utf-8")
    assert text == page.read_text(encoding="utf-8")
