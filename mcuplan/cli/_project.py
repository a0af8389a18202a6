# SPDX-License-Identifier: Apache-2.0
"""What a folder has that mcuplan is of use to, and the files that say so to it and to a CI."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Project", "found_project", "project_files"]

_NOT_OURS = frozenset(
    {"build", "dist", "node_modules", "venv", "site-packages", "managed_components"}
)
_MOST_FOLDERS, _MOST_MODELS = 5_000, 20
_GITHUB = Path(".github/workflows/mcuplan.yml")
_GITLAB = Path(".gitlab/mcuplan-ci.yml")


@dataclass(frozen=True, slots=True)
class Project:
    """Models and samples by their paths from the folder, and the hosts whose files are there."""

    models: tuple[str, ...]
    samples: Mapping[str, str]
    target: str
    hosts: tuple[str, ...]

    def advice(self, hosts: Sequence[str]) -> Iterator[str]:
        """What is left to do."""
        if not self.target:
            yield "name a target in mcuplan.toml: mcuplan targets list"
        model = _word(self.models[0]) if self.models else "MODEL"
        yield f"then: mcuplan check {model}"
        if "gitlab" in (hosts or self.hosts):
            yield f"add to .gitlab-ci.yml: include: [{{local: {_GITLAB.as_posix()}}}]"


def found_project(folder: Path, target: str | None) -> Project:
    """Look for models below a folder, bounded, without following links."""
    models, data = list[str](), set[str]()
    for count, (at, folders, files) in enumerate(os.walk(folder)):
        if count >= _MOST_FOLDERS:
            break
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _NOT_OURS)
        for name in sorted(files):
            path = (Path(at) / name).relative_to(folder).as_posix()
            if name.endswith(".onnx") and path.isprintable() and len(models) < _MOST_MODELS:
                models.append(path)
            elif name.endswith(".npz") and path.isprintable():
                data.add(path)
    samples = {m: found for m in models if (found := _samples(m, data))}
    there = {"github": ".github", "gitlab": ".gitlab-ci.yml"}
    hosts = tuple(host for host, name in there.items() if (folder / name).exists())
    return Project(tuple(models), samples, target or _board(folder), hosts)


def _samples(model: str, data: set[str]) -> str:
    """The samples that lie beside a model under its name, or as calibration data."""
    path = Path(model)
    names = (f"{path.stem}.npz", "calibration.npz")
    return next((p for n in names if (p := path.with_name(n).as_posix()) in data), "")


def _board(folder: Path) -> str:
    """The target whose board the project builds for; empty where that is not known."""
    from mcuplan.targets import list_targets, load_target

    try:
        text = (folder / "platformio.ini").read_text(encoding="utf-8")[: 1 << 20]
    except (OSError, UnicodeDecodeError):
        return ""
    boards = set(re.findall(r"(?m)^\s*board\s*=\s*([\w-]+)", text))
    found = [
        name for name in list_targets() if load_target(name).boards.get("platformio") in boards
    ]
    return found[0] if len(found) == 1 else ""


def project_files(project: Project, hosts: Sequence[str]) -> dict[Path, str]:
    """Files by path: the configuration, and jobs for the hosts asked for or found."""
    wanted = hosts or project.hosts
    files = {Path("mcuplan.toml"): _configuration(project)}
    models = " ".join(map(_word, project.models or ("MODEL.onnx",)))
    if "github" in wanted:
        files[_GITHUB] = _WORKFLOW.replace("@MODELS@", models)
    if "gitlab" in wanted:
        files[_GITLAB] = _JOB.replace("@MODELS@", models)
    return files


def _word(path: str) -> str:
    """A path as a word of a job's script: no option, and no expression, which hosts fill in first.

    Shells join the pieces of a word; ``${{`` and ``$[[`` are such where they stand together.
    """
    quoted = shlex.quote(f"./{path}" if path.startswith("-") else path)
    return re.sub(r"\$(?=\{\{|\[\[)", "$''", quoted)


def _configuration(project: Project) -> str:
    named = project.target
    lines = [_HEAD, f"target = {json.dumps(named)}" if named else '# target = "nucleo-f411re"']
    lines.append(_BUDGETS)
    for model in project.models:
        lines.append(f"[models.{json.dumps(model)}]")
        data = project.samples.get(model)
        lines.append(f"calibration = {json.dumps(data)}" if data else '# calibration = "data.npz"')
        lines.append('# max-latency = "50ms"\n')
    return "\n".join(lines).rstrip("\n") + "\n"


_HEAD = """\
# What mcuplan does where no option says otherwise; every long option of `mcuplan check` is a key.
# Options beat environment variables (MCUPLAN_MAX_RAM), these beat this file.

# Chip or board: mcuplan targets list, or the path of a file of your own."""

_BUDGETS = """
# Budgets of every model; those of one model stand in its table below.
[budget]
# max-ram = "64K"
# max-flash = "256K"
# max-region = { sram = "48K" }
# warn-at = "90%"               # a budget that is used so far is a warning
# fail-on = ["growth=512"]      # with --baseline: bytes by which RAM or flash may grow
"""

_STEPS = """\
for model in @MODELS@; do
  name=$(printf %s "$model" | tr -c 'A-Za-z0-9\\n' _)
  if [ -f "$base/$model" ]; then
    cp -n mcuplan.toml "$base/" || true
    (cd "$base" && mcuplan check "$model" --quiet --exit-zero \\
      --report "json=$reports/$name.base.json") || rm -f "$reports/$name.base.json"
  fi
  set -- "$model"
  if [ -f "$reports/$name.base.json" ]; then
    set -- "$@" --baseline "$reports/$name.base.json" --fail-on growth
  fi
"""


def _indented(text: str, width: int) -> str:
    return "".join(f"{' ' * width}{line}\n" for line in text.splitlines())


_WORKFLOW = f"""\
# Says in a pull request whether models still fit, what grew, and which change made it grow.
name: mcuplan
on: pull_request
jobs:
  mcuplan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: python3 -m pip install mcuplan
      - env: {{BASE: "${{{{ github.base_ref }}}}"}}
        run: |
          git fetch --quiet --depth=1 origin "$BASE"
          reports=$(mktemp -d) base=$(mktemp -d)/base status=0
          git worktree add --quiet --detach "$base" FETCH_HEAD
{_indented(_STEPS, 10)}\
            mcuplan check "$@" --format github --report "markdown=$reports/comment.md" || status=1
            cat "$reports/comment.md" >> "$GITHUB_STEP_SUMMARY"
          done
          exit "$status"
"""

_JOB = f"""\
# Says in a merge request whether models still fit, what grew, and which change made it grow.
mcuplan:
  image: python:3.12
  rules: [{{if: $CI_MERGE_REQUEST_ID}}]
  script:
    - python3 -m pip install mcuplan
    - |
      git fetch --quiet --depth=1 origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
      mkdir -p mcuplan-reports; reports=$PWD/mcuplan-reports
      base=$(mktemp -d)/base; status=0
      git worktree add --quiet --detach "$base" FETCH_HEAD
{_indented(_STEPS, 6)}\
        mcuplan check "$@" --report "gitlab=$reports/$name.quality.json" \\
          --report "junit=$reports/$name.xml" --report "metrics=$reports/$name.txt" || status=1
      done
      exit "$status"
  artifacts:
    when: always
    reports:
      junit: mcuplan-reports/*.xml
      metrics: mcuplan-reports/*.txt
      codequality: mcuplan-reports/*.quality.json
"""
