# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mcuplan import commands
from mcuplan.cli import run
from mcuplan.options import bundling
from mcuplan.options.keywords import from_keywords
from mcuplan.packages import Product
from mcuplan.prove import joint as prove_joint_module
from mcuplan.prove.joint import prove_joint
from mcuplan.record.schema import joint_schema

MODELS = Path(__file__).resolve().parents[2] / "models"
DIGITS, GESTURE = MODELS / "digits_dscnn", MODELS / "imu_gesture_cnn"
NAMES = ("digits_dscnn", "imu_gesture_cnn")
BOTH = "digits_dscnn,imu_gesture_cnn"

_QUICK = ("--calibration", "random", "--streaming", "off", "--effort", "fast")


def _bundle(folder: Path, *more: str, models: tuple[Path, ...] = (DIGITS, GESTURE)) -> int:
    files = [str(path / "model.onnx") for path in models]
    asked = ["bundle", *files, "-t", "nucleo-f446re", "-o", str(folder), "-q", *_QUICK]
    return run([*asked, *more])


def _report(folder: Path, name: str = "") -> dict[str, Any]:
    found = json.loads((folder / f"{name or folder.name}.report.json").read_bytes())
    assert isinstance(found, dict)
    return found


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models in memory of their own and in one arena: ``own`` and ``shared``."""
    place = tmp_path_factory.mktemp("bundles")
    assert 0 == _bundle(place / "own")
    assert 0 == _bundle(place / "shared", "--exclusive", BOTH, "--package", "make,cmake")
    return place


def test_exclusive_models_share_and_others_add(folders: Path) -> None:
    """Arena and stack are the largest of a group, else the sum; constants add, kernels do not."""
    own, shared = _report(folders / "own"), _report(folders / "shared")
    each = [_report(folders / "own", name) for name in NAMES]
    for what in ("arena_bytes", "stack_bytes"):
        parts = [one["ram"][what] for one in each]
        assert sum(parts) == own["ram"][what]
        assert max(parts) == shared["ram"][what]
    assert [8, 8] == [told["ram"]["static_bytes"] for told in (own, shared)]
    for what in ("weights_bytes", "tables_bytes"):
        assert sum(one["flash"][what] for one in each) == own["flash"][what]
    assert own["flash"] == shared["flash"]
    assert own["flash"]["code_bytes"] < sum(one["flash"]["code_bytes"] for one in each)
    assert own["saved_flash_bytes"] > 0 == own["saved_ram_bytes"]
    for told in (own, shared):
        assert "mcuplan.bundle/1" == told["schema"]
        jsonschema.validate(told, joint_schema())
        ram, flash = told["ram"], told["flash"]
        parts = ("arena_bytes", "io_bytes", "static_bytes", "stack_bytes")
        assert ram["total_bytes"] == sum(ram[part] for part in parts)
        used = {region["name"]: region["used_bytes"] for region in told["regions"]}
        assert {"sram": ram["total_bytes"], "flash": flash["total_bytes"]} == used


def test_one_budget_decides(tmp_path: Path) -> None:
    """What is too much for models apart fits where they share; each alone fits in both cases."""
    asked = ("--max-ram", "3000", "--streaming", "auto")
    assert 1 == _bundle(tmp_path / "own", *asked)
    told = _report(tmp_path / "own")
    assert "over" == told["verdict"]["status"]
    (finding,) = (f for f in told["verdict"]["findings"] if f["severity"] == "error")
    assert "ram/over-budget" == finding["code"]
    assert f"--exclusive {BOTH}" in finding["hint"]
    statuses = [_report(tmp_path / "own", name)["verdict"]["status"] for name in NAMES]
    assert ["fits", "fits"] == statuses
    assert 0 == _bundle(tmp_path / "shared", *asked, "--exclusive", BOTH)
    assert 3000 == _report(tmp_path / "shared")["ram"]["budget_bytes"]


def test_growth_and_what_is_nearly_used_up(folders: Path, tmp_path: Path) -> None:
    """Against an earlier report of all: which model grew; shares and warnings are of all."""
    before = _report(folders / "own")
    digits = before["models"][0]
    digits["weights_bytes"] -= 100
    before["flash"]["weights_bytes"] -= 100
    before["models"][1]["name"] = "elsewhere"
    old, out = tmp_path / "old.json", tmp_path / "own"
    old.write_text(json.dumps(before))
    assert 1 == _bundle(out, "--baseline", str(old), "--warn-at", "3%", "--fail-on", "warning")
    found = _report(out)
    jsonschema.validate(found, joint_schema())
    said = {f["code"]: f for f in found["verdict"]["findings"] if f["severity"] == "error"}
    assert {"baseline/grew", "ram/near-budget", "flash/near-budget"} <= set(said)
    assert "grew against old.json: flash 100 B" == said["baseline/grew"]["message"]
    rows = {row["name"]: row["because"] for row in found["baseline"]["layers"]}
    assert "arena +0 B, constants +100 B" == rows["digits_dscnn"]
    assert ("new model", "model is gone") == (rows["imu_gesture_cnn"], rows["elsewhere"])
    old.write_text((folders / "own" / "digits_dscnn.report.json").read_text())
    assert 2 == _bundle(out, "--baseline", str(old))


def test_flash_has_one_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Over by the flash of both, which the report says on stdout; --exit-zero leaves it at that."""
    asked = ("--max-flash", "20K", "-f", "json", "--exit-zero")
    assert 0 == _bundle(tmp_path / "a", *asked)
    told = _report(tmp_path / "a")
    assert {"over"} == {told["verdict"]["status"]}
    assert "flash/over-budget" in {finding["code"] for finding in told["verdict"]["findings"]}


