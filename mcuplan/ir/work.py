# SPDX-License-Identifier: Apache-2.0
"""What loops count: how often the parts of a kernel run for one whole output.

A kernel names its parts and counts them from shapes alone; how many cycles each part takes
is measured (`mcuplan.cycles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcuplan.ir.op import Kernel, Signature

__all__ = [
    "Work",
    "conv_work",
    "dense_work",
    "depthwise_work",
    "plain_work",
    "pool_work",
    "work_of",
]

Work = Mapping[str, float]


def work_of(kernel: Kernel, sig: Signature) -> Work:
    """What a kernel says, else what every kernel of its class counts."""
    if kernel.work is not None:
        return kernel.work(sig)
    by_class: Mapping[str, Callable[[Signature], Work]] = {
        "conv2d": conv_work,
        "depthwise": depthwise_work,
        "dense": dense_work,
        "pool": pool_work,
    }
    return by_class.get(kernel.cost_class, plain_work)(sig)


def plain_work(sig: Signature) -> Work:
    """Calls, rows, pixels, elements made, and what is done for them."""
    output = sig.output
    cost = sig.op.cost(sig.inputs, sig.outputs)
    pixels = output.elements / max(1, output.channels)
    same = all(kind.shape == output.shape for kind in sig.inputs)
    return {
        "call": 1,
        "row": output.rows,
        "line": output.rows if same else pixels,
        "pixel": pixels,
        "output": output.elements,
        "step": cost.macs + cost.ops,
    }


def conv_work(sig: Signature) -> Work:
    """Two channels of a pixel at a time, a run of each kernel row in fours."""
    out_c, kernel_h, kernel_w, group_c = sig.constant(1).shape
    output = sig.output
    pixels = output.elements // out_c
    wide = sig.op.window(sig.inputs).size[1] > kernel_w
    whole = group_c == sig.inputs[0].channels and not wide
    run, runs = (kernel_w * group_c, 1) if whole else (group_c, kernel_w)
    groups = sig.inputs[0].channels // group_c
    pairs = pixels * groups * -(-out_c // groups // 2)
    return {
        "call": 1,
        "row": output.rows,
        "pixel": pixels,
        "pair": pairs,
        "line": pairs * kernel_h,
        "run": pairs * kernel_h * runs,
        "four": pairs * kernel_h * runs * (run // 4),
        "one": pairs * kernel_h * runs * (run % 4),
        "output": output.elements,
    }


def depthwise_work(sig: Signature) -> Work:
    """Four channels of a pixel at a time, then one by one; every tap."""
    out_c, kernel_h, kernel_w, _ = sig.constant(1).shape
    output = sig.output
    pixels = output.elements // out_c
    fours = out_c // 4 if out_c == sig.inputs[0].channels else 0
    ones = out_c - 4 * fours
    return {
        "call": 1,
        "row": output.rows,
        "pixel": pixels,
        "four_line": pixels * fours * kernel_h,
        "four_tap": pixels * fours * kernel_h * kernel_w,
        "one_line": pixels * ones * kernel_h,
        "one_tap": pixels * ones * kernel_h * kernel_w,
        "output": output.elements,
    }


def dense_work(sig: Signature) -> Work:
    """Two outputs of a pixel at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    return {
        "call": 1,
        "row": sig.output.rows,
        "pixel": pixels,
        "pair": pixels * (out_c // 2),
        "pair_step": pixels * (out_c // 2) * in_c,
        "last_step": pixels * (out_c % 2) * in_c,
        "output": sig.output.elements,
    }


def pool_work(sig: Signature, side_by_side: int = 8) -> Work:
    """Some channels of a window at a time, then those that are left."""
    output = sig.output
    kernel_h, kernel_w = sig.op.window(sig.inputs).size
    pixels, (blocks, rest) = (
        output.elements // max(1, output.channels),
        divmod(output.channels, side_by_side),
    )
    lines = pixels * kernel_h
    return {
        "call": 1,
        "row": output.rows,
        "pixel": pixels,
        "line": lines,
        "tap": lines * kernel_w,
        "block": pixels * blocks,
        "block_line": lines * blocks,
        "block_tap": lines * kernel_w * blocks,
        "rest_line": lines * (rest > 0),
        "rest_tap": lines * kernel_w * (rest > 0),
        "one_tap": lines * kernel_w * rest,
        "output": output.elements,
    }
