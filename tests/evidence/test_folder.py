# SPDX-License-Identifier: Apache-2.0
"""Evidence of the smallest model: complete, the same bytes anywhere, safe against strangers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from typing import Any

import jsonschema
import pytest

from mcuplan.backends import kernels_for
from mcuplan.cli import run
from mcuplan.errors import EvidenceError
from mcuplan.evidence import Answer, edges, reproduce, structural
from mcuplan.prove import coverage
from mcuplan.record.schema import report_schema
from mcuplan.targets import load_target

_MODELS = Path(__file__).resolve().parents[2] / "models" / "digits_dscnn"
_PAGE = (_MODELS.parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
_SCHEMA = Path(structural.__file__).with_name("evidence.schema.json")
_P = PurePosixPath


@pytest.fixture(scope="session")
def tools() -> None:
    """Skips where a tool is missing."""
    for name in ("gcc", "gcov", "cppcheck", "arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed: tests/run.sh installs it")


@pytest.fixture(scope="session")
def folder(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As docs/evidence.md has it, with few layers beside the model's own, which is quick."""
    work = tmp_path_factory.mktemp("evidence")
    shutil.copytree(_MODELS, work / "models" / "digits_dscnn")
    command, _, _ = _PAGE.split("```sh\n")[1].partition("\nmcuplan reproduce")
    words = shlex.split(command.replace("\\\n", " "))
    at = words.index("--objective")
    assert ("mcuplan", "evidence", "ram") == (*words[:2], words[at + 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setattr(edges, "_PER_KERNEL", 2)
        patch.setenv("MCUPLAN_OBJECTIVE", "ram")
        assert run([*words[1:at], *words[at + 2 :], "-q"]) in (0, 1)  # few layers leave branches
    return work / "evidence"


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="ascii"))