def test_the_report_keeps_to_the_screen(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text for people has at most 80 columns, and says what sharing is worth."""
    files = [str(path / "model.onnx") for path in (DIGITS, GESTURE)]
    asked = ["bundle", *files, "-t", "nucleo-f446re", "-o", str(tmp_path / "a"), *_QUICK]
    assert 0 == run([*asked, "--exclusive", BOTH])
    lines = capsys.readouterr().out.splitlines()
    assert [] == [line for line in lines if len(line) > 80]
    saved = _report(folders / "shared")["saved_ram_bytes"]
    assert any(line.startswith(f" shared {saved:,} B of RAM") for line in lines)


def test_the_folder_is_the_same_bytes_again(folders: Path, tmp_path: Path) -> None:
    """Two runs, two folders of one name: the same files."""
    assert 0 == _bundle(tmp_path / "shared", "--exclusive", BOTH, "--package", "make,cmake")
    assert _tree(folders / "shared") == _tree(tmp_path / "shared")


def test_kernels_are_there_once(folders: Path) -> None:
    """A kernel has one file, whoever calls it; every model stands in the bill of materials."""
    names = [path.name for path in (folders / "own").rglob("mplan_*.c")]
    assert len(names) == len(set(names)) > 0
    bill = json.loads((folders / "own" / "own.cdx.json").read_bytes())
    models = [p["bom-ref"] for p in bill["components"] if p["type"] == "machine-learning-model"]
    assert [f"model:{name}" for name in NAMES] == models


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_is_strict_c_and_cpp(
    language: str, folders: Path, tmp_path: Path, host_gcc: str
) -> None:
    """The memory of all, and a context of each, without a warning in both languages."""
    compiler = host_gcc if language == "c" else shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no compiler of C++ is installed")
    text = '#include "shared.h"\nint main(void)\n{\n    static shared_sram_t memory;\n\n'
    text += "".join(f"    (void)shared_{name}(&memory);\n" for name in NAMES)
    (tmp_path / "main.c").write_text(f"{text}    return 0;\n}}\n")
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror"]
    include = f"-I{folders / 'shared' / 'src'}"
    command = [compiler, "-x", language, *flags, include, "-c", "main.c", "-o", "main.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


# --- what is linked ----------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--streaming", "input", "-t", "stm32h743")])
def test_the_image_is_the_plan(
    more: tuple[str, ...], tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """Linked together constants and arenas are those planned, and both models run in turn."""
    assert 0 == _bundle(tmp_path / "both", "--exclusive", BOTH, "--build", *more)
    told = _report(tmp_path / "both")
    assert {"core", "elf_agrees", "equal_to_reference"} == told["proof"].keys()
    assert told["proof"]["elf_agrees"]
    assert told["proof"]["equal_to_reference"]
    assert "measured" == told["flash"]["code_origin"] == told["ram"]["stack_origin"]


@pytest.fixture(scope="module")
def joint() -> tuple[Any, Product]:
    """Both models, with what they must give."""
    kept: list[tuple[Any, Product]] = []

    def keep(*both: Any) -> Any:
        kept.append(both)
        raise LookupError

    given = {"target": "cortex-m4", "exclusive": [BOTH], "streaming": "off", "build": True}
    options = {**from_keywords(bundling, given, ""), "calibrations": ("random",)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "prove_joint", keep)
        patch.setattr(commands, "measure", lambda *_: None)
        with pytest.raises(LookupError):
            commands.bundle([DIGITS / "model.onnx", GESTURE / "model.onnx"], "both", options)
    return kept[0]


def test_another_arena_is_found(joint: tuple[Any, Product], arm_gcc: str, qemu: str) -> None:
    """A plan that says more than is linked is drift, in words and in the proof."""
    code, product = joint
    ((member, nbytes),) = code.regions
    ran = prove_joint(replace(code, regions=((member, nbytes + 4),)), product)
    assert not ran.proof.elf_agrees
    assert ran.proof.equal_to_reference
    assert ["elf/drift"] == [finding.code for finding in ran.findings]


def test_another_value_is_found(joint: tuple[Any, Product], arm_gcc: str, qemu: str) -> None:
    """A model that gives another value than the reference fails the proof."""
    code, product = joint
    first, second = product.models
    assert second.sample is not None
    wrong = replace(second.sample, outputs=tuple(array ^ 1 for array in second.sample.outputs))
    ran = prove_joint(code, replace(product, models=(first, replace(second, sample=wrong))))
    assert ran.proof.elf_agrees
    assert not ran.proof.equal_to_reference
    assert "verify/equal" in {finding.code for finding in ran.findings}


def test_a_kernel_that_is_not_there_once_is_found(joint: tuple[Any, Product]) -> None:
    """Kernels that the image lacks are drift, each by its name."""
    code, _ = joint
    kernels = {p.stem for p in code.files if p.parts[0] == "mplan" and p.suffix == ".c"}
    drift = list(prove_joint_module._drift(code, _linked(code)))
    assert kernels == {line.split()[1].rstrip(":") for line in drift}


def _linked(code: Any) -> Any:
    """A report of an image in which nothing was linked but the arenas."""

    class _Arena:
        nbytes = code.regions[0][1]

    class _Report:
        symbols = ()
        data_bytes = 0
        arenas = (_Arena,)

    return _Report


# --- names, states, wrong usage ----------------------------------------------------------------


def test_names_that_collide_are_told_apart(tmp_path: Path, host_gcc: str) -> None:
    """Equal names, and names that begin the names of another model, link and run."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    files = []
    for name in ("a/kws.onnx", "b/kws.onnx", "kws_input.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        files.append(str(shutil.copy(DIGITS / "model.onnx", tmp_path / name)))
    folder = tmp_path / "kws"
    asked = ["bundle", *files, "-t", "cortex-m4", "--backend=c99", "--package", "make", "-q"]
    asked += [*_QUICK, "-o", str(folder)]
    assert 0 == run([*asked, "--exclusive", f"{files[0]},kws_input"])
    (report,) = (p for p in folder.glob("*.report.json") if b"mcuplan.bundle" in p.read_bytes())
    told = json.loads(report.read_bytes())
    assert ["kws", "kws2", "kwsinput"] == [model["name"] for model in told["models"]]
    assert [["kws", "kwsinput"], ["kws2"]] == told["groups"]
    assert told["name"] not in {"kws", "kws2", "kwsinput"}
    done = subprocess.run(
        [make, "-s", "-C", str(folder), "run-here"], capture_output=True, text=True
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "all values as expected" in done.stdout


def test_a_state_shares_no_arena(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another model would overwrite it between calls; apart from it it is billed once."""
    models = (MODELS / "vowels_stream", DIGITS)
    assert 2 == _bundle(tmp_path / "a", "--exclusive", "vowels_stream,digits_dscnn", models=models)
    assert "keeps a state" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert 0 == _bundle(tmp_path / "b", models=models)
    told, alone = _report(tmp_path / "b"), _report(tmp_path / "b", "vowels_stream")
    assert alone["ram"]["state_bytes"] == told["ram"]["state_bytes"] > 0
    assert told["ram"]["total_bytes"] == sum(model["ram_bytes"] for model in told["models"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--exclusive", "digits_dscnn,nobody"), "no model 'nobody'"),
        (("--exclusive", "digits_dscnn,digits_dscnn"), "named twice"),
        (("--exclusive", BOTH, "--exclusive", BOTH), "named twice"),
        (("--calibration", "other.npz"), "two calibrations of all models"),
        (("--format", "html"), "--format json"),
    ],
)
def test_wrong_usage_is_said(
    more: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that no model has, one that is given twice, and formats that there are not."""
    assert 2 == _bundle(tmp_path / "a", *more)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_errors_name_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several models the one that cannot be read is named."""
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    asked = ["bundle", str(DIGITS / "model.onnx"), str(tmp_path / "bad.onnx"), "-t", "cortex-m4"]
    assert 3 == run([*asked, "--calibration", "random", "-o", str(tmp_path / "a")])
    assert "where: bad" in capsys.readouterr().err
    assert 2 == run(
        ["bundle", str(DIGITS / "model.onnx"), "-t", "cortex-m4", "-o", str(tmp_path / "a")]
    )
    assert "--calibration digits_dscnn=DATA.npz" in capsys.readouterr().err
