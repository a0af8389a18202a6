# SPDX-License-Identifier: Apache-2.0
"""A few of the random networks that `cycle_nets.py` counts by night."""

from __future__ import annotations

import tomllib

import pytest
from cycle_nets import FIRST

from mcuplan.price.cycles import calls_timing, kernel_timings
from mcuplan.prove.fit.calls import COUNT
from mcuplan.prove.fit.calls import FIRST as FIRST_FITTED
from mcuplan.prove.fit.random_networks import counted, network
from mcuplan.resources import codegen_dir
from mcuplan.schedule.calls import call_cycles

_COMPILERS_DIFFER = 0.01


@pytest.mark.parametrize("seed", [201, 206, 245])
def test_random_networks_take_what_is_modelled(seed: int, counted_gcc: str, qemu: str) -> None:
    """Whole, by rows and fed: no plan is off by more than it states, and what it states is tight.

    Rows that are fed and runs that are found are modelled, not only allowed for.
    """
    for one in counted(seed):
        assert abs(one.off) <= one.stated + _COMPILERS_DIFFER, (one.streaming, *one.worst())
        assert abs(one.off) <= 0.02 + _COMPILERS_DIFFER, (one.streaming, *one.worst())
        beside = call_cycles(one.plan)
        assert bool(sum(beside.runs.values())) == (one.streaming != "off")
        assert bool(sum(beside.taking.values())) == (one.streaming == "input")


def test_signals_are_among_them() -> None:
    """Every third network has rows of one pixel; some inputs are planes."""
    shapes = [network(seed).inputs[0].shape for seed in range(FIRST, FIRST + 12)]
    assert any(shape[2] == 1 or shape[3] == 1 for shape in shapes)
    assert any(shape[1] < shape[2] for shape in shapes)


def test_what_is_fitted_is_not_what_tests() -> None:
    """No seed is in both sets, and the file says where it comes from."""
    assert FIRST_FITTED >= FIRST + 200
    text = (codegen_dir() / "templates" / "cycles.toml").read_text(encoding="utf-8")
    assert f"{COUNT} random networks, seeds {FIRST_FITTED} to {FIRST_FITTED + COUNT - 1}" in text


def test_layers_of_networks_count_for_what_is_stated() -> None:
    """A kernel that was further off in networks than over its shapes states that."""
    text = (codegen_dir() / "templates" / "cycles.toml").read_text(encoding="utf-8")
    known = {**kernel_timings("c99"), **kernel_timings("dsp")}
    for name, layer in tomllib.loads(text)["layers"].items():
        assert known[name].max_error >= layer["max_error"], name
    assert calls_timing().fed > calls_timing().held > 0
