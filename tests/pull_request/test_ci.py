# SPDX-License-Identifier: Apache-2.0
"""The action, the template, the hook and the fixture do what a CI makes of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from published import must_be
from sample_repository import git, sample_model, sample_repository
from small_nets import small_net

import mcuplan
from mcuplan.cli import run
from mcuplan.cli.hook import hook

yaml = pytest.importorskip("yaml")

_ROOT = Path(__file__).resolve().parents[2]
_GIVEN = {"model": "kws.onnx", "target": "nucleo-f411re", "base-ref": "main", "install": ""}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose branch ``wider`` is checked out, as a CI has it."""
    for program in ("git", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    (tmp_path / "origin").mkdir()
    sample_repository(tmp_path / "origin", sample_model(56), sample_model(64))
    git(tmp_path, "clone", "-q", "--branch", "wider", "origin", "clone")
    return tmp_path / "clone"


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """That of a run: this mcuplan as a program, and what the host sets."""
    programs = folder.parent / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "mcuplan"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mcuplan "$@"\n')
    program.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MCUPLAN_")}
    root = str(Path(mcuplan.__file__).resolve().parents[1])
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": root, **more}


def _bash(script: str, folder: Path, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A step as GitHub's runner and GitLab's call bash."""
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    environment = _environment(folder, more)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def _action(folder: Path, **given: str) -> tuple[int, str, dict[str, str]]:
    """Status and output of the last step, and the outputs of the action."""
    action = yaml.safe_load((_ROOT / "action.yml").read_text(encoding="utf-8"))
    must_be("action", action)
    inputs = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in {**_GIVEN, **given}.items()}
    files = {name: folder.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    status, said = 0, ""
    for step in action["runs"]["steps"]:
        assert {"name", "shell", "run", "env"} <= set(step)
        assert "${{" not in step["run"]  # what an input says is no code
        env = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)
            for name, text in step["env"].items()
        }
        assert "${{" not in "".join(env.values())
        done = _bash(step["run"], folder, {**env, **{k: str(v) for k, v in files.items()}})
        status, said = done.returncode, done.stdout + done.stderr
        if status:
            break
    made = files["GITHUB_OUTPUT"]
    lines = made.read_text().splitlines() if made.exists() else []
    outputs = dict(line.split("=", 1) for line in lines)
    wanted = {name: each["value"] for name, each in action["outputs"].items()}
    assert {f"${{{{ steps.check.outputs.{name} }}}}" for name in outputs} <= set(wanted.values())
    return status, said, outputs


def test_the_action_fails_on_growth(clone: Path) -> None:
    """Annotations on stdout, the comment in the summary and in a file, the base from its branch."""
    status, said, outputs = _action(clone)
    assert 1 == status, said
    assert "::error file=kws.onnx,title=mcuplan baseline/grew::" in said
    comment = (clone / outputs["comment"]).read_text()
    assert "**conv2 output channels 56 -&#62; 64**: RAM +" in comment
    assert comment == (clone.parent / "GITHUB_STEP_SUMMARY").read_text()
    assert "2.1.0" == json.loads((clone / outputs["sarif"]).read_text())["version"]
    assert "" == git(clone, "status", "--porcelain", "--untracked-files=no")
    assert 1 == git(clone, "worktree", "list").count("\n")


def test_the_action_lets_growth_pass(clone: Path) -> None:
    """With growth allowed, options of several words, and the report of before as baseline."""
    assert 0 == _action(clone, fail_on="growth=1M", options="--effort fast --max-ram 64K")[0]
    report = json.loads((clone / "mcuplan-reports" / "report.json").read_text())
    assert 65536 == report["ram"]["budget_bytes"]
    shutil.copy(clone / "mcuplan-reports" / "report.json", clone / "kept.json")
    assert 0 == _action(clone, baseline="kept.json", options="--effort fast")[0]


def test_the_action_writes_no_output_of_anothers_name(clone: Path) -> None:
    """A folder's name of two lines would be an output of its own: it is refused."""
    status, said, outputs = _action(clone, reports="kept\nsarif=other", base_ref="")
    assert (2, {}) == (status, outputs)
    assert "::error::reports:" in said


def test_the_action_checks_a_model_that_is_new(clone: Path) -> None:
    """Without a report of before nothing grew; budgets count."""
    (clone / "kws.onnx").rename(clone / "new.onnx")
    status, said, _ = _action(clone, model="new.onnx", options="--max-ram 1K")
    assert 1 == status
    assert "ram/over-budget" in said


def test_the_template_of_gitlab(clone: Path) -> None:
    """The job fails on growth and leaves what it declares as artifacts."""
    template = yaml.safe_load((_ROOT / ".gitlab" / "mcuplan.yml").read_text(encoding="utf-8"))
    must_be("gitlab", template)
    job = template[".mcuplan"]
    given = {"MODEL": "kws.onnx", "TARGET": "nucleo-f411re", "INSTALL": ""}
    given["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] = "main"
    script = "\n".join([*job["before_script"], *job["script"]])
    done = _bash(script, clone, {**job["variables"], **given})
    assert 1 == done.returncode, done.stderr
    assert "because conv2 output channels 56 -> 64" in done.stdout
    folder = job["variables"]["REPORTS"]
    declared = [*job["artifacts"]["reports"].values(), *job["artifacts"]["paths"]]
    assert [] == [p for p in declared if not (clone / p.replace("$REPORTS", folder)).exists()]


def test_the_hook_checks_every_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pre-commit gives options and all models; the gravest answer counts."""
    hooks = yaml.safe_load((_ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    must_be("hooks", hooks)
    (hooked,) = hooks
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "mcuplan.cli.hook:main" == project["scripts"][hooked["entry"]]
    assert re.search(hooked["files"], "models/net.onnx")
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        small_net().save(tmp_path / f"{name}.onnx")
    Path("mcuplan.toml").write_text('target = "cortex-m4"\n[models."b.onnx"]\nmax-ram = "4K"\n')
    assert 0 == hook(["-q", "a.onnx", "b.onnx"])
    Path("mcuplan.toml").write_text('target = "cortex-m4"\n[models."b.onnx"]\nmax-ram = 100\n')
    assert [0, 1, 1] == [hook(["-q", *n]) for n in (["a.onnx"], ["b.onnx"], ["b.onnx", "a.onnx"])]
    assert 2 == hook(["-q", "b.onnx", "missing.onnx"])
    assert 0 == hook([])


_TEST = """
import sys

def test_nothing_is_loaded():
    assert not [m for m in sys.modules if m.startswith("mcuplan.") and "plugin" not in m]
    assert "onnx" not in sys.modules

def test_fits(assert_fits):
    assert assert_fits("net.onnx", "nucleo-f446re", max_ram="64K").ram.total_bytes < 65536

def test_does_not(assert_fits):
    assert_fits("net.onnx", "nucleo-f446re", max_ram=100)
"""


def test_the_fixture_of_pytest(tmp_path: Path) -> None:
    """The message of a failed test is what the report says; others load nothing."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plugin = project["entry-points"]["pytest11"]["mcuplan"]
    small_net().save(tmp_path / "net.onnx")
    (tmp_path / "test_net.py").write_text(_TEST)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin]
    given = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*words, "test_net.py"],
        cwd=tmp_path,
        env=_environment(tmp_path, given),
        capture_output=True,
        text=True,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "net.onnx on nucleo-f446re" in done.stdout
    assert re.search(r"ram/over-budget: RAM over by [\d,]+ B: [\d,]+ B of 100 B", done.stdout)


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_what_init_writes_runs(host: str, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job for a project fails on growth and shows what grew."""
    monkeypatch.chdir(clone)
    assert 0 == run(["init", "--target", "nucleo-f411re", "--ci", host])
    summary = clone.parent / "summary.md"
    given = {"BASE": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    if host == "github":
        made = yaml.safe_load((clone / ".github" / "workflows" / "mcuplan.yml").read_text())
        must_be("workflow", {"on" if key is True else key: value for key, value in made.items()})
        script = made["jobs"]["mcuplan"]["steps"][-1]["run"]
    else:
        made = yaml.safe_load((clone / ".gitlab" / "mcuplan-ci.yml").read_text())
        must_be("gitlab", made)
        made = made["mcuplan"]
        script = made["script"][-1]
    done = _bash(script, clone, {**given, "GITHUB_STEP_SUMMARY": str(summary)})
    assert 1 == done.returncode, done.stderr
    assert "conv2 output channels 56 -> 64" in done.stdout
    if host == "github":
        assert "**conv2 output channels 56 -&#62; 64**" in summary.read_text()
    else:
        reports = made["artifacts"]["reports"].values()
        assert [] == [pattern for pattern in reports if not list(clone.glob(pattern))]


def test_the_page_shows_what_hosts_take() -> None:
    """Every job of docs/pull-requests.md is what the schema of its host says."""
    page = (_ROOT / "docs" / "pull-requests.md").read_text(encoding="utf-8")
    kinds = {"jobs": "workflow", "include": "gitlab", "repos": "hook use"}
    shown = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = []
    for text in shown:
        job = {"on" if key is True else key: part for key, part in yaml.safe_load(text).items()}
        found += [kind for key, kind in kinds.items() if key in job]
        must_be(found[-1], job)
    assert set(kinds.values()) == set(found)
