# SPDX-License-Identifier: Apache-2.0
"""The table of what kernels take against runs on the emulator, shape by shape and as networks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mcuplan.backends import backend_kernels
from mcuplan.cli import run
from mcuplan.ir.op import Signature
from mcuplan.ops import all_kernels, all_ops
from mcuplan.ops.boundary import FlipSign
from mcuplan.ops.literal import Literal
from mcuplan.price.cycles import (
    Ground,
    expected_cycles,
    kernel_timings,
    network_errors,
    timing_of,
)
from mcuplan.prove.bench import kernel_cases
from mcuplan.prove.fit import fit_set
from mcuplan.prove.fit.boards import BOARDS
from mcuplan.prove.fit.kernels import BY_ROWS, count_kernels, kernels_of_set, reference
from mcuplan.prove.fit.least_squares import errors
from mcuplan.prove.fit.networks import count_network
from mcuplan.prove.fit.shapes import sweep
from mcuplan.prove.layers import signature_of
from mcuplan.resources import codegen_dir
from mcuplan.schedule.program import Streaming
from mcuplan.targets import load_target

NETWORKS = {
    "mlperf_ic_resnet8": "model_qdq",
    "mlperf_kws_dscnn": "model_qdq",
    "mlperf_vww_mobilenetv1": "model_qdq",
    "mlperf_ad_autoencoder": "model",
    "mcunet_vww": "model_qdq",
}
QUICK = ("mlperf_kws_dscnn", "mlperf_ad_autoencoder")
# A loop over bytes at the ends of models; a copy that others count; states, which no port holds;
# one whose cost is that of its exponentials.
NEVER_COUNTED = (FlipSign, Literal)
RATED = {  # kernel -> why it goes by the target's rates, and states no error
    "mplan_arg_extreme_s64": "a row for all element types misses by 23 %",
    "mplan_power_f32": "depends on the values: 33 %",
    "mplan_scatter_s8": "a row for tuples and elements misses by 30 %",
}
THIN = {"c99": 20}  # one case in so many is counted where nothing is fitted, else in 4
_SLACK = 0.02  # compilers differ


BACKENDS = tuple(b for b in ("c99", *backend_kernels()) if kernels_of_set(b))


def _dense(*, wide: bool) -> Signature:
    """The first matrix that is counted, on int8 or on int16."""
    return signature_of(
        next(s for s in sweep() if s.op.label == "Dense" and wide == bool(s.grids and s.grids[0]))
    )


def _error(name: str, backend: str, models: Path, streaming: Streaming = "off") -> float:
    model = models / name / f"{NETWORKS[name]}.onnx"
    plan, error = count_network(model, reference(backend), streaming)
    assert plan.is_straight == (streaming != "auto")
    return error


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_modelled_cycles_are_those_of_the_emulator(
    backend: str, counted_gcc: str, qemu: str
) -> None:
    """Every kernel is in the table, and misses no counted shape by more than the table says."""
    timings, rows = kernel_timings(backend), count_kernels(backend, THIN.get(backend, 4))
    wanted = {k.function for k in kernels_of_set(backend)} - RATED.keys()
    by_rows = {k.function for k in all_kernels() if k.op in BY_ROWS and backend == "c99"}
    assert wanted <= rows.keys()
    assert wanted | by_rows == timings.keys() - RATED.keys()
    for name in sorted(wanted):
        found = rows[name]
        assert max(errors(found, timings[name].cycles)) <= timings[name].max_error + _SLACK, name


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "core"), [("scalar", "cortex-m0plus"), ("mve", "cortex-m55")])
def test_modelled_cycles_of_another_core_are_those_of_the_emulator(
    backend: str, core: str, counted_gcc: str, qemu: str
) -> None:
    """A set with a table of its own for a core has all kernels there that are fitted on it."""
    timings = kernel_timings(backend, core)
    rows = count_kernels(backend, 6, core=core)
    assert {k.function for k in kernels_of_set(backend, core)} == timings.keys() == rows.keys()
    for name, found in rows.items():
        assert max(errors(found, timings[name].cycles)) <= timings[name].max_error + _SLACK, name


def test_kernels_of_int16_on_vectors_are_measured() -> None:
    """On a Cortex-M55 they state an error, where those of int8 go by rates."""
    target = load_target("cortex-m55")
    wide, narrow = (
        expected_cycles(found, sig, target)
        for name, sig in (("s16_w16", _dense(wide=True)), ("s8", _dense(wide=False)))
        for found in backend_kernels()["mve"]
        if found.function == f"mplan_dense_{name}_mve" and found.op is type(sig.op)
    )
    timing = kernel_timings("mve", "cortex-m55")["mplan_dense_s16_w16_mve"]
    assert (timing.max_error, Ground.MEASURED) == (wide.error, wide.ground)
    assert (None, Ground.RATED) == (narrow.error, narrow.ground)


def test_small_cores_go_by_counts_on_one() -> None:
    """What was counted on a Cortex-M0+ is measured there, and scaled on an M0."""
    kernel = next(k for k in kernels_of_set("scalar") if k.function == "mplan_dense_s8_scalar")
    signature = signature_of(next(s for s in sweep() if s.op.label == "Dense"))
    known, scaled = (
        expected_cycles(kernel, signature, load_target(core))
        for core in ("cortex-m0plus", "cortex-m0")
    )
    timing = kernel_timings("scalar", "cortex-m0plus")[kernel.function]
    assert (timing.max_error, Ground.MEASURED) == (known.error, known.ground)
    assert (None, Ground.SCALED) == (scaled.error, scaled.ground)


@pytest.mark.parametrize("backend", [b for b in BACKENDS if network_errors(b)])
@pytest.mark.parametrize("name", QUICK)
def test_networks_take_what_is_modelled(
    name: str, backend: str, counted_gcc: str, qemu: str, test_models: Path
) -> None:
    """A whole network takes the modelled cycles within the error stated for it."""
    stated = network_errors(backend)[name]
    assert _error(name, backend, test_models) <= stated + _SLACK / 2
    assert stated <= 0.1


def test_rows_take_what_is_modelled(counted_gcc: str, qemu: str, test_models: Path) -> None:
    """Steps that run row by row take what as many calls are modelled to take."""
    assert _error("mlperf_kws_dscnn", "dsp", test_models, "auto") <= 0.05


def test_another_core_scales_what_is_known() -> None:
    """Without measurements a core takes the reference times its rates, and states no error."""
    kernel = next(k for k in all_kernels() if k.function == "mplan_dense_s8")
    shape = next(s for s in sweep() if s.op.label == "Dense")
    case = kernel_cases([kernel], [shape], reference("c99"))[0]
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


@pytest.mark.slow
def test_fitting_writes_the_files_of_a_set(
    arm_gcc: str, qemu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cycles and sizes of every kernel that was counted; errors over networks are kept."""
    few = tuple(shape for shape in sweep() if shape.op.label == "Dense")[:10]
    monkeypatch.setattr("mcuplan.prove.fit.kernels.sweep", lambda: few)
    (tmp_path / "kernels" / "dsp").mkdir(parents=True)
    written = {file.path.name: file for file in fit_set("dsp", {}, tmp_path)}
    assert {"cycles.toml", "sizes.toml", "board.toml"} == set(written)
    found = tomllib.loads(written["cycles.toml"].path.read_text(encoding="utf-8"))
    shipped = tomllib.loads((codegen_dir() / "kernels" / "dsp" / "cycles.toml").read_text("utf-8"))
    assert shipped["networks"] == found["networks"]
    assert {"mplan_dense_s8_dsp", "mplan_conv2d_s8_dsp"} < set(found["kernels"])
    for name, row in found["kernels"].items():
        assert shipped["kernels"][name].keys() == row.keys()
        assert row["mean_error"] <= row["max_error"] <= 0.05
    boards = tomllib.loads(written["board.toml"].path.read_text(encoding="utf-8"))
    assert found["kernels"].keys() == boards["kernels"].keys()
    assert all(set(BOARDS) == row["errors"].keys() for row in boards["kernels"].values())


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (["--fit", "--backend", "simd"], "one of auto, c99, dsp, fpu, mve, scalar"),
        (["--fit", "-t", "cortex-m4"], "leave it"),
        (["--fit", "--network", "model.onnx"], "NAME=MODEL.onnx"),
        (["--network", "net=model.onnx"], "--fit"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    given: list[str],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wrong flags stop before anything is measured, with what to write instead."""
    monkeypatch.setattr("mcuplan.resources.is_checkout", lambda: True)
    assert 2 == run(["bench", *given])
    assert hint in capsys.readouterr().err


def test_installed_figures_are_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a checkout is written to."""
    monkeypatch.setattr("mcuplan.resources.is_checkout", lambda: False)
    assert 2 == run(["bench", "--fit"])
    assert "in a checkout" in capsys.readouterr().err
