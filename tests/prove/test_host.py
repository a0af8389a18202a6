# SPDX-License-Identifier: Apache-2.0
"""Bundles as programs of this computer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny

from mcuplan.errors import ToolFailed
from mcuplan.prove.api import DeadBytes, TensorDump
from mcuplan.prove.harness import SANITIZE, Image, build_for_host
from mcuplan.prove.host import run_on_host, run_sanitized
from mcuplan.prove.toolchain import Compiler, host_compiler, lacks


@pytest.mark.parametrize("program", ["gcc", "clang"])
def test_outputs_and_dumps(program: str, tmp_path: Path) -> None:
    """Each sample's outputs and kept tensors come back in order and in the ports' types."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    compiler = host_compiler(program)
    if lacks(compiler, SANITIZE, tmp_path):
        pytest.skip(f"the sanitizers of {program} do not work here")
    image = build_for_host(tiny.bundle(), tiny.API, tmp_path, compiler, dumps=tiny.DUMPS)
    a, b = tiny.samples(300)
    mixed, turned = tiny.expected(a, b)

    run = run_on_host(image, (a, b))

    assert np.array_equal(turned, run.outputs[0])
    assert np.array_equal(np.stack([a[:, 0].view(np.uint8), b[:, 0]], 1), run.outputs[1][:, :2])
    assert (np.dtype(np.int8), np.dtype(np.uint8)) == tuple(o.dtype for o in run.outputs)
    assert np.array_equal(mixed, run.dumps[0])
    assert np.array_equal(turned, run.dumps[1])


def test_no_samples(host: Compiler, tmp_path: Path) -> None:
    """A run without samples returns empty arrays of the right width."""
    image = build_for_host(tiny.bundle(), tiny.API, tmp_path, host, dumps=tiny.DUMPS)

    run = run_on_host(image, tiny.samples(0))

    assert [(0, tiny.WIDTH), (0, 3)] == [output.shape for output in run.outputs]
    assert [(0, tiny.WIDTH)] * 2 == [dump.shape for dump in run.dumps]


def test_dump_of_a_step_that_never_runs(host: Compiler, tmp_path: Path) -> None:
    """A tensor of a step that the model does not run is an error, not an empty array."""
    dumps = (*tiny.DUMPS, TensorDump(7, "sram", 0, 4))
    image = build_for_host(tiny.bundle(), tiny.API, tmp_path, host, dumps=dumps)

    with pytest.raises(ToolFailed, match="step 7 ran 0 times"):
        run_on_host(image, tiny.samples(2))


def test_stale_memory_shows(host: Compiler, tmp_path: Path) -> None:
    """A model that reads arena bytes before it wrote them sees a pattern, not zeros."""
    image = build_for_host(tiny.bundle("sram[122]"), tiny.API, tmp_path, host)

    run = run_on_host(image, tiny.samples(2))

    assert [0xA5, 0xA5] == run.outputs[1][:, 2].tolist()


def test_dead_bytes_are_spoiled_between_steps(host: Compiler, tmp_path: Path) -> None:
    """What is declared dead after a step is no longer there in the next; the rest is."""
    dead = (DeadBytes(0, "sram", 1, 39), DeadBytes(0, "sram", 40, 1))
    image = build_for_host(tiny.bundle("sram[39]"), tiny.API, tmp_path, host, dead=dead)
    a, b = tiny.samples(3)

    run = run_on_host(image, (a, b))

    assert np.array_equal(tiny.expected(a, b)[1], run.outputs[0])
    assert a[:, 0].view(np.uint8).tolist() == run.outputs[1][:, 0].tolist()
    assert [0x5A] * 3 == run.outputs[1][:, 1].tolist()
    assert [0x5A ^ 38] * 3 == run.outputs[1][:, 2].tolist()


