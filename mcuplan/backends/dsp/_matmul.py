# SPDX-License-Identifier: Apache-2.0
"""Products of two activations: matrices of the second are packed when a call reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mcuplan.backends.dsp._shared import FOUR, clamped, kernel
from mcuplan.ir.op import Call, Signature
from mcuplan.ir.work import Work
from mcuplan.ops.matmul import MatMul, accumulator_max, factors, matmul_call
from mcuplan.ops.walks import LOOPS, Walk, walks
from mcuplan.units import align_up

__all__ = ["MATMULS"]

_ACCUMULATOR = 1 << 31


def _walks(sig: Signature) -> tuple[Walk, ...]:
    """As the operands are passed: the first one stays along the columns."""
    op = sig.op
    assert isinstance(op, MatMul)
    found = walks(op.labels, sig.shapes, sig.output.shape)
    if not any(found[LOOPS - 1][1:3]):
        return found
    return tuple((walk[0], *walk[3:], *walk[1:3]) for walk in found)


def _supports(sig: Signature) -> bool:
    """Bytes in a row where they are widened or packed, and sums that can be shifted."""
    *_, columns, depth, _ = _walks(sig)
    return (
        columns[0] >= 2
        and depth[0] >= 1
        and depth[1:3] == (0, 1)
        and (depth[3:] == (0, 1) or columns[3:] == (0, 1))
        and accumulator_max(sig) << factors(sig)[1] < _ACCUMULATOR
    )


def _counts(sig: Signature) -> tuple[int, int]:
    """Matrix products of an output row, and matrices of the second operand that they read."""
    around = _walks(sig)[: LOOPS - 1]
    count = math.prod(walk[0] for walk in around)
    last = max((i for i, walk in enumerate(around) if any(walk[3:])), default=-1)
    return count, math.prod(walk[0] for walk in around[: last + 1])


def _stays(sig: Signature) -> bool:
    """Whether all output rows read the same matrices."""
    return not any(_walks(sig)[-1][3:])


def _scratch(sig: Signature) -> int:
    *_, columns, depth, _ = _walks(sig)
    count, matrices = _counts(sig)
    column = align_up(depth[0], FOUR)
    return count * (FOUR * column + 8) + matrices * align_up(columns[0], 2) * column


def _scratch_by_rows(sig: Signature) -> int:
    *_, columns, depth, _ = _walks(sig)
    return (FOUR + align_up(columns[0], 2)) * align_up(depth[0], FOUR)


def _together(sig: Signature) -> bool:
    """One matrix, that all rows read; several at once take more scratch than they are worth."""
    return _supports(sig) and _stays(sig) and _counts(sig)[0] == 1


def _parts(sig: Signature, runs: Sequence[int], twos: int, packed: int, lines: int) -> Work:
    """Two lines by two columns; a matrix is packed in fours of products of two columns."""
    *_, columns, depth, _ = _walks(sig)
    fours, pairs = -(-depth[0] // FOUR), -(-columns[0] // 2)
    turned = depth[3:] != (0, 1)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "two": twos,
        "line": lines,
        "widened": lines * fours,
        "packed_pair": packed * pairs * (not turned),
        "packed_step": packed * pairs * fours * (not turned),
        "packed_four": packed * fours * turned,
        "packed_turned": packed * pairs * fours * turned,
        "pair": twos * pairs,
        "step": twos * pairs * fours,
        "odd": twos * (columns[0] % 2),
        "clamp": clamped(sig)["clamp"],
    }


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Matrices are packed once a call, rows come in twos."""
    count, matrices = _counts(sig)
    twos = count * sum(-(-rows // 2) for rows in runs)
    return _parts(sig, runs, twos, matrices * len(runs), 2 * twos)


def _work_by_rows(sig: Signature, runs: Sequence[int]) -> Work:
    """Matrices are packed for each row."""
    count, matrices = _counts(sig)
    rows = sig.output.rows
    return _parts(sig, runs, rows * count, rows * matrices, 2 * rows * count)


def _lower(sig: Signature, by_rows: int) -> tuple[Call, ...]:
    (call,) = matmul_call(sig)
    return (replace(call, fields={**call.fields, "by_rows": by_rows}),)


_matmul = partial(kernel, MatMul, function="mplan_matmul_s8_dsp", cost_class="dense")

MATMULS = (
    _matmul(
        lower=partial(_lower, by_rows=0),
        work=_work,
        supports=_together,
        scratch_bytes=_scratch,
    ),
    _matmul(
        lower=partial(_lower, by_rows=1),
        work=_work_by_rows,
        supports=_supports,
        scratch_bytes=_scratch_by_rows,
    ),
)
