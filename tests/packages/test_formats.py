# SPDX-License-Identifier: Apache-2.0
"""Each package, as far as its build system's parts come from package registries.

Zephyr's Kconfig files are read by kconfiglib, PlatformIO's manifests by its core; CMake reads what
Zephyr and ESP-IDF add to it, with stand-ins for their functions that do what their documentation
says. CMSIS-Pack and Arduino have no such part: their files are held to rules from the published
specifications, as far as these concern what is written here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from folders import AS_EXPECTED, done, generated, program

from mcuplan.options.values import PACKAGES

ALL = ",".join(PACKAGES)
STRICT = ("-Wall", "-Wextra", "-Werror")

ZEPHYR = """
cmake_minimum_required(VERSION 3.16)
project(stand_in C)
add_library(zephyr_interface INTERFACE)
macro(zephyr_include_directories)
    foreach(folder ${ARGN})
        target_include_directories(zephyr_interface INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
    endforeach()
endmacro()
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
    target_link_libraries(${name} PUBLIC zephyr_interface)
endmacro()
macro(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
    target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endmacro()
set(CONFIG_MCUPLAN_DIGITS y)
add_subdirectory(${MODULE}/zephyr module)
file(WRITE ${CMAKE_BINARY_DIR}/zephyr/sys/printk.h "#include <stdio.h>\\n#define printk printf\\n")
add_executable(app ${MODULE}/examples/zephyr/src/main.c)
target_include_directories(app PRIVATE ${CMAKE_BINARY_DIR})
target_link_libraries(app PRIVATE digits)
"""

ESP_IDF = """
cmake_minimum_required(VERSION 3.16)
project(stand_in C)
macro(idf_component_register)
    cmake_parse_arguments(COMPONENT "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
    get_filename_component(COMPONENT_LIB ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    add_library(${COMPONENT_LIB} STATIC ${COMPONENT_SRCS})
    target_include_directories(${COMPONENT_LIB} PUBLIC ${COMPONENT_INCLUDE_DIRS})
endmacro()
set(ESP_PLATFORM 1)
add_subdirectory(${MODULE} component)
add_subdirectory(${MODULE}/examples/esp-idf/main main)
get_filename_component(COMPONENT ${MODULE} NAME)
target_link_libraries(main PUBLIC ${COMPONENT})
file(WRITE ${CMAKE_BINARY_DIR}/start.c
    "void app_main(void);\\nint main(void)\\n{\\n    app_main();\\n    return 0;\\n}\\n")
add_executable(app ${CMAKE_BINARY_DIR}/start.c)
target_link_libraries(app PRIVATE main)
"""

ARDUINO = """
#include <stdio.h>
struct {
    void begin(long) {}
    void print(const char *text) { fputs(text, stdout); }
    operator bool() const { return true; }
} Serial;
void setup();
void loop();
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages, with kernels that any compiler takes."""
    return generated(tmp_path_factory.mktemp("f") / "digits", "cortex-m4", ALL, "--backend=c99")


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those that have conditions of a core."""
    return generated(tmp_path_factory.mktemp("f") / "d", "nrf5340", "zephyr,cmsis-pack")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kernels of a Cortex-M55, with vectors and with DSP instructions."""
    return generated(tmp_path_factory.mktemp("f") / "v", "cortex-m55", "zephyr")


def _yaml(path: Path) -> Any:
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="ascii"))


def _sources(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("src/**/*.c")}


def _cmake(tmp_path: Path, text: str, module: Path) -> str:
    """What a program says that CMake builds with a stand-in for a build system."""
    (tmp_path / "CMakeLists.txt").write_text(text)
    cmake = program("cmake")
    done([cmake, "-B", "b", f"-DMODULE={module}"], tmp_path)
    done([cmake, "--build", "b"], tmp_path)
    return done(["b/app"], tmp_path)


# --- Zephyr ------------------------------------------------------------------------------------


def test_zephyr_reads_the_module(folder: Path, tmp_path: Path, host_gcc: str) -> None:
    """Its manifest names files that are there, CMake builds the library, and the example runs."""
    module = _yaml(folder / "zephyr" / "module.yml")
    assert {"name": "digits", "build": {"cmake": "zephyr", "kconfig": "zephyr/Kconfig"}} == module
    assert AS_EXPECTED in _cmake(tmp_path, ZEPHYR, folder)


def _kconfig(folder: Path, tmp_path: Path, conditions: str) -> Any:
    """The configuration that an application of a board with these options has."""
    kconfiglib = pytest.importorskip("kconfiglib")
    has = "".join(f"config {name}\n\tdef_bool y\n\n" for name in conditions.split())
    text = f'{has}config MAIN_STACK_SIZE\n\tint "stack"\n\nosource "{folder}/zephyr/Kconfig"\n'
    (tmp_path / "Kconfig").write_text(text)
    config = kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)
    config.load_config(str(folder / "examples" / "zephyr" / "prj.conf"))
    return config


def test_zephyr_configures_the_example(folder: Path, tmp_path: Path) -> None:
    """The option turns on, and every setting of the example is one that there is."""
    config = _kconfig(folder, tmp_path, "")
    assert "y" == config.syms["MCUPLAN_DIGITS"].str_value
    assert int(config.syms["MAIN_STACK_SIZE"].str_value) >= 1024
    assert [] == config.warnings


@pytest.mark.parametrize(
    ("conditions", "value"),
    [("CPU_CORTEX_M33 ARMV8_M_DSP", "y"), ("CPU_CORTEX_M33", "n"), ("ARMV8_M_DSP", "n")],
)
def test_zephyr_offers_kernels_where_they_run(
    conditions: str, value: str, fast: Path, tmp_path: Path
) -> None:
    """Kernels with DSP instructions need the core, and a Cortex-M33 that has them."""
    assert value == _kconfig(fast, tmp_path, conditions).syms["MCUPLAN_DIGITS"].str_value


@pytest.mark.parametrize(
    ("conditions", "value"),
    [("FPU", "y"), ("", "n")],
)
def test_zephyr_has_vectors_where_the_fpu_is_on(
    conditions: str, value: str, vectors: Path, tmp_path: Path
) -> None:
    """Zephyr keeps coprocessors off without its FPU option: the example sets it."""
    core = f"CPU_CORTEX_M55 ARMV8_M_DSP ARMV8_1_M_MVEI {conditions}"
    assert value == _kconfig(vectors, tmp_path, core).syms["MCUPLAN_DIGITS"].str_value
    asked = (vectors / "examples" / "zephyr" / "prj.conf").read_text(encoding="ascii")
    assert "CONFIG_FPU=y\nCONFIG_FPU_SHARING=y\n" in asked


# --- ESP-IDF -----------------------------------------------------------------------------------


def test_esp_idf_reads_the_component(folder: Path, tmp_path: Path, host_gcc: str) -> None:
    """CMake registers it as a component, and the example's component runs with it."""
    manifest = _yaml(folder / "idf_component.yml")
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert {"version", "description", "license", "dependencies"} == manifest.keys()
    assert AS_EXPECTED in _cmake(tmp_path, ESP_IDF, folder)


# --- PlatformIO and Arduino --------------------------------------------------------------------


def test_platformio_takes_the_manifests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its core reads both manifests without an error; licences, which it looks up, are known."""
    schema = pytest.importorskip("platformio.package.manifest.schema").ManifestSchema
    parser = pytest.importorskip("platformio.package.manifest.parser").ManifestParserFactory
    known = {"licenses": [{"licenseId": "0BSD"}]}
    monkeypatch.setattr(schema, "load_spdx_licenses", staticmethod(lambda: known))
    for name in ("library.json", "library.properties"):
        read = parser.new_from_file(str(folder / name)).as_dict()
        assert "digits" == schema().load_manifest(read)["name"]
    build = json.loads((folder / "library.json").read_text())["build"]
    assert {"-O2", "-ffp-contract=off"} == set(build["flags"])
    assert (folder / build["srcDir"] / "digits.h").is_file()


def test_platformio_reads_the_project(folder: Path) -> None:
    """The example's settings are those of an environment, and the library is this folder."""
    config = pytest.importorskip("platformio.project.config").ProjectConfig
    place = folder / "examples" / "platformio"
    project = config(str(place / "platformio.ini"))
    project.validate(silent=True)
    assert ["native"] == project.envs()
    (library,) = project.get("env:native", "lib_deps")
    assert folder.resolve() == (place / library.removeprefix("symlink://")).resolve()


@pytest.mark.parametrize("sketch", [False, True])
def test_programs_in_cpp_run(sketch: bool, folder: Path, tmp_path: Path, host_gcc: str) -> None:
    """The program of PlatformIO and the sketch of Arduino are C++, and every value is right."""
    cpp = program("g++", "clang++")
    source = folder / "examples" / "platformio" / "src" / "main.cpp"
    flags = [f"-I{folder}/src", "-O1", *STRICT]
    if sketch:
        (found,) = folder.glob("examples/*/*.ino")
        assert found.parent.name == found.stem
        text = f"{ARDUINO}{found.read_text()}\nint main() {{ setup(); loop(); return 0; }}\n"
        source = tmp_path / "sketch.cpp"
        source.write_text(text)
    sources = [str(folder / path) for path in sorted(_sources(folder))]
    done([host_gcc, "-std=gnu11", "-Os", "-c", f"-I{folder}/src", *sources], tmp_path)
    objects = [path.name for path in tmp_path.glob("*.o")]
    done([cpp, "-std=gnu++11", *flags, str(source), *objects, "-o", "program"], tmp_path)
    assert AS_EXPECTED in done(["./program"], tmp_path)


def test_arduino_has_the_properties_of_a_library(folder: Path) -> None:
    """Those that the specification asks for, once each, in one line."""
    lines = (folder / "library.properties").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines)
    asked = "name version author maintainer sentence paragraph category url architectures"
    assert set(asked.split()) <= found.keys()
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", found["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert "Data Processing" == found["category"]
    assert (folder / "src" / found["includes"]).is_file()


# --- CMSIS-Pack --------------------------------------------------------------------------------


def test_the_pack_has_what_the_specification_asks_for(folder: Path, fast: Path) -> None:
    """Elements and attributes that PACK.xsd requires; files are there, conditions defined."""
    for place in (folder, fast):
        pack = ElementTree.parse(place / "mcuplan.digits.pdsc").getroot()
        assert "package" == pack.tag
        assert re.fullmatch(r"1\.7\.\d+", pack.attrib["schemaVersion"])
        for tag in ("vendor", "name", "description", "url", "license", "releases"):
            assert pack.find(tag) is not None, tag
        assert re.fullmatch(r"[\w-]+", pack.findtext("vendor") or "")
        assert (place / str(pack.findtext("license"))).is_file()
        (release,) = pack.findall("releases/release")
        assert re.fullmatch(r"\d+\.\d+\.\d+", release.attrib["version"])
        (component,) = pack.findall("components/component")
        assert {"Cclass", "Cgroup", "Csub", "Cversion"} <= component.attrib.keys()
        conditions = {each.attrib["id"] for each in pack.findall("conditions/condition")}
        assert {component.get("condition", "")} - {""} == conditions
        named = {each.attrib["name"]: each.attrib["category"] for each in component.iter("file")}
        assert all((place / name).exists() for name in named)
        assert _sources(place) == {name for name, kind in named.items() if kind == "sourceC"}
    (core,) = ElementTree.parse(fast / "mcuplan.digits.pdsc").iter("require")
    assert {"Dcore": "Cortex-M33"} == core.attrib


def test_the_layer_names_every_source(folder: Path) -> None:
    """Keys are those of the CMSIS-Toolbox's layers, and files are there."""
    layer = _yaml(folder / "digits.clayer.yml")["layer"]
    assert {"description", "groups"} == layer.keys()
    (group,) = layer["groups"]
    assert {"group", "add-path", "misc", "files"} == group.keys()
    assert _sources(folder) == {each["file"] for each in group["files"]}
    assert all((folder / path).is_dir() for path in group["add-path"])


def test_the_solution_leads_to_the_layer(folder: Path) -> None:
    """From solution to project to layer and files, each path from the file that has it."""
    place = folder / "examples" / "cmsis-pack"
    solution = _yaml(place / "digits_example.csolution.yml")["solution"]
    (project,) = (each["project"] for each in solution["projects"])
    read = _yaml(place / project)["project"]
    (layer,) = (each["layer"] for each in read["layers"])
    assert (folder / "digits.clayer.yml").resolve() == (place / layer).resolve()
    files = [file["file"] for group in read["groups"] for file in group["files"]]
    assert all((place / name).exists() for name in [*files, *read["add-path"]])


def test_the_solution_asks_for_components_that_packs_have(folder: Path) -> None:
    """Those of ARM.Cortex_DFP.pdsc, ARM.CMSIS.pdsc and ARM.CMSIS-Compiler.pdsc; text needs none."""
    place = folder / "examples" / "cmsis-pack"
    solution = _yaml(place / "digits_example.csolution.yml")["solution"]
    project = _yaml(place / "digits_example.cproject.yml")["project"]
    packs = {each["pack"].removeprefix("ARM::") for each in solution["packs"]}
    assert {"CMSIS", "Cortex_DFP", "CMSIS-Compiler"} == packs
    known = {"CMSIS:CORE", "Device:Startup&C Startup", "CMSIS-Compiler:CORE"}
    assert known == {each["component"].removeprefix("ARM::") for each in project["components"]}


def test_the_program_of_the_pack_compiles(folder: Path, tmp_path: Path) -> None:
    """It includes nothing but the example, and warns of nothing."""
    compiler = program("arm-none-eabi-gcc")
    main = folder / "examples" / "cmsis-pack" / "main.c"
    options = [
        "-mcpu=cortex-m4",
        "-mthumb",
        "-std=gnu99",
        "-O2",
        *STRICT,
        "-I",
        str(folder / "src"),
    ]
    done([compiler, *options, "-c", str(main), "-o", "main.o"], tmp_path)
    text = main.read_text(encoding="ascii")
    assert '#include "digits_example.h"' in text
    assert "<stdio.h>" not in text