def _files(folder: Path) -> Mapping[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_page_names_every_file(folder: Path) -> None:
    """docs/evidence.md says what each file answers, and names no other."""
    rows = re.findall(r"^\| (`.*`) \| ", _PAGE, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert {f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()} == set(
        named
    )


def test_files_are_what_their_schemas_say(folder: Path) -> None:
    """Each JSON file of the folder has one, report.json that of reports; no more are there."""
    schema = json.loads(_SCHEMA.read_text(encoding="ascii"))
    named = {name for name in schema["$defs"] if name.endswith(".json")}
    assert {path.name for path in folder.glob("*.json")} - {"report.json"} == named
    for name in named:
        jsonschema.validate(_json(folder, name), {"$ref": f"#/$defs/{name}", **schema})
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({}, {"$ref": f"#/$defs/{name}", **schema})
    jsonschema.validate(_json(folder, "report.json"), report_schema())


def test_every_file_has_its_hash_and_its_line(folder: Path) -> None:
    """SHA256SUMS names every other file, and README.md says what each is."""
    files = _files(folder)
    lines = files.pop("SHA256SUMS").decode().splitlines()
    assert {f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in files.items()} == set(
        lines
    )
    page = files["README.md"].decode()
    assert all(f"`{_P(name).parts[0]}" in page for name in files if name != "README.md")


def test_options_are_recorded_wherever_they_came_from(folder: Path) -> None:
    """An environment variable is an option; files are those of the folder."""
    words = _json(folder, "arguments.json")["words"]
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    assert "ram" == pairs["--objective"]
    assert "data/calibration/calibration.npz" == pairs["--calibration"]
    assert (_MODELS / "test.npz").read_bytes() == (folder / pairs["--inputs"]).read_bytes()


def test_layers_are_traced_to_bytes(folder: Path) -> None:
    """Every step has a kernel with an address, and the CSV is the JSON."""
    rows = _json(folder, "trace.json")["rows"]
    steps = [step["step"] for step in _json(folder, "plan.json")["steps"]]
    kernels = {row["step"] for row in rows if row["role"] == "kernel" and row["bytes"]}
    assert set(steps) == kernels
    table = list(csv.DictReader(io.StringIO((folder / "trace.csv").read_text("utf-8"))))
    assert [row["symbol"] for row in rows] == [row["symbol"] for row in table]
    linked = {s["name"]: s["bytes"] for s in _json(folder, "report.json")["build"]["symbols"]}
    constants = {r["symbol"]: r["bytes"] for r in rows if r["role"] in ("weights", "tables")}
    assert constants == {name: linked[name] for name in constants}
    functions = {r["symbol"] for r in rows if r["role"] in ("kernel", "entry")}
    assert functions <= linked.keys()


def test_bounds_are_those_of_the_report(folder: Path) -> None:
    """Stack as measured; each call of a step is counted; nothing allocates or calls itself."""
    bounds, report = _json(folder, "bounds.json"), _json(folder, "report.json")
    assert bounds["stack"]["bytes"] == report["ram"]["stack_bytes"]
    assert bounds["worst_cycles"] is None or bounds["worst_cycles"] >= bounds["cycles"]
    assert all(step["loops"]["call"] == step["calls"] for step in bounds["steps"])
    assert not bounds["dynamic_memory"]
    assert not bounds["recursion"]


def test_kernels_are_covered_on_both_machines(folder: Path) -> None:
    """The target's own kernels are counted, too; what is not reached is listed with a reason."""
    host, core = _json(folder, "coverage.json")["places"]
    assert host["outputs_equal_reference"]
    assert core["outputs_equal_reference"]
    assert any(one["file"].endswith("_dsp.c") for one in core["files"])
    for place in (host, core):
        reached, whole, _ = place["called_kernels"]["statements"]
        missing = [u for u in place["unreached"] if not u["ran"] and "mplan/" in u["file"]]
        assert whole - reached == len(missing)
        assert all(u["reason"] for u in place["unreached"])
        for name, (reached, whole, percent) in place["called_kernels"].items():
            told = [u for u in place["unreached"] if not u["reachable"] and "mplan/" in u["file"]]
            shut = sum(
                len(u["branches_not_taken"]) if name == "branches" else not u["ran"] for u in told
            )
            assert [reached, whole - shut] == place["reachable"][name][:2]
            assert percent <= place["reachable"][name][2]
        assert place["called_kernels"]["statements"][2] > 80
        assert place["called_kernels"]["branches"][2] > 70


def test_rules_are_kept_or_recorded(folder: Path) -> None:
    """No mandatory or required rule is broken without a record; advisory ones are listed."""
    rules = _json(folder, "misra.json")
    assert 0 == rules["open"]
    assert {"required", "advisory"} <= {rule["category"] for rule in rules["rules"]}
    accepted = {r["rule"] for r in rules["rules"] if any(p["accepted"] for p in r["places"])}
    assert accepted == {d["rule"] for d in rules["deviations"] if d["used"]}


def test_operators_name_their_section(folder: Path) -> None:
    """Each operator of the code has a statement; those of the file have a section of ONNX."""
    record = _json(folder, "semantics.json")
    assert all(one["statement"] and one["meaning"]["integer"] for one in record["operators"])
    conv = next(one for one in record["operators"] if one["operator"] == "Conv2D")
    assert ["ai.onnx::Conv-11"] == conv["onnx"]


def test_no_place_is_in_it(folder: Path) -> None:
    """Neither the folder it was made in nor a home nor a temporary one."""
    names = (str(folder.parent), os.path.expanduser("~"), f"{gettempdir()}/", "mcuplan-")
    made = {n: d for n, d in _files(folder).items() if not n.startswith(("model/", "data/"))}
    assert "README.md" in made
    for name, data in made.items():
        assert not [place for place in names if place.encode() in data], name


@pytest.mark.slow
def test_another_folder_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Neither place, working folder, environment nor configuration has a say."""
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    monkeypatch.setattr(edges, "_PER_KERNEL", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCUPLAN_STREAMING", "input")
    (tmp_path / "mcuplan.toml").write_text('target = "cortex-m7"\n', encoding="utf-8")
    assert 0 == run(["reproduce", str(moved)])
    said = capsys.readouterr().out
    assert f"yes: {len(_files(folder))} files" in said
    assert said.endswith("\n")


def test_the_first_difference_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """With its place; versions of tools are told apart from it."""
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    source = next((moved / "sources" / "mplan").glob("*.c"))
    monkeypatch.setattr("mcuplan.evidence.remade.make_evidence", lambda *a: _as_made(folder))
    source.write_text(source.read_text("utf-8") + "\n", encoding="utf-8")
    tools = json.loads((moved / "tools.json").read_text("ascii"))
    (moved / "tools.json").write_text(json.dumps({**tools, "gcc": "gcc 1.0"}), encoding="ascii")
    assert 1 == run(["reproduce", str(moved)])
    said = capsys.readouterr()
    assert f"no: sources/mplan/{source.name} differs in line" in said.out
    assert "another version: gcc was gcc 1.0, is" in said.err
    source.unlink()
    assert f"sources/mplan/{source.name} is missing" == reproduce(moved).first
    shutil.rmtree(moved)
    shutil.copytree(folder, moved)
    assert Answer(len(_files(folder)), "", ()) == reproduce(moved)
    (moved / "more").write_bytes(b"")
    assert "more does not belong there" == reproduce(moved).first


class _Made:
    def __init__(self, files: Mapping[PurePosixPath, bytes]) -> None:
        self.files = files


def _as_made(folder: Path) -> Any:
    return _Made({_P(name): data for name, data in _files(folder).items()})


def _link(folder: Path) -> None:
    (folder / "model" / "more.onnx").symlink_to("/etc/passwd")


def _link_to_folder(folder: Path) -> None:
    (folder / "more").symlink_to("/etc")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "data" / "pipe")


def _large(folder: Path) -> None:
    with (folder / "data" / "large").open("wb") as file:
        file.truncate(3 << 30)


def _deep(folder: Path) -> None:
    (folder / "/".join(["a"] * 40)).mkdir(parents=True)


def _no_json(folder: Path) -> None:
    (folder / "arguments.json").write_bytes(b"[" * 100_000)


def _no_arguments(folder: Path) -> None:
    (folder / "arguments.json").unlink()


def _says(**changes: Any) -> Any:
    def change(folder: Path) -> None:
        table = {"schema": "mcuplan.evidence/1", "model": "model/model.onnx", "words": []}
        text = json.dumps({**table, **changes})
        (folder / "arguments.json").write_text(text, encoding="utf-8")

    return change


@pytest.mark.parametrize(
    "change",
    [
        _link,
        _link_to_folder,
        _pipe,
        _large,
        _deep,
        _no_json,
        _no_arguments,
        _says(model="../model.onnx"),
        _says(model="/etc/passwd"),
        _says(model="data/inputs/test.npz"),
        _says(model=7),
        _says(words={"a": 1}),
        _says(words=[["--target"]]),
        _says(words=["a\0b"]),
        _says(words=["\ud800"]),
        _says(words=["--name", "a\n::error::b"]),
        _says(words=["--calibration", "/etc/passwd"]),
        _says(words=["--calibration=/etc/passwd"]),
        _says(words=["--calibration", "data/calibration/../../../x.npz"]),
        _says(words=["--calibration-method", "minmax", "--inputs", "/dev/zero"]),
        _says(words=["-t", "/etc/t.toml"]),
        _says(words=["-t/etc/t.toml"]),
        _says(words=["--target", "there.toml"]),
        _says(words=["--calib", "/etc/passwd"]),
        _says(words=["--output", "/etc/x"]),
        _says(words=["--", "/etc/passwd"]),
        _says(words=["--max-ram", "many"]),
        _says(words=["--target"]),
        _says(words=["--baseline", "data/inputs/test.npz"]),
        _says(words=["--dump-after", "lower"]),
        _says(words=["--inputs", "data/calibration"]),
        _says(words=["--help"]),
    ],
)
def test_strange_folders_are_refused(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that nobody made with mcuplan gives a coded error before anything is made of it."""
    for name in ("model/model.onnx", "data/inputs/test.npz"):
        (tmp_path / "x" / name).parent.mkdir(parents=True)
        (tmp_path / "x" / name).write_bytes(b"nothing")
    (tmp_path / "x" / "arguments.json").write_text("{}", encoding="utf-8")
    change(tmp_path / "x")
    monkeypatch.setattr("mcuplan.evidence.remade.make_evidence", _must_not_run)
    with pytest.raises(EvidenceError):
        reproduce(tmp_path / "x")


def _must_not_run(*arguments: object) -> None:
    raise AssertionError("a stranger's folder was used")


def test_a_missing_tool_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Exit status 4 and the line that installs it."""
    for program, package in (("gcov", "gcc"), ("cppcheck", "cppcheck")):
        monkeypatch.setattr(
            "mcuplan.prove.toolchain.shutil.which",
            lambda name, gone=program: None if name == gone else f"/usr/bin/{name}",
        )
        with pytest.raises(Exception, match=f"{program} is not installed") as error:
            coverage.find_tool(program)
        assert f"apt-get install {package}" == error.value.hint  # type: ignore[attr-defined]
        assert 4 == error.value.exit_status  # type: ignore[attr-defined]


def test_a_folder_in_use_is_kept(tmp_path: Path) -> None:
    """Evidence is written into a new folder only."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x", encoding="utf-8")
    words = ["evidence", str(_MODELS / "model.onnx"), "-t", "cortex-m4", "-o"]
    assert 2 == run([*words, str(tmp_path / "out")])
    assert ["mine"] == os.listdir(tmp_path / "out")


def test_layers_are_made_for_every_kernel() -> None:
    """Of whatever operator a kernel is called: a copy serves those that only move bytes."""
    target = load_target("cortex-m4")
    every = kernels_for(frozenset(target.features), "c99").values()
    copies = [k for found in every for k in found if k.function == "mplan_copy_s8"]
    assert {"Literal", "Transpose"} <= {kernel.op.__name__ for kernel in copies}
    subject, inputs = next(edges.edge_layers(copies[:1], target))
    assert set(inputs) == {port.tensor for port in subject.graph.app_inputs}
