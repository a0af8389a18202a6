# SPDX-License-Identifier: Apache-2.0
"""What a reviewer is told: which change of a model made it grow, in every form a host reads."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from published import must_be
from sample_repository import git, sample_model, sample_repository

from mcuplan.cli import run
from mcuplan.safe_text import plain

_BOARD = "nucleo-f411re"
_FORMS = ("json", "markdown", "junit", "sarif", "github", "gitlab", "metrics")


@dataclass(frozen=True)
class Change:
    """The repository, the report of its main branch, and those of the branch against it."""

    folder: Path
    main: Any
    forms: dict[str, str]
    status: int


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Change]:
    """A branch in which a convolution was widened from 56 to 64 channels."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("repository")
    sample_repository(folder, sample_model(56), sample_model(64))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git(folder, "checkout", "-q", "main")
        assert 0 == run(["check", "kws.onnx", "-t", _BOARD, "-q", "--report", "json=main.json"])
        git(folder, "checkout", "-q", "wider")
        reports = [word for form in _FORMS for word in ("--report", f"{form}=wider.{form}")]
        words = ["check", "kws.onnx", "-t", _BOARD, "-q", "--baseline", "main.json"]
        status = run([*words, "--fail-on", "growth", *reports])
        forms = {form: Path(f"wider.{form}").read_text(encoding="utf-8") for form in _FORMS}
        yield Change(folder, json.loads(Path("main.json").read_text()), forms, status)


def test_the_comment_names_layer_change_and_bytes(change: Change) -> None:
    """It fails; the first lines are verdict, growth, and the change with all its bytes."""
    assert 1 == change.status
    new = json.loads(change.forms["json"])
    ram, flash = (new[k]["total_bytes"] - change.main[k]["total_bytes"] for k in ("ram", "flash"))
    assert ram > 0 < flash
    lines = html.unescape(change.forms["markdown"]).splitlines()
    assert f"### kws.onnx on {_BOARD}: fits, but **grew**" == lines[0]
    assert f"Since main.json: **RAM {ram:+,} B, flash {flash:+,} B**" == lines[2]
    cause = f"- **conv2 output channels 56 -> 64**: RAM {ram:+,} B, flash {flash:+,} B"
    assert f"{cause}, which 4 layers follow" == lines[4]
    assert 2 == change.forms["markdown"].count("<details>")
    rows = [line for line in lines if line.startswith(("| sram", "| flash"))]
    assert [f"{ram:+,} B", f"{flash:+,} B"] == [row.split(" | ")[-1].rstrip(" |") for row in rows]
    (one,) = new["baseline"]["changes"]
    assert (["conv2"], "output channels 56 -> 64") == (one["layers"], one["what"])
    assert "conv3" in one["follow"]


