# SPDX-License-Identifier: Apache-2.0
"""Bytes that a step must leave alone: which they are, and that test images watch them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from networks import STAMP, tiny_plan, tiny_rows_plan

from mcuplan.emit import emit
from mcuplan.findings import Finding
from mcuplan.prove.cores import core_named
from mcuplan.prove.emulator import run_on_core
from mcuplan.prove.harness import Hook, build_for_core
from mcuplan.prove.kept import kept_bytes
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.prove.toolchain import Compiler
from mcuplan.schedule.program import Plan

_FEEDS = {"image": np.random.default_rng(5).integers(-128, 128, (2, 8, 7, 2)).astype(np.int8)}
_PLANS = {
    "whole": tiny_plan,
    "rows": lambda: tiny_rows_plan(feed=False),
    "fed": tiny_rows_plan,
}


def _subject(plan: Plan, statement: str = "") -> Subject:
    """The tiny network with a statement behind the call of step 1."""
    bundle = emit(plan, "tiny", STAMP)
    files = dict(bundle.files)
    source = PurePosixPath("tiny.c")
    end = files[source].index(";", files[source].index("mplan_depthwise_conv2d_s8(&")) + 1
    files[source] = f"{files[source][:end]}\n{statement}{files[source][end:]}"
    return Subject(replace(bundle, files=files), plan)


def _byte(plan: Plan) -> int:
    """The first byte of the input of step 1, which its output does not share."""
    kept = {
        at
        for s, _, first, n in kept_bytes(plan, _arena(plan))
        for at in range(first, first + n)
        if plan.runs[s].step == 1
    }
    _, offset = plan.address("conv")
    return min(at for at in kept if at >= offset)


def _arena(plan: Plan) -> dict[str, int]:
    return {
        region: size
        for region, (_, size) in zip(plan.memory, emit(plan, "tiny", STAMP).regions, strict=True)
    }


def _codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in findings]


@pytest.mark.parametrize("form", _PLANS)
def test_a_right_program_writes_nothing_else(form: str, host_gcc: str) -> None:
    """Every byte that a step changes is in its output or scratch."""
    proof = prove_on_host(_subject(_PLANS[form]()), _FEEDS)
    assert (None, ()) == (proof.mismatch, proof.findings)


@pytest.mark.parametrize("form", _PLANS)
def test_kept_and_written_bytes_make_up_the_arena(form: str) -> None:
    """Per step, spans lie in the arena, in order, apart, and leave room for the output."""
    plan = _PLANS[form]()
    arena = _arena(plan)["sram"]
    for index in range(len(plan.runs)):
        spans = [(at, n) for s, _, at, n in kept_bytes(plan, {"sram": arena}) if s == index]
        ends = [0, *(at + n for at, n in spans)]
        assert all(n > 0 and at >= end for (at, n), end in zip(spans, ends, strict=False))
        assert ends[-1] <= arena
        assert sum(n for _, n in spans) < arena


@pytest.mark.parametrize("form", _PLANS)
@pytest.mark.parametrize("place", ["input", "last"])
def test_a_step_that_writes_elsewhere_is_caught(form: str, place: str, host_gcc: str) -> None:
    """A step that changes its own input, or the arena's last bytes, is named; outputs are right."""
    plan = _PLANS[form]()
    at = _byte(plan) if place == "input" else _arena(plan)["sram"] - 1
    proof = prove_on_host(_subject(plan, f"sram[{at}] = (int8_t)(sram[{at}] + 1);"), _FEEDS)
    assert [("verify/stray-write", "net/dw")] == _codes(proof.findings)


@pytest.mark.parametrize("at", ["-1", "TINY_SRAM_BYTES + 3"])
def test_fences_around_the_arena_on_a_core(at: str, arm: Compiler, tmp_path: Path) -> None:
    """Bytes before and behind an arena are watched where no sanitizer is."""
    subject = _subject(tiny_plan(), f"((volatile int8_t *)(uintptr_t)sram)[{at}] = 5;")
    core = core_named("cortex-m4")
    files, api, kept = subject.bundle.files, subject.api(), subject.kept()
    image = build_for_core(files, api, tmp_path, core, arm, hook=Hook.COUNT, kept=kept)
    assert (1, 0) == run_on_core(image, (_FEEDS["image"],)).stray


def test_a_core_names_the_layer(arm_gcc: str, qemu: str) -> None:
    """Fast cores watch one sample; the finding says what and where."""
    plan = tiny_plan()
    proof = prove_on_core(
        _subject(plan, f"sram[{_byte(plan)}]++;"), _FEEDS, core_named("cortex-m4")
    )
    assert proof.equal
    assert [("verify/stray-write", "net/dw")] == _codes(proof.findings)
