# SPDX-License-Identifier: Apache-2.0
"""The cores, built without Python's headers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcuplan.solvers.packing import pack
from mcuplan.solvers.packing.problem import Buffer, LiveRange, Problem

SOLVERS = Path(__file__).resolve().parents[2] / "mcuplan" / "solvers"
CORES = {"packing": "_packcore", "rows": "_rowcore"}
BUFFERS = [(7 * k % 40 + 1, k % 11, k % 11 + 1 + k % 5) for k in range(40)]  # bytes, [start, end)
ANSWER = """
import json, sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
for name, path in {cores!r}.items():
    loader = ExtensionFileLoader(name, path)
    sys.modules[name] = module = module_from_spec(ModuleSpec(name, loader, origin=path))
    loader.exec_module(module)
from mcuplan.solvers.packing import pack
from mcuplan.solvers.packing.problem import Buffer, LiveRange, Problem
problem = Problem(tuple(Buffer(str(k), n, LiveRange(a, b)) for k, (n, a, b) in enumerate({rows!r})))
print(json.dumps([placed.offset for placed in pack(problem).placements]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python always has its headers")
def test_cores_need_no_headers_of_python(host_gcc: str, tmp_path: Path) -> None:
    """What is built on declarations of our own is found, and gives the same answers."""
    cores = {}
    for room, name in CORES.items():
        sources = sorted(map(str, (SOLVERS / room / "csrc").glob("*.c")))
        built = cores[f"mcuplan.solvers.{room}.{name}"] = str(tmp_path / f"{name}.abi3.so")
        options = ["-DMCUPLAN_WITHOUT_PYTHON_H", "-std=c11", "-O1", "-Werror=implicit"]
        subprocess.run([host_gcc, *options, "-fPIC", "-shared", *sources, "-o", built], check=True)
    code = ANSWER.format(cores=cores, rows=BUFFERS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    problem = Problem(
        tuple(Buffer(str(k), n, LiveRange(a, b)) for k, (n, a, b) in enumerate(BUFFERS))
    )
    assert [placed.offset for placed in pack(problem).placements] == json.loads(done.stdout)