@pytest.mark.parametrize(
    ("options", "status", "severity"),
    [
        (["--fail-on", "growth={most}"], 0, "note"),
        (["--fail-on", "growth={less}"], 1, "error"),
        (["--fail-on", "budget"], 0, "warning"),
        (["--fail-on", "budget", "--fail-on", "warning"], 1, "error"),
        (["--fail-on", "growth=1", "--fail-on", "growth=2"], 2, None),
        (["--fail-on", "grow"], 2, None),
    ],
)
def test_what_fails(
    change: Change,
    options: list[str],
    status: int,
    severity: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Growth fails beyond the bytes that are allowed, or not at all; warnings where asked."""
    monkeypatch.chdir(change.folder)
    base = json.loads(change.forms["json"])["baseline"]
    most = max(base["ram_delta"], base["flash_delta"])
    words = [word.format(most=most, less=most - 1) for word in options]
    asked = ["check", "kws.onnx", "-t", _BOARD, "--format", "json"]
    assert status == run([*asked, "--baseline", "main.json", *words])
    if severity is not None:
        found = json.loads(capsys.readouterr().out)["verdict"]["findings"]
        assert [severity] == [f["severity"] for f in found if f["code"] == "baseline/grew"]


def test_growth_against_nothing_is_wrong_usage(
    change: Change, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check that cannot fail is none."""
    monkeypatch.chdir(change.folder)
    assert 2 == run(["check", "kws.onnx", "-t", _BOARD, "--fail-on", "growth"])
    assert "--baseline" in capsys.readouterr().err


def test_budgets_that_are_nearly_used_up(
    change: Change, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the share on that was asked for it is a warning, and below it is none."""
    monkeypatch.chdir(change.folder)
    ram = json.loads(change.forms["json"])["ram"]["total_bytes"]
    asked = ["check", "kws.onnx", "-t", _BOARD, "--format", "json", "--max-ram", str(ram)]
    for percent, codes in (("100%", ["ram/near-budget"]), ("1%", None)):
        assert 0 == run([*asked, "--warn-at", percent])
        found = json.loads(capsys.readouterr().out)["verdict"]["findings"]
        near = [f["code"] for f in found if f["code"].endswith("/near-budget")]
        assert (codes or ["ram/near-budget", "flash/near-budget"]) == near


def test_a_budget_of_one_memory(
    change: Change, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what the plan has; a name that the target has not is an error."""
    monkeypatch.chdir(change.folder)
    asked = ["check", "kws.onnx", "-t", _BOARD, "--format", "json"]
    assert 1 == run([*asked, "--max-region", "sram=1K"])
    report = json.loads(capsys.readouterr().out)
    room = {r["name"]: r["bytes"] - r["reserved_bytes"] for r in report["regions"]}
    assert 1024 == room["sram"]
    assert "ram/over-budget" == report["verdict"]["findings"][0]["code"]
    assert 2 == run([*asked, "--max-region", "dtcm=1K"])
    assert "one of sram, flash" in capsys.readouterr().err


def test_sarif_has_the_form_of_its_standard(change: Change) -> None:
    """It is what OASIS' schema says, of a model that cannot be read, too; results have rules."""
    damaged, said = change.folder / "damaged.onnx", change.folder / "damaged.sarif"
    damaged.write_bytes(b"\x08no model")
    assert 3 == run(["check", str(damaged), "-t", _BOARD, "-q", "--report", f"sarif={said}"])
    must_be("sarif", json.loads(said.read_text(encoding="utf-8")))
    log = json.loads(change.forms["sarif"])
    must_be("sarif", log)
    (made,) = log["runs"]
    rules = [rule["id"] for rule in made["tool"]["driver"]["rules"]]
    assert [r["ruleId"] for r in made["results"]] == [
        rules[r["ruleIndex"]] for r in made["results"]
    ]
    first = made["results"][0]
    assert ("baseline/grew", "error") == (first["ruleId"], first["level"])
    assert "conv2 output channels 56 -> 64" in first["message"]["text"]


def test_junit_is_read_by_a_stock_parser(change: Change) -> None:
    """Suites, cases and the failure, as another program sees them."""
    junitparser = pytest.importorskip("junitparser")
    parsed = junitparser.JUnitXml.fromstring(change.forms["junit"].encode())
    cases = [case for suite in parsed for case in suite]
    assert (parsed.tests, parsed.failures) == (len(cases), 1)
    failed = {case.name: case.result[0] for case in cases if case.result}
    assert ["baseline/grew"] == [result.type for result in failed.values()]
    assert {"ram", "flash"} <= {case.name for case in cases}


def test_annotations_and_code_quality(change: Change) -> None:
    """One command or issue for each finding, with the severity of its host."""
    findings = json.loads(change.forms["json"])["verdict"]["findings"]
    lines = change.forms["github"].splitlines()
    assert len(findings) == len(lines)
    form = re.compile(r"::(error|warning|notice) file=kws\.onnx,title=mcuplan [a-z/-]+::\S.*")
    assert all(form.fullmatch(line) for line in lines)
    issues = json.loads(change.forms["gitlab"])
    keys = {"description", "check_name", "fingerprint", "severity", "location"}
    assert [keys] * len(findings) == [set(issue) for issue in issues]
    assert len(findings) == len({issue["fingerprint"] for issue in issues})
    assert {"info", "minor", "major", "critical", "blocker"} >= {i["severity"] for i in issues}
    assert all({"path", "lines"} == set(i["location"]) for i in issues)


def test_metrics_are_openmetrics(change: Change) -> None:
    """A type before each sample, a number in each, and the end said."""
    *lines, end = change.forms["metrics"].splitlines()
    assert "# EOF" == end
    values = {}
    for kind, sample in zip(lines[::2], lines[1::2], strict=True):
        found = re.fullmatch(
            r'(mcuplan_\w+)\{model="kws\.onnx",target="([\w-]+)"\} ([0-9.e+-]+)', sample
        )
        assert found is not None
        assert f"# TYPE {found[1]} gauge" == kind
        values[found[1]] = float(found[3])
    report = json.loads(change.forms["json"])
    assert (0, report["ram"]["total_bytes"]) == (
        values["mcuplan_fits"],
        values["mcuplan_ram_bytes"],
    )
    assert plain(_BOARD, unicode=True) in lines[1]
