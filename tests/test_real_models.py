# SPDX-License-Identifier: Apache-2.0
"""The whole tool on trained networks: the repository's own, and public ones where they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.backends import backend_of
from mcuplan.calibrate import Data, random_data, read_data
from mcuplan.pipeline import Begun, begin, generate, plan, plan_begun, retarget
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.cores import core_named
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

_OURS = Path(__file__).resolve().parents[1] / "models"
_TRAINED = ("digits_dscnn", "digits_gru", "digits_vit", "imu_gesture_cnn", "vowels_stream")
_CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
_ARENA = {  # bytes of activations that whole-tensor plans of these networks need
    "mlperf_kws_dscnn": 16_000,
    "mlperf_ic_resnet8": 49_152,
    "mlperf_vww_mobilenetv1": 55_296,
    "mlperf_ad_autoencoder": 768,
}
_SCRATCH = 1024
_FORMS = ("model", "model_qdq", "model_ort_qdq", "model_qoperator")
_PUBLIC = (
    "mlperf_ic_resnet8",
    "mlperf_ic_resnet8_nchw",
    "mlperf_kws_dscnn",
    "mlperf_vww_mobilenetv1",
    "mlperf_ad_autoencoder",
    "mcunet_vww",
    "micro_kws_m",
    "tflm_hello_world",
    "onnx2c_mnist14",
)


def _planned(name: str, target: str = "cortex-m4", backend: str = "c99") -> tuple[Planned, Data]:
    folder = _OURS / name
    calibration = folder / "calibration.npz"
    chip = replace(load_target(target), backend=backend)
    request = Request(folder / "model.onnx", chip, calibration=calibration)
    planned = plan(request)
    return planned, read_data(folder / "test.npz", planned.model.graph.app_inputs)


@pytest.mark.parametrize("name", _TRAINED)
def test_our_models_keep_their_accuracy(name: str) -> None:
    """The integer program loses at most one point, and one sample of few."""
    planned, data = _planned(name)
    seen = against_runtime(planned.model.path, planned.removal.whole, data, quantized=False)
    assert seen.accuracy is not None
    assert seen.accuracy.float_ is not None
    allowed = 0.01 if data.samples >= 200 else 1 / data.samples
    assert seen.accuracy.float_ - seen.accuracy.integer <= allowed + 1e-9
    assert () == seen.findings


@pytest.mark.parametrize("core", _CORES)
@pytest.mark.parametrize("name", _TRAINED)
def test_our_models_run_on_every_core(name: str, core: str, arm_gcc: str, qemu: str) -> None:
    """Output, ELF and stack agree with reference, plan and bound; frames of a stream in turn."""
    planned, data = _planned(name, core, backend_of(load_target(core).features))
    calls = 24 if planned.integer.states else 1
    feeds = {n: a[:calls] for n, a in boundary_inputs(planned.integer, data).items()}
    proof = prove_on_core(Subject(generate(planned, name), planned.plan), feeds, core_named(core))
    assert proof.equal
    assert () == proof.drift
    assert proof.stack_bytes <= proof.measured.stack.nbytes


def _public(folder: Path, name: str, form: str) -> tuple[Begun, Data]:
    """A public network on grids, and a few of its inputs."""
    path = folder / name / f"{form}.onnx"
    if not path.is_file():
        pytest.skip(f"{name} has no {form}")
    request = Request(path, load_target("cortex-m4"), random_calibration=True)
    begun = begin(request)
    ports = begun.model.graph.inputs
    data = random_data(ports, samples=6, seed=5)
    with np.load(folder / name / "inputs.npz") as arrays:
        port = ports[0]
        if port.dtype.value == "float32" and arrays["x"][0].size == np.prod(port.shape):
            real = arrays["x"][:6].astype(np.float32) * arrays["scale"] + arrays["offset"]
            shaped = real.astype(np.float32).reshape(len(real), *port.shape[1:])
            data = replace(data, inputs={port.name: shaped}, samples=len(real))
    return begun, data


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("name", _PUBLIC)
def test_public_networks_are_proved(
    name: str, form: str, test_models: Path, arm_gcc: str, qemu: str
) -> None:
    """C equals the reference; whole tensors lie in the least bytes; ELF and layers agree."""
    begun, data = _public(test_models, name, form)
    planned = plan_begun(begun, begun.request.target)
    whole = replace(begun, request=replace(begun.request, streaming="off"))
    memory = plan_begun(whole, begun.request.target).plan.memory["sram"]
    assert memory.optimal
    assert planned.plan.memory["sram"].arena_bytes <= memory.arena_bytes
    if name in _ARENA:
        assert memory.arena_bytes <= _ARENA[name] + _SCRATCH
    subject = Subject(generate(planned, name), planned.plan)
    feeds = boundary_inputs(planned.integer, data)
    assert prove_on_host(subject, feeds).mismatch is None
    one = {n: a[:1] for n, a in feeds.items()}
    fast = retarget(planned, replace(load_target("cortex-m4"), backend="dsp"))
    for tried in (subject, Subject(generate(fast, name), fast.plan)):
        proof = prove_on_core(tried, one, core_named("cortex-m4"))
        assert proof.equal
        assert () == proof.drift
    if planned.model.form != "float32":
        path = test_models / name / f"{form}.onnx"
        seen = against_runtime(path, planned.removal.whole, data, quantized=True)
        assert max(layer.max_lsb or 0 for layer in seen.layers.values()) <= 1
