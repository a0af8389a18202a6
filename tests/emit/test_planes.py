# SPDX-License-Identifier: Apache-2.0
"""Inputs in planes of channels (NCHW) by rows as C: held, and fed row by row."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from networks import STAMP

from mcuplan.emit import emit
from mcuplan.errors import UsageError
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Transpose
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.prove.cores import core_named
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.prove.toolchain import write_files
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


def planes_net(seed: int, kind: str = "residual") -> Graph:
    """A small network of a kind, behind planes of channels."""
    rng = np.random.default_rng(seed)
    net = Wiring(f"{kind}{seed}")
    channels, height, width = (int(rng.integers(*low)) for low in ((2, 6), (12, 30), (9, 23)))
    x = net.input(1, channels, height, width)
    for _ in range(seed % 3):
        x = net.add(Lookup((UnaryFn("tanh"),)), x)
    x = net.conv(net.add(Transpose((0, 2, 3, 1)), x), 8, 3, 2)
    if kind == "residual":
        x = net.add(Add(), net.conv(net.conv(x, 8, 3), 8, 3), x)
        x = net.conv(x, 12, 3, 2)
    else:
        wide = net.conv(x, 16)
        op = Conv2D((3, 3), (2, 2), pads=(1, 1, 1, 1), groups=16)
        x = net.conv(net.conv_with(op, wide, 16), 8)
    _, height, width, _ = net.shape(x)
    return net.graph(net.add(AvgPool2D((height, width), (height, width)), x))


def _feeds(plan: Plan, samples: int) -> dict[str, np.ndarray]:
    port, graph = plan.program.graph.inputs[0], plan.program.graph
    shape = graph.tensor(port.tensor).type.shape[1:]
    values = np.random.default_rng(5).integers(-128, 128, (samples, *shape))
    return {port.tensor: values.astype(np.int8)}


def _rows(graph: Graph, feed: bool, core: str = "cortex-m4") -> Plan:
    plan = plan_rows(graph, load_target(core), feed=feed)
    assert plan is not None
    return plan


def _arena(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("kind", ["residual", "inverted"])
@pytest.mark.parametrize("seed", range(3))
def test_planes_equal_the_reference_on_the_host(
    seed: int, kind: str, feed: bool, host_gcc: str
) -> None:
    """Every row of every step is the reference's, with dead rows of planes spoiled."""
    plan = _rows(planes_net(seed, kind), feed)
    assert prove_on_host(Subject(emit(plan, "net", STAMP), plan), _feeds(plan, 6)).mismatch is None


@pytest.mark.parametrize(("core", "feed"), [("cortex-m0plus", False), ("cortex-m4", True)])
def test_planes_equal_the_reference_on_a_core(
    core: str, feed: bool, arm_gcc: str, qemu: str
) -> None:
    """Outputs and sizes of a linked image are those of the plan."""
    plan = _rows(planes_net(1), feed, core)
    proof = prove_on_core(
        Subject(emit(plan, "net", STAMP), plan), _feeds(plan, 1), core_named(core)
    )
    assert proof.equal
    assert () == proof.drift


@pytest.mark.parametrize("kind", ["residual", "inverted"])
@pytest.mark.parametrize("seed", range(3))
def test_planes_cost_hardly_more_than_pixels(seed: int, kind: str) -> None:
    """The transposed image is never held: a row of pixels, and a hole or two, come on top."""
    planes = planes_net(seed, kind)
    found = plan_graph(planes, _TARGET, streaming="auto")
    whole = plan_graph(planes, _TARGET, streaming="off")
    image = planes.tensor(planes.inputs[0].tensor).type
    assert _arena(whole) >= 2 * image.nbytes
    _, channels, height, width = image.shape
    assert image.nbytes <= _arena(found) <= image.nbytes + 8 * channels * width + 1_000
    fed = plan_graph(planes, _TARGET, streaming="input")
    assert _arena(fed) < image.nbytes
    assert height == max(run.end for run in fed.runs if run.step < 0)


def test_planes_too_small_to_divide_are_refused_with_a_way_out() -> None:
    """An input that an output needs as it is cannot be fed."""
    net = Wiring("whole")
    x = net.input(1, 3, 6, 5)
    graph = net.graph(net.add(Transpose((0, 3, 1, 2)), x))
    with pytest.raises(UsageError, match="needs all of it at once"):
        plan_graph(graph, _TARGET, streaming="input")


