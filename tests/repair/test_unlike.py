# SPDX-License-Identifier: Apache-2.0
"""Unlike channels that no weights can make alike: what plain grids lose, and what best leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from repair.points import integer_outputs, right
from repair.unlike_nets import CLASSES, UNLIKE, Unlike, unlike

from mcuplan import pipeline
from mcuplan.budget.quantization import quantization_findings
from mcuplan.facts import RepairKind
from mcuplan.ir.types import DType
from mcuplan.record import Request
from mcuplan.repair import Repaired
from mcuplan.targets import load_target

_REPAIRED = {
    "columns": RepairKind.INPUTS,
    "halves": RepairKind.INPUTS,
    "offsets": RepairKind.INPUTS,
    "heads": RepairKind.OUTPUTS,
    "outputs": RepairKind.OUTPUTS,
    "small gates": RepairKind.TABLES,
    "instances": RepairKind.EQUALIZATION,
    "swish": RepairKind.TABLES,
    "gelu": RepairKind.TABLES,
    "hard swish": RepairKind.TABLES,
    "little swish": RepairKind.WIDENING,  # where tables are left out
}
"""What heals each."""

_LARGE = ("gelu", "hard swish", "heads", "columns", "little swish", "small gates")
_KINDS = [pytest.param(kind, marks=pytest.mark.slow) if kind in _LARGE else kind for kind in UNLIKE]


def _asked(net: Unlike, folder: Path, effort: str) -> Request:
    (folder / "net.onnx").write_bytes(net.model.SerializeToString())
    np.savez(folder / "data.npz", x=net.calibration)
    return Request(
        folder / "net.onnx",
        load_target("cortex-m4"),
        calibration=folder / "data.npz",
        quantize_effort=effort,
    )


def _found(asked: Request) -> Repaired:
    _, graph = pipeline.simplify(asked)
    return pipeline.quantize(asked, graph)


def _lost(net: Unlike, found: Repaired) -> float:
    """Percent of clear decisions of the float model that the integer program does not take.

    Clear: the second largest score is a twentieth of the range of all below the largest.
    """
    theirs = net.scores
    made = integer_outputs(found.grids.graph, net.inputs)[:, :CLASSES]
    ordered = np.sort(theirs, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] >= 0.05 * (ordered[:, -1] - ordered[:, 0])
    assert clear.sum() > 200
    return 100.0 - right(made[clear], theirs[clear].argmax(axis=1))


@pytest.mark.parametrize("kind", _KINDS)
def test_best_keeps_what_one_scale_loses(kind: str, tmp_path: Path) -> None:
    """Best loses at most a point of decisions on samples unseen, and says what healed it."""
    net = unlike(kind)
    assert right(net.scores, net.labels) > 70
    assert _lost(net, _found(_asked(net, tmp_path, "fast"))) >= 5
    asked = _asked(net, tmp_path, "best")
    if _REPAIRED[kind] is RepairKind.WIDENING:
        asked = replace(asked, repairs={RepairKind.TABLES: False})
    best = _found(asked)
    assert _lost(net, best) <= 1
    assert best.calibrated is not None
    gains = {each.kind: each for each in best.calibrated.repairs if each.kept}
    gain = gains[_REPAIRED[kind]]
    assert gain.after_db > gain.before_db + 3
    told = quantization_findings(best.grids, best.calibrated, real_ranges=True)
    assert "quant/repaired" in {each.code for each in told}


def _types(found: Repaired) -> Mapping[str, bool]:
    tensors = found.grids.graph.tensors.values()
    return {
        "float32": any(t.real for t in tensors if not t.is_constant),
        "int16": any(t.wanted is DType.INT16 for t in tensors),
    }


@pytest.mark.parametrize("kind", ["halves", pytest.param("small gates", marks=pytest.mark.slow)])
def test_int8_alone_is_kept_where_that_is_asked_for(kind: str, tmp_path: Path) -> None:
    """Without the kinds that take other types, no tensor has another one."""
    asked = _asked(unlike(kind), tmp_path, "best")
    assert any(_types(_found(asked)).values())
    without = dict.fromkeys((RepairKind.INPUTS, RepairKind.OUTPUTS, RepairKind.WIDENING), False)
    assert not any(_types(_found(replace(asked, repairs=without))).values())


def test_what_no_integers_hold_is_left_out(tmp_path: Path) -> None:
    """In int16 some channels that are made alike have sums beyond what factors are held for."""
    asked = replace(_asked(unlike("halves"), tmp_path, "fast"), dtype=DType.INT16)
    found = _found(replace(asked, repairs={RepairKind.EQUALIZATION: True}))
    assert found.calibrated is not None
    assert [each.kind for each in found.calibrated.repairs] == [RepairKind.EQUALIZATION]


def test_factors_of_ends_are_powers_of_two(tmp_path: Path) -> None:
    """So that a product with one rounds nothing, and the float graph computes what it did."""
    found = _found(_asked(unlike("halves"), tmp_path, "best"))
    constants = [t for t in found.graph.tensors.values() if t.is_constant and t.real]
    factors = [t.data for t in constants if t.name.endswith("factors")]
    assert factors
    for each in factors:
        assert each is not None
        np.testing.assert_array_equal(np.log2(each), np.rint(np.log2(each)))
