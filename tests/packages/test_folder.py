# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path

import pytest
from folders import AS_EXPECTED, ROOT, commands, done, generated, program, tried

from mcuplan.cli import run
from mcuplan.options.values import PACKAGES
from mcuplan.packages import package_names

ALL = ",".join(PACKAGES)
TITLES = ("Arduino", "CMSIS-Pack", "CMake", "ESP-IDF", "PlatformIO", "Zephyr", "make")


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages, with kernels that any compiler takes."""
    return generated(tmp_path_factory.mktemp("portable") / "d", "cortex-m4", ALL, "--backend=c99")


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that take kernels of a core."""
    names = ALL.replace("esp-idf,", "")
    return generated(tmp_path_factory.mktemp("fast") / "d", "nucleo-f446re", names)


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_packages_are_those_that_can_be_asked_for() -> None:
    """Every package can be asked for, and no other."""
    assert package_names() == PACKAGES


def test_a_folder_is_the_same_bytes_again(portable: Path, tmp_path: Path) -> None:
    """Two runs, two folders: nothing in it knows of when and where it was made."""
    again = generated(tmp_path / "other" / "name", "cortex-m4", ALL, "--backend=c99")
    assert _tree(portable) == _tree(again)


def test_without_packages_only_the_bill_is_added(portable: Path, tmp_path: Path) -> None:
    """Sources are the same bytes with packages and without; they move, and a bill is added."""
    plain = _tree(generated(tmp_path / "d", "cortex-m4", "", "--backend=c99"))
    packed = _tree(portable)
    own = {name for name in plain if not name.endswith(".json")}
    assert {"digits.cdx.json", "digits.report.json"} == set(plain) - own
    assert all(plain[name] == packed[f"src/{name}"] for name in own)
    sources = {name for name in packed if name.startswith("src/")}
    assert {"src/digits_example.h"} == sources - {f"src/{name}" for name in own}


def test_packages_are_named_one_by_one_or_with_commas(tmp_path: Path) -> None:
    """Both forms mean the same; an unknown name ends with wrong usage, and says which there are."""
    one = _tree(generated(tmp_path / "a", "cortex-m4", "make,cmake"))
    two = _tree(generated(tmp_path / "b", "cortex-m4", "cmake", "--package", "make"))
    for told in (one, two):
        del told["digits.report.json"]  # it has the command
    assert one == two
    with pytest.raises(AssertionError):
        generated(tmp_path / "c", "cortex-m4", "bazel")


def test_readmes_have_at_most_three_commands(portable: Path) -> None:
    """Each package builds and runs with few commands, which name files that are there."""
    for title in TITLES:
        said = commands(portable, title)
        assert 1 <= len(said) <= 3
        paths = re.findall(r"\b(?:examples|cmake)/[\w./-]+", " ".join(said))
        assert [] == [path for path in paths if not (portable / path).exists()]


def test_the_page_has_the_commands_of_the_folder(fast: Path) -> None:
    """docs/builds.md shows those of the README, for the board that it takes."""
    page = (ROOT / "docs" / "builds.md").read_text(encoding="utf-8")
    for title in TITLES:
        (section,) = (part for part in page.split("\n## ") if part.startswith(f"{title}\n"))
        said = "\n".join(commands(fast, title)) if title != "ESP-IDF" else "idf.py"
        assert f"```sh\n{said}" in section
    assert set(PACKAGES) == set(re.findall(r"^\| \[`([\w-]+)`\]", page, re.MULTILINE))


