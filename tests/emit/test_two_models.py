# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from networks import STAMP, tiny_plan

from mcuplan.emit import emit
from mcuplan.ir.evaluate import evaluate
from mcuplan.prove.toolchain import write_files

MAIN = """
#include <stdio.h>
#include "one.h"
#include "two.h"

static union {
    one_sram_t one;
    two_sram_t two;
} arena;

int main(void)
{
    const one_ctx_t one = {&arena.one};
    const two_ctx_t two = {&arena.two};

    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0U; i < ONE_INPUT_BYTES; i++) {
            one_input(&one)[i] = (int8_t)((int)i - 56);
        }
        if (one_invoke(&one) != MPLAN_OK) {
            return 1;
        }
        for (size_t i = 0U; i < ONE_OUTPUT_BYTES; i++) {
            printf("%d ", (int)one_output(&one)[i]);
        }
        for (size_t i = 0U; i < TWO_INPUT_BYTES; i++) {
            two_input(&two)[i] = (int8_t)(55 - (int)i);
        }
        if (two_invoke(&two) != MPLAN_OK) {
            return 1;
        }
        for (size_t i = 0U; i < TWO_OUTPUT_BYTES; i++) {
            printf("%d ", (int)two_output(&two)[i]);
        }
    }
    return (one_input(NULL) == NULL) && (one_invoke(NULL) == MPLAN_ERR_NULL) ? 0 : 2;
}
"""


def test_two_models_share_an_image_and_an_arena(host_gcc: str, tmp_path: Path) -> None:
    """Two bundles merge into one folder, take turns in one arena, and both stay right."""
    plan = tiny_plan()
    files = emit(plan, "one", STAMP).files | emit(plan, "two", STAMP).files
    write_files(files, tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    sources = ["main.c", *(str(path) for path in files if path.suffix == ".c")]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    command = [host_gcc, *flags, "-I.", "-Implan", *sources, "-o", "app"]
    subprocess.run(command, cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "app"], check=True, capture_output=True, text=True).stdout
    graph = plan.program.graph
    shape = (1, 8, 7, 2)
    up = np.arange(-56, 56).astype(np.int8).reshape(shape)
    down = np.arange(55, -57, -1).astype(np.int8).reshape(shape)
    (tensor,) = (port.tensor for port in graph.outputs)
    want = [evaluate(graph, {"image": x})[tensor].reshape(-1).tolist() for x in (up, down)]
    assert 2 * (want[0] + want[1]) == [int(word) for word in said.split()]
