# SPDX-License-Identifier: Apache-2.0
"""Which change of a model explains that it grew."""

from __future__ import annotations

from typing import Any

import pytest

from mcuplan.budget.causes import Side, changes, matched
from mcuplan.record import Change


def row(name: str, op: str, reads: str, before: list[int], after: list[int], **more: Any) -> Any:
    """A layer as a report has it, with weights as many as a convolution 1x1 has."""
    full = op.startswith("Conv")
    parameters = before[-1] * after[-1] if full else after[-1] * op.startswith("Dw")
    found = {
        "name": name,
        "op": op,
        "inputs": [reads],
        "output": f"{name}.out",
        "input_shapes": [before],
        "output_shape": after,
        "parameters": parameters,
        "weights_bytes": parameters,
        "input_bytes": before[-1],
    }
    return {**found, **more}


def net(width: int, second: int = 8, op: str = "Conv 1x1") -> tuple[Any, ...]:
    """A convolution of ``width`` channels, what follows it, and a second one."""
    return (
        row("a", op, "x", [1, 4, 4, 2], [1, 4, 4, width]),
        row("b", "DwConv 3x3", "a.out", [1, 4, 4, width], [1, 4, 4, width]),
        row("c", "Conv 1x1", "b.out", [1, 4, 4, width], [1, 4, 4, second]),
        row("d", "Mean of 16", "c.out", [1, 4, 4, second], [1, 1, 1, second]),
    )


def side(layers: tuple[Any, ...], *asked: str, version: str = "1", rows: int = 4) -> Side:
    """What of a report tells of causes."""
    return Side(layers, {"x": (1, 2, rows, 4)}, version, ("check", "net.onnx", *asked))


def test_one_layer_is_named_and_what_follows_it() -> None:
    """A layer that has its input's channels follows; the sole change explains all."""
    found = changes(side(net(56)), side(net(64)), 5120, 4872)
    assert (Change(("a",), "output channels 56 -> 64", ("b", "c"), 5120, 4872),) == found


def test_two_changes_are_two() -> None:
    """Of several changes each explains its weights, and none of them RAM alone."""
    found = changes(side(net(8, 8)), side(net(16, 24)), 100, 1000)
    assert [("c", "output channels 8 -> 24"), ("a", "output channels 8 -> 16")] == [
        (each.layers[0], each.what) for each in found
    ]
    assert [None, None] == [each.ram_delta for each in found]
    assert [16 * 24 - 8 * 8, 2 * 8 + 8] == [each.flash_delta for each in found]


def test_both_sides_of_an_add_are_one_change() -> None:
    """Layers that must agree were widened together."""
    nets = []
    for width in (8, 16):
        side_branch = row("e", "Conv 1x1", "x", [1, 4, 4, 2], [1, 4, 4, width])
        shapes = [[1, 4, 4, width], [1, 4, 4, width]]
        add = row("f", "Add", "", [1, 4, 4, width], [1, 4, 4, width], inputs=["a.out", "e.out"])
        nets.append((net(width)[0], side_branch, {**add, "input_shapes": shapes, "parameters": 0}))
    found = changes(side(nets[0]), side(nets[1]), 7, 9)
    assert (("a", "e"), ("f",), 7, 9) == (
        found[0].layers,
        found[0].follow,
        found[0].ram_delta,
        found[0].flash_delta,
    )
    assert "output channels 8 -> 16; e output channels 8 -> 16" == found[0].what


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (side(net(8)), side(net(8, op="Conv 3x3")), ("a", "Conv 1x1 -> Conv 3x3")),
        (side(net(8)), side(net(8), rows=8), ("x", "input shape 1x2x4x4 -> 1x2x8x4")),
        (side(net(8), version="0"), side(net(8)), ("", "mcuplan 0 -> 1")),
        (side(net(8), "--objective", "ram"), side(net(8)), ("", "--objective ram -> not given")),
        (side(net(8)), side(net(8), "--keep-input"), ("", "--keep-input not given -> on")),
        (side(net(8)), side(net(8)[:3]), ("d", "layer is gone")),
        (side(net(8)[:3]), side(net(8)), ("d", "new layer")),
        (
            side(net(8)),
            side((*net(8)[:2], {**net(8)[2], "weights_dtype": "int4"}, net(8)[3])),
            None,
        ),
    ],
)
def test_other_changes(old: Side, new: Side, said: tuple[str, str] | None) -> None:
    """Operators, inputs, options, the tool, layers that come and go; an unknown type is none."""
    found = changes(old, new, 1, 1)
    shown = [("".join(each.layers), each.what) for each in found]
    assert ([said] if said else []) == shown


def test_limits_are_no_change_of_the_plan() -> None:
    """A budget that was raised is no reason why a model grew."""
    old, new = (side(net(8), "--max-ram", text, "--warn-at", "90%") for text in ("1K", "2K"))
    assert () == changes(old, new, 0, 0)


def test_types_of_a_layer() -> None:
    """Weights and activations of other types are changes of their layer."""
    rows = [
        {**net(8)[0], "weights_dtype": kind, "output_type": {"dtype": wide}}
        for kind, wide in (("int8", "int8"), ("int4", "int16"))
    ]
    (found,) = changes(side((rows[0],)), side((rows[1],)), 0, -8)
    assert "weights int8 -> int4, activations int8 -> int16" == found.what


def test_renamed_layers_are_the_same() -> None:
    """An exporter that numbers anew makes no layer new; a widened one is found, too."""
    renamed = tuple({**each, "name": f"n{i}"} for i, each in enumerate(net(8)))
    assert [(a["op"], b["op"]) for a, b in matched(net(8), renamed) if a and b] == [
        (each["op"], each["op"]) for each in net(8)
    ]
    assert () == changes(side(net(8)), side(renamed), 0, 0)
    wider = tuple({**each, "name": f"n{i}"} for i, each in enumerate(net(16)))
    (found,) = changes(side(net(8)), side(wider), 3, 4)
    assert ("n0", "output channels 8 -> 16", 3) == (found.layers[0], found.what, found.ram_delta)


def test_a_baseline_without_shapes_of_inputs() -> None:
    """Reports of earlier versions are compared by the bytes of their inputs."""
    old = []
    for each in net(56):
        kept = {k: v for k, v in each.items() if k not in ("input_shapes", "output", "inputs")}
        old.append(kept)
    (found,) = changes(side(tuple(old)), side(net(64)), 1, 2)
    assert (("a",), "output channels 56 -> 64") == (found.layers, found.what)