@pytest.mark.parametrize("title", ["CMake", "make"])
def test_readme_commands_run_on_the_emulator(
    title: str, fast: Path, tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """As a new user types them: the example runs on the emulated core, and every value is right."""
    program("cmake" if title == "CMake" else "make")
    folder = tmp_path / "copy of it"
    folder.mkdir()
    for name, data in _tree(fast).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert AS_EXPECTED in tried(folder, title)


@pytest.mark.parametrize(
    ("model", "target", "more"),
    [
        ("diabetes_mlp", "cortex-m7", ("--dtype", "float32")),
        ("vowels_stream", "rp2040", ("--calibration", "random")),
        ("digits_dscnn", "cortex-m33", ("--calibration", "random", "--streaming", "input")),
    ],
)
def test_examples_of_every_kind_run(
    model: str, target: str, more: tuple[str, ...], tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """Real numbers, a state and rows that are fed, each on the core that it is for."""
    program("make")
    file = str(ROOT / "models" / model / "model.onnx")
    asked = ["generate", file, "-t", target, "-q", "--package", "make", "-o", str(tmp_path / "d")]
    assert 0 == run([*asked, *more])
    assert AS_EXPECTED in tried(tmp_path / "d", "make")


def test_a_wrong_value_is_told(fast: Path, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """An example with another value than the code makes says so, and fails: it is built anew."""
    program("make")
    folder = tmp_path / "d"
    for name, data in _tree(fast).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert AS_EXPECTED in tried(folder, "make")
    header = folder / "src" / "digits_example.h"
    text = header.read_text()
    expected = re.search(r"digits_output_example\[10\] = \{\n    (-?\d+),", text)
    assert expected is not None
    at = expected.start(1)
    header.write_text(f"{text[:at]}{-1 - int(expected[1])}{text[expected.end(1) :]}")
    later = (folder / "build/make/digits_example.elf").stat().st_mtime_ns + 1_000_000_000
    os.utime(header, ns=(later, later))
    with pytest.raises(AssertionError, match="NOT as expected"):
        tried(folder, "make")


def test_portable_folders_run_on_this_computer(
    portable: Path, tmp_path: Path, host_gcc: str
) -> None:
    """Without a toolchain file CMake builds for this computer, where the kernels allow it."""
    cmake = program("cmake")
    done([cmake, "-S", str(portable), "-B", "b"], tmp_path)
    done([cmake, "--build", "b"], tmp_path)
    assert AS_EXPECTED in done(["b/digits_example"], tmp_path)


_PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(firmware C)
set(CMAKE_C_FLAGS "-Wall -Wextra -Wconversion -Wshadow -Wundef -Wpedantic -Werror")
add_subdirectory(${FOLDER} digits)
add_executable(app ${FOLDER}/examples/host/main.c)
target_link_libraries(app PRIVATE digits)
add_custom_target(run COMMAND app)
"""


def test_a_project_takes_the_folder(portable: Path, tmp_path: Path, host_gcc: str) -> None:
    """As part of a project, whose flags are strict and whose targets have names of their own."""
    cmake = program("cmake")
    (tmp_path / "CMakeLists.txt").write_text(_PROJECT)
    done([cmake, "-B", "b", f"-DFOLDER={portable}", "-DCMAKE_BUILD_TYPE=Debug"], tmp_path)
    assert AS_EXPECTED in done([cmake, "--build", "b", "--target", "run"], tmp_path)


def test_fast_kernels_do_not_configure_for_this_computer(fast: Path, tmp_path: Path) -> None:
    """CMake stops with what to do, and not amid the assembly of a kernel."""
    cmake = program("cmake")
    with pytest.raises(AssertionError, match="CMAKE_TOOLCHAIN_FILE=cmake"):
        done([cmake, "-S", str(fast), "-B", "b"], tmp_path)


def test_the_bill_is_valid_and_true(portable: Path, fast: Path, tmp_path: Path) -> None:
    """It obeys the schema of CycloneDX, names every file but itself, and each with its digest."""
    validation = pytest.importorskip("cyclonedx.validation.json", exc_type=ImportError)
    schema = pytest.importorskip("cyclonedx.schema").SchemaVersion.V1_6
    plain = generated(tmp_path / "d", "cortex-m4", "")
    serials = set()
    for folder in (portable, fast, plain):
        text = (folder / "digits.cdx.json").read_text(encoding="ascii")
        assert validation.JsonStrictValidator(schema).validate_str(text) is None
        bill = json.loads(text)
        serials.add(bill["serialNumber"])
        parts = bill["components"]
        parts += [part for each in parts for part in each.get("components", ())]
        named = {p["name"]: p["hashes"][0]["content"] for p in parts if p["type"] == "file"}
        digests = {name: sha256(data).hexdigest() for name, data in _tree(folder).items()}
        told = {k: v for k, v in digests.items() if k.endswith((".cdx.json", ".report.json"))}
        assert {**digests} == named | told
        assert 2 == len(told)
    assert 3 == len(serials)


def test_esp_idf_takes_portable_kernels_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kernels of a Cortex-M are refused, with the option that makes others."""
    with pytest.raises(AssertionError):
        generated(tmp_path / "d", "cortex-m4", "esp-idf")
    said = capsys.readouterr().err
    assert "error[usage/bad-argument]" in said
    assert "--backend c99" in said
    assert not (tmp_path / "d").exists()