_MAIN = """
#include <stdio.h>
#include <string.h>
#include "fed.h"
#include "whole.h"

int main(void)
{
    static fed_sram_t fed_sram;
    static whole_sram_t whole_sram;
    static int8_t image[FED_INPUT_DIM1][FED_INPUT_DIM2][FED_INPUT_DIM3];
    fed_ctx_t ctx = {.sram = &fed_sram};
    const whole_ctx_t whole = {.sram = &whole_sram};
    int8_t row[FED_INPUT_ROW_BYTES];

    for (size_t i = 0U; i < sizeof image; i++) {
        (&image[0][0][0])[i] = (int8_t)((int)((i * 37U) % 251U) - 125);
    }
    (void)fed_begin(&ctx);
    for (size_t y = 0U; y < FED_INPUT_ROWS; y++) {
        for (size_t c = 0U; c < FED_INPUT_ROW_PLANES; c++) {
            memcpy(&row[c * FED_INPUT_ROW_PIXELS], image[c][y], FED_INPUT_ROW_PIXELS);
        }
        if (fed_feed_row(&ctx, row) != MPLAN_OK) {
            return 1;
        }
        memset(row, 0x77, sizeof row);
    }
    memcpy(whole_input(&whole), image, sizeof image);
    if ((fed_finish(&ctx) != MPLAN_OK) || (whole_invoke(&whole) != MPLAN_OK)) {
        return 2;
    }
    for (size_t i = 0U; i < FED_OUTPUT_BYTES; i++) {
        printf("%d ", (int)fed_output(&ctx)[i]);
    }
    return (memcmp(fed_output(&ctx), whole_output(&whole), FED_OUTPUT_BYTES) != 0) ? 3 : 0;
}
"""


def test_fed_planes_are_the_whole_call(host_gcc: str, tmp_path: Path) -> None:
    """Rows as the header asks for them, of an image in the model's order, give its output."""
    graph = planes_net(4)
    fed, whole = _rows(graph, True), plan_graph(graph, _TARGET, streaming="off")
    files = emit(fed, "fed", STAMP).files | emit(whole, "whole", STAMP).files
    write_files(files, tmp_path)
    (tmp_path / "main.c").write_text(_MAIN)
    sources = ["main.c", *(str(path) for path in files if path.suffix == ".c")]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]
    command = [host_gcc, "-std=c99", "-O1", *checks, "-Werror", "-I.", "-Implan", *sources]
    subprocess.run([*command, "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=False)
    shape = graph.inputs[0].shape
    image = ((np.arange(np.prod(shape)) * 37) % 251 - 125).astype(np.int8).reshape(shape)
    wanted = evaluate(graph, {graph.inputs[0].tensor: image})[graph.outputs[0].tensor]
    assert (0, wanted.reshape(-1).tolist()) == (
        done.returncode,
        [int(word) for word in done.stdout.split()],
    ), done.stdout + done.stderr


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("planes", [False, True])
def test_lines_as_rows_equal_the_reference_on_the_host(
    planes: bool, feed: bool, host_gcc: str
) -> None:
    """An input of one row that is read pixel by pixel keeps its bytes and its shape in C."""
    net = Wiring("line")
    x = net.input(*((1, 6, 1, 48) if planes else (1, 1, 48, 6)))
    x = net.add(Transpose((0, 2, 3, 1)), x) if planes else x
    x = net.conv_with(Conv2D((1, 5), pads=(0, 2, 0, 2)), x, 16)
    x = net.add(Add(), net.conv_with(Conv2D((1, 3), pads=(0, 1, 0, 1), groups=16), x, 16), x)
    x = net.conv_with(Conv2D((1, 4), (1, 3)), x, 8)
    plan = _rows(net.graph(net.add(AvgPool2D((1, 15)), x)), feed)
    assert 48 in {step.signature.inputs[0].rows for step in plan.program.steps}
    assert prove_on_host(Subject(emit(plan, "net", STAMP), plan), _feeds(plan, 6)).mismatch is None
