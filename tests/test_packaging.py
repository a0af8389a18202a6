# SPDX-License-Identifier: Apache-2.0
"""What users install: the wheel and the sdist, built from a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "mcuplan", "codegen", "targets")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
MODEL = ROOT / "models" / "digits_dscnn" / "model.onnx"
BUILD = "import sys; sys.path.insert(0, '.'); import setup as b; print({call})"


def _run(*argv: str, cwd: Path, **env: str) -> str:
    """Run Python without the checkout in reach and without a compiler on the path."""
    done = subprocess.run(
        [sys.executable, "-P", *argv],
        cwd=cwd,
        env={"PATH": str(cwd), "HOME": str(cwd), "LC_ALL": "C.UTF-8", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _build(sources: Path, hook: str) -> Path:
    (sources / "out").mkdir(exist_ok=True)
    code = BUILD.format(call=f"b.{hook}('out')")
    told = _run("-c", code, cwd=sources, PATH=os.environ["PATH"])
    return sources / "out" / told.splitlines()[-1]


def _files(folder: Path) -> dict[str, str]:
    """Checksums by path, without what differs between builds."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".so", ".pyd"} and path.name != "RECORD"
    }


def _unpack_wheel(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a package is built from."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def installed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer would."""
    return _unpack_wheel(_build(sources, "build_wheel"), tmp_path_factory.mktemp("installed"))


def test_a_compiler_is_asked_for_where_there_is_none(sources: Path) -> None:
    """The build requires a compiler as a package on a machine without one, and only there."""
    code = BUILD.format(call="b.has_compiler(), b.get_requires_for_build_wheel()")
    assert "False ['ziglang" in _run("-c", code, cwd=sources)
    assert "True []" in _run("-c", code, cwd=sources, PATH=os.environ["PATH"])


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed")
def test_cores_are_built_without_a_compiler(sources: Path, tmp_path: Path) -> None:
    """With nothing on the path, the compiler that came as a package builds cores that work."""
    code = BUILD.format(call="b.build_wheel('zig')")
    (sources / "zig").mkdir()
    wheel = sources / "zig" / _run("-c", code, cwd=sources).splitlines()[-1]
    folder = _unpack_wheel(wheel, tmp_path)
    table = "id,lower,upper,size\na,0,2,4\nb,1,3,4\n"
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    argv = ("-m", "mcuplan", "pack", "table.csv")
    assert "arena 8 B" in _run(*argv, cwd=tmp_path, PYTHONPATH=str(folder))


def test_a_checkout_without_cores_names_the_command(tmp_path: Path) -> None:
    """Where nothing was built, a command says so, with what builds it, and no traceback."""
    package = shutil.copytree(ROOT / "mcuplan", tmp_path / "mcuplan", ignore=LEFT_OUT)
    (tmp_path / "table.csv").write_text("id,lower,upper,size\na,0,2,4\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mcuplan", "pack", "table.csv"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "error[tool/not-built]" in done.stderr
    assert "python setup.py build_ext --inplace" in done.stderr
    assert "Traceback" not in done.stderr


def test_wheel_holds_every_source(sources: Path, installed: Path) -> None:
    """Modules, schema, kernels, templates, harness and targets are in the wheel, unchanged."""
    packed = _files(installed)
    expected = {
        f"mcuplan/{name}": text
        for name, text in _files(sources / "mcuplan").items()
        if not name.startswith(
            ("solvers/csrc/", "solvers/packing/csrc/", "solvers/rows/csrc/")
        )  # compiled where there is a compiler
    }
    for data in ("codegen", "targets"):
        found = _files(sources / data).items()
        expected |= {f"mcuplan/_data/{data}/{name}": text for name, text in found}
    sections = {name for name in packed if ".dist-info/" in name}
    assert expected == {name: packed[name] for name in packed if name not in sections}
    assert {"LICENSE", "codegen/LICENSE"} == {
        name.split("/licenses/")[1] for name in sections if "/licenses/" in name
    }


def test_sdist_builds_the_same_wheel(sources: Path, installed: Path, tmp_path: Path) -> None:
    """A wheel built from the sdist equals the wheel built from the repository."""
    with tarfile.open(_build(sources, "build_sdist")) as archive:
        archive.extractall(
            tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        )
    (unpacked,) = tmp_path.iterdir()
    again = _unpack_wheel(_build(unpacked, "build_wheel"), tmp_path / "again")
    assert _files(installed) == _files(again)


def test_installed_package_reads_its_own_data(installed: Path, tmp_path: Path) -> None:
    """Away from the repository, an installed mcuplan finds its targets and kernels in itself."""
    script = (
        "from mcuplan.resources import codegen_dir, targets_dir\n"
        "from mcuplan.targets import list_targets, load_target\n"
        "print(load_target('cortex-m4').name, len(list_targets()))\n"
        "print(codegen_dir()); print(targets_dir())\n"
    )
    told = _run("-c", script, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    data = installed.resolve() / "mcuplan" / "_data"
    count = len(list((ROOT / "targets").glob("*.toml")))
    assert [f"cortex-m4 {count}", str(data / "codegen"), str(data / "targets")] == told


def test_installed_command_checks_a_model(installed: Path, tmp_path: Path) -> None:
    """From any directory and without a compiler, the installed command checks a model and
    writes a page.
    """
    script = (
        "import sys; from importlib.metadata import entry_points\n"
        "(command,) = entry_points(group='console_scripts', name='mcuplan')\n"
        "sys.argv = ['mcuplan', *sys.argv[1:]]; sys.exit(command.load()())\n"
    )
    model = shutil.copy(MODEL, tmp_path)
    argv = ("check", os.path.basename(model), "-t", "cortex-m4", "--report", "html=page.html")
    told = _run("-c", script, *argv, cwd=tmp_path, PYTHONPATH=str(installed))
    assert "FITS" in told.upper()
    assert "<svg" in (tmp_path / "page.html").read_text(encoding="utf-8")