@pytest.mark.parametrize(
    ("access", "message"),
    [
        ("sram[200 + sram[40] * 0]", "AddressSanitizer"),
        ("1 << (40 + sram[0] * 0)", "runtime error"),
    ],
)
def test_sanitizers_stop_the_run(access: str, message: str, host: Compiler, tmp_path: Path) -> None:
    """A read behind an arena and an undefined shift each end the run with the report's text."""
    image = build_for_host(tiny.bundle(access), tiny.API, tmp_path, host)

    with pytest.raises(ToolFailed, match=message):
        run_on_host(image, tiny.samples(1))


def test_warning_is_an_error(host: Compiler, tmp_path: Path) -> None:
    """A bundle that compiles with a warning is refused, with what the compiler said."""
    kernel = tiny.kernel_calling("    int unused = input[0];\n    output[0] = 1;")

    with pytest.raises(ToolFailed, match=r"unused"):
        build_for_host(tiny.bundle(kernel=kernel), tiny.API, tmp_path, host)


def test_model_error_is_reported(host: Compiler, tmp_path: Path) -> None:
    """An inference call that returns an error names the status and the sample."""
    a, b = tiny.samples(13)
    a[12, 0] = 99

    image = build_for_host(tiny.bundle(), tiny.API, tmp_path, host)

    with pytest.raises(ToolFailed, match="status 3 on sample 12"):
        run_on_host(image, (a, b))


def test_endless_model_is_stopped(host: Compiler, tmp_path: Path) -> None:
    """A model that does not return is ended at the time limit."""
    kernel = tiny.kernel_calling(
        "    volatile int8_t go = input[0];\n    go = 1;\n    while (go) {\n    }\n"
        "    output[0] = go;"
    )
    image = build_for_host(tiny.bundle(kernel=kernel), tiny.API, tmp_path, host, sanitize=False)

    with pytest.raises(ToolFailed, match=r"within 0\.5 s"):
        run_on_host(image, tiny.samples(1), timeout_s=0.5)


def test_wrong_inputs_are_refused(host: Compiler, tmp_path: Path) -> None:
    """Samples of another size or type than the port never reach the model."""
    image = build_for_host(tiny.bundle(), tiny.API, tmp_path, host)
    a, b = tiny.samples(2)

    with pytest.raises(ValueError, match="tiny_input_a"):
        run_on_host(image, (a[:, 1:], b))
    with pytest.raises(ValueError, match="tiny_input_b"):
        run_on_host(image, (a, b.view(np.int8)))


def _build(compiler: Compiler, work: Path, sanitize: bool) -> Image:
    return build_for_host(tiny.bundle(), tiny.API, work, compiler, sanitize=sanitize)


def _without_runtime(name: str, real: str, folder: Path) -> None:
    """A compiler in front of a real one that cannot link with sanitizers."""
    program = folder / name
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *" -c "*) ;; *-fsanitize*) echo no runtime >&2; exit 1;; esac\n'
        f'exec {real} "$@"\n'
    )
    program.chmod(0o755)


@pytest.mark.parametrize("missing", [("gcc",), ("gcc", "clang")])
def test_sanitizers_without_a_runtime(
    missing: tuple[str, ...], host: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where gcc cannot link with sanitizers clang does, else it runs without and says so."""
    tools, work = tmp_path / "tools", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    for name in missing:
        _without_runtime(name, host.path, tools)
    if "clang" not in missing:
        (tools / "clang").symlink_to(host.path)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    a, b = tiny.samples(3)

    _, run, sanitized = run_sanitized(_build, work, (a, b))

    assert ("clang" not in missing) == sanitized
    assert np.array_equal(tiny.expected(a, b)[1], run.outputs[0])


def test_a_wrong_address_is_no_lack_of_sanitizers(host: Compiler, tmp_path: Path) -> None:
    """What a sanitizer finds is never taken for a compiler that has none."""

    def build(compiler: Compiler, work: Path, sanitize: bool) -> Image:
        files = tiny.bundle("sram[200 + sram[40] * 0]")
        return build_for_host(files, tiny.API, work, compiler, sanitize=sanitize)

    with pytest.raises(ToolFailed, match="AddressSanitizer"):
        run_sanitized(build, tmp_path, tiny.samples(1))
