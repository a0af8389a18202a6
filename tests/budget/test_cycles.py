# SPDX-License-Identifier: Apache-2.0
"""The table of what kernels take against runs on the emulator, shape by shape and as networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cycle_sweep import errors, fit, macs_of, sweep

from mcuplan import pipeline
from mcuplan.backends import backend_kernels
from mcuplan.budget.speed import step_cycles
from mcuplan.calibrate import random_data
from mcuplan.ir.op import Kernel
from mcuplan.ops import all_kernels, all_ops
from mcuplan.ops.boundary import FlipSign
from mcuplan.ops.literal import Literal
from mcuplan.ops.row_sum import MeanOfSum, RowSum
from mcuplan.price import cycles
from mcuplan.price.cycles import (
    REFERENCE_CORE,
    expected_cycles,
    kernel_timings,
    network_errors,
    timing_of,
)
from mcuplan.prove.bench import Case, Row, count_cases, kernel_cases, signature_of
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, count_on_core
from mcuplan.record import Request
from mcuplan.resources import codegen_dir
from mcuplan.schedule.program import Streaming
from mcuplan.targets import Target, load_target

HEAD = """# SPDX-License-Identifier: 0BSD
# Cycles of each part of a kernel (Kernel.work) on a Cortex-M4 without wait states, fitted to
# counts of single layers on the emulator, gcc -O2; errors are abs(modelled / counted - 1).
# Made by `pytest tests/budget/test_cycles.py --update-golden`: do not edit.
"""
NETWORKS = {
    "mlperf_ic_resnet8": "model_qdq",
    "mlperf_kws_dscnn": "model_qdq",
    "mlperf_vww_mobilenetv1": "model_qdq",
    "mlperf_ad_autoencoder": "model",
    "mcunet_vww": "model_qdq",
}
QUICK = ("mlperf_kws_dscnn", "mlperf_ad_autoencoder")
# Only at the boundary of uint8 models, a loop over bytes; a copy, whose kernel others count.
NEVER_COUNTED = (FlipSign, Literal)
BY_ROWS = (MeanOfSum, RowSum)  # run in no other way: `cycle_calls.py` counts them
THIN = 4  # one case in so many is counted where nothing is fitted
_SLACK = 0.02  # compilers differ


def _target(backend: str) -> Target:
    return replace(load_target(REFERENCE_CORE), backend=backend)


def _kernels(backend: str) -> tuple[Kernel, ...]:
    """Kernels of a backend that the reference core can run."""
    has = set(load_target(REFERENCE_CORE).features)
    found = (*all_kernels(), *(k for ks in backend_kernels().values() for k in ks))
    mine = (k for k in found if k.backend == backend and k.op not in (FlipSign, *BY_ROWS))
    return tuple(dict.fromkeys(k for k in mine if k.requires <= has))


BACKENDS = tuple(b for b in ("c99", *backend_kernels()) if _kernels(b))


@cache
def _counted(backend: str, thin: int) -> Mapping[str, list[Row]]:
    """Rows of the sweep by kernel function, of one case in ``thin``, whole and row by row."""
    target = _target(backend)
    by_kernel: dict[str, list[Case]] = {}
    for case in kernel_cases(_kernels(backend), sweep(), target):
        if _worth_it(case):
            by_kernel.setdefault(case.kernel.function, []).append(case)
    cases = [case for found in by_kernel.values() for case in found[::thin]]
    rows: dict[str, list[Row]] = {}
    for single in (False, True):
        for row in count_cases(target, cases, single_rows=single):
            rows.setdefault(row.kernel, []).append(row)
    return rows


def _worth_it(case: Case) -> bool:
    """Few MACs of a slow kernel, and no depthwise layer by the general one: nobody chooses that."""
    if case.kernel.backend != "c99":
        return True
    depthwise = getattr(case.shape.op, "groups", 1) > 4
    misplaced = depthwise and case.kernel.cost_class == "conv2d"
    return not misplaced and macs_of(case.shape) <= 100_000


def _network_error(name: str, backend: str, models: Path, streaming: Streaming = "off") -> float:
    """Share by which all steps of a network together are off, measured on the emulator."""
    model, target = models / name / f"{NETWORKS[name]}.onnx", _target(backend)
    request = Request(model, target, random_calibration=True, streaming=streaming)
    planned = pipeline.plan(request)
    assert planned.plan.is_straight == (streaming != "auto")
    program = planned.plan.program
    feeds = boundary_inputs(planned.integer, random_data(planned.model.graph.inputs))
    one = {tensor: array[:1] for tensor, array in feeds.items()}
    core = core_named(program.target.core).with_flags(program.target.flags)
    counts = count_on_core(Subject(pipeline.generate(planned, "net"), planned.plan), one, core)
    modelled = sum(step_cycles(step, planned.plan).cycles for step in program.steps)
    return abs(modelled / sum(count.cycles or 0 for count in counts) - 1)


def _text(backend: str, rows: Mapping[str, list[Row]], networks: Mapping[str, float]) -> str:
    lines = [HEAD]
    for name in sorted(rows):
        fitted = {**_unseen(backend, name, rows[name]), **fit(rows[name])}
        missed = errors(rows[name], fitted)
        listed = ", ".join(f"{part} = {value}" for part, value in fitted.items())
        lines.append(f"[kernels.{name}]")
        lines.append(f"cycles = {{ {listed} }}")
        lines.append(f"max_error = {max(missed) + 0.0005:.3f}")
        lines.append(f"mean_error = {sum(missed) / len(missed) + 0.0005:.3f}")
        lines.append(f"shapes = {len(missed)}\n")
    lines.append("[networks]")
    lines += [f"{name} = {error:.4f}" for name, error in networks.items()]
    return "\n".join(lines) + "\n"


def _unseen(backend: str, name: str, rows: list[Row]) -> Mapping[str, float]:
    """What is known of parts that no shape has, such as limits within a grid."""
    known = kernel_timings(backend).get(name)
    parts = {part for row in rows for part in row.parts}
    seen = {part for row in rows for part, count in row.parts.items() if count}
    return {p: v for p, v in known.cycles.items() if p in parts - seen} if known else {}


def _update(backend: str) -> None:
    """Write the table, then what it is worth on networks where they are at hand."""
    path = codegen_dir() / "kernels" / backend / "cycles.toml"
    known = network_errors(backend)
    path.write_text(_text(backend, _counted(backend, 1), known), encoding="utf-8")
    _forget()
    folder = os.environ.get("MCUPLAN_TEST_MODELS")
    if folder:
        own = {name: _network_error(name, backend, Path(folder)) for name in NETWORKS}
        known = {**known, **own}
        path.write_text(_text(backend, _counted(backend, 1), known), encoding="utf-8")
        _forget()


def _forget() -> None:
    for cached in (cycles.kernel_timings, cycles._table):
        cached.cache_clear()


@pytest.mark.parametrize("backend", BACKENDS)
def test_modelled_cycles_are_those_of_the_emulator(
    backend: str, counted_gcc: str, qemu: str, request: pytest.FixtureRequest
) -> None:
    """Every kernel is in the table, and misses no counted shape by more than the table says."""
    if request.config.getoption("--update-golden"):
        _update(backend)
    timings, rows = kernel_timings(backend), _counted(backend, THIN)
    assert {k.function for k in _kernels(backend)} == set(rows)
    by_rows = {k.function for k in all_kernels() if k.op in BY_ROWS and backend == "c99"}
    assert set(rows) | by_rows == set(timings)
    for name, found in rows.items():
        assert max(errors(found, timings[name].cycles)) <= timings[name].max_error + _SLACK, name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", QUICK)
def test_networks_take_what_is_modelled(
    name: str, backend: str, counted_gcc: str, qemu: str, test_models: Path
) -> None:
    """A whole network takes the modelled cycles within the error stated for it."""
    stated = network_errors(backend)[name]
    assert _network_error(name, backend, test_models) <= stated + _SLACK / 2
    assert stated <= 0.1


def test_rows_take_what_is_modelled(counted_gcc: str, qemu: str, test_models: Path) -> None:
    """Steps that run row by row take what as many calls are modelled to take."""
    assert _network_error("mlperf_kws_dscnn", "dsp", test_models, "auto") <= 0.05


def test_another_core_scales_what_is_known() -> None:
    """Without measurements a core takes the reference times its rates, and states no error."""
    kernel = next(k for k in all_kernels() if k.function == "mplan_dense_s8")
    shape = next(s for s in sweep() if s.op.label == "Dense")
    case = kernel_cases([kernel], [shape], _target("c99"))[0]
    assert timing_of(case.kernel) is not None
    signature = signature_of(shape)
    known = expected_cycles(kernel, signature, load_target("cortex-m4"))
    other = expected_cycles(kernel, signature, load_target("cortex-m0plus"))
    assert known.error is not None
    assert other.error is None
    assert other.cycles > known.cycles


def test_the_sweep_knows_every_operator_with_a_kernel() -> None:
    """No operator with a portable kernel is left out of the sweep."""
    counted = {type(shape.op) for shape in sweep()}
    runs = {kernel.op for kernel in all_kernels()} & set(all_ops())
    assert {*NEVER_COUNTED, *BY_ROWS} == runs - counted
