# SPDX-License-Identifier: Apache-2.0
"""Cycles of the parts of every kernel of a set, fitted to counts of single layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcuplan.backends import backend_kernels
from mcuplan.ir.op import Kernel
from mcuplan.memory_system import MemorySystem
from mcuplan.ops import all_kernels
from mcuplan.ops.boundary import FlipSign
from mcuplan.ops.row_sum import MeanOfSum, RowSum
from mcuplan.price.cycles import REFERENCE_CORE, kernel_timings
from mcuplan.prove.bench import Case, Row, count_cases, kernel_cases
from mcuplan.prove.fit.least_squares import constants_table
from mcuplan.prove.fit.shapes import macs_of, sweep
from mcuplan.targets import Target, load_target

__all__ = ["BY_ROWS", "count_kernels", "cycles_text", "kernels_of_set", "reference"]

BY_ROWS = (MeanOfSum, RowSum)
"""Run in no other way: they are fitted to plans by rows."""

_HEAD = """# SPDX-License-Identifier: 0BSD
# Cycles of each part of a kernel (Kernel.work) on a {core} without wait states, fitted to
# counts of single layers on the emulator, gcc -O2; errors are abs(modelled / counted - 1).
# Made by `mcuplan bench --fit --backend {backend}`: do not edit.

"""
_WRITTEN = {
    REFERENCE_CORE: "Cortex-M4",
    "cortex-m0plus": "Cortex-M0+",
    "cortex-m33": "Cortex-M33",
    "cortex-m55": "Cortex-M55",
    "cortex-m7": "Cortex-M7",
}
_OWN_WORK = ("mve",)  # sets of kernels most of which go by rates: fitted are those that say more
_IN_ONE_IMAGE = 400  # cases: the emulated RAM holds what they read and write
_MOST_MACS = 100_000  # of a shape that portable kernels are counted on
_MOST_GROUPS = 4  # that a convolution which is not depthwise is counted with


def reference(backend: str, core: str = REFERENCE_CORE) -> Target:
    """A core that is counted on, with one set of kernels."""
    return replace(load_target(core), backend=backend)


def kernels_of_set(backend: str, core: str = REFERENCE_CORE) -> tuple[Kernel, ...]:
    """Kernels that are fitted to single layers: those that a core can run."""
    has = set(reference(backend, core).features)
    listed = all_kernels() if backend == "c99" else backend_kernels()[backend]
    known = (k for k in listed if k.work is not None or backend not in _OWN_WORK)
    fitted = (k for k in known if k.op not in (FlipSign, *BY_ROWS) and k.requires <= has)
    return tuple(dict.fromkeys(fitted))


def count_kernels(
    backend: str,
    thin: int = 1,
    memory: MemorySystem | None = None,
    core: str = REFERENCE_CORE,
) -> Mapping[str, list[Row]]:
    """Rows of the sweep by kernel function, of one case in ``thin``, whole and row by row.

    ``memory``: that of a board, whose stalls are counted then.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    target = replace(reference(backend, core), memory=memory)
    by_kernel: dict[str, list[Case]] = {}
    for case in kernel_cases(kernels_of_set(backend, core), sweep(), target):
        if _worth_it(case):
            by_kernel.setdefault(case.kernel.function, []).append(case)
    cases = [case for found in by_kernel.values() for case in found[::thin]]
    rows: dict[str, list[Row]] = {}
    for single in (False, True):
        for start in range(0, len(cases), _IN_ONE_IMAGE):
            some = cases[start : start + _IN_ONE_IMAGE]
            for row in count_cases(target, some, single_rows=single):
                rows.setdefault(row.kernel, []).append(row)
    return rows


def _worth_it(case: Case) -> bool:
    """Few MACs of a slow kernel, and no depthwise layer by the general one: nobody chooses that."""
    if case.kernel.backend != "c99":
        return True
    depthwise = getattr(case.shape.op, "groups", 1) > _MOST_GROUPS
    misplaced = depthwise and case.kernel.cost_class == "conv2d"
    return not misplaced and macs_of(case.shape) <= _MOST_MACS


def cycles_text(
    backend: str,
    rows: Mapping[str, list[Row]],
    networks: Mapping[str, float],
    core: str = REFERENCE_CORE,
) -> str:
    """`cycles.toml` of a set; ``networks`` are errors over whole networks that were counted."""
    tables = [
        constants_table(f"kernels.{name}", rows[name], _unseen(backend, name, rows[name]))
        + f"shapes = {len(rows[name])}\n"
        for name in sorted(rows)
    ]
    if networks:
        errors = (f"{name} = {error:.4f}\n" for name, error in networks.items())
        tables.append("".join(["[networks]\n", *errors]))
    return _HEAD.format(backend=backend, core=_WRITTEN[core]) + "\n".join(tables)


def _unseen(backend: str, name: str, rows: Sequence[Row]) -> Mapping[str, float]:
    """What is known of parts that no shape has, such as limits within a grid."""
    known = kernel_timings(backend).get(name)
    parts = {part for row in rows for part in row.parts}
    seen = {part for row in rows for part, count in row.parts.items() if count}
    return {p: v for p, v in known.cycles.items() if p in parts - seen} if known else {}
