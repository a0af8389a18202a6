# SPDX-License-Identifier: Apache-2.0
"""A hand-made bundle of two steps, in the shape that the emitter gives real ones."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from mcuplan.ir.types import DType
from mcuplan.prove.api import BundleApi, IoPort, TensorDump
from mcuplan.resources import codegen_dir

WIDTH = 40
API = BundleApi(
    name="tiny",
    header="tiny.h",
    regions=(("sram", "tiny_sram_t"), ("dtcm", "tiny_dtcm_t")),
    inputs=(IoPort("tiny_input_a", WIDTH), IoPort("tiny_input_b", WIDTH, DType.UINT8)),
    outputs=(IoPort("tiny_output", WIDTH), IoPort("tiny_output_raw", 3, DType.UINT8)),
    steps=2,
)
DUMPS = (TensorDump(0, "sram", 2 * WIDTH, WIDTH), TensorDump(1, "dtcm", 0, WIDTH))

_HEADER = """\
/* SPDX-License-Identifier: 0BSD */
#ifndef TINY_H
#define TINY_H
#include "mplan.h"
typedef struct { MPLAN_ALIGNED(4) int8_t bytes[123]; } tiny_sram_t;
typedef struct { MPLAN_ALIGNED(8) int8_t bytes[48]; } tiny_dtcm_t;
typedef struct { tiny_sram_t *sram; tiny_dtcm_t *dtcm; } tiny_ctx_t;
int8_t *tiny_input_a(const tiny_ctx_t *ctx);
uint8_t *tiny_input_b(const tiny_ctx_t *ctx);
const int8_t *tiny_output(const tiny_ctx_t *ctx);
const uint8_t *tiny_output_raw(const tiny_ctx_t *ctx);
mplan_status_t tiny_invoke(const tiny_ctx_t *ctx);
#endif
"""

_SOURCE = """\
/* SPDX-License-Identifier: 0BSD */
#include "tiny.h"
#include "mplan_mix_s8.h"

#ifndef MPLAN_STEP_HOOK
#define MPLAN_STEP_HOOK(step, ctx) ((void)0)
#endif

static const int8_t weights[41] = { 3, -7, 11, 5 };
static const int32_t biases[5] = { 1, 2, 3, 4, 5 };

int8_t *tiny_input_a(const tiny_ctx_t *ctx) { return &ctx->sram->bytes[0]; }
uint8_t *tiny_input_b(const tiny_ctx_t *ctx) { return (uint8_t *)&ctx->sram->bytes[40]; }
const int8_t *tiny_output(const tiny_ctx_t *ctx) { return &ctx->dtcm->bytes[0]; }
const uint8_t *tiny_output_raw(const tiny_ctx_t *ctx)
{
    return (const uint8_t *)&ctx->sram->bytes[120];
}

mplan_status_t tiny_invoke(const tiny_ctx_t *ctx)
{
    int8_t *const sram = &ctx->sram->bytes[0];

    if (sram[0] == 99) {
        return MPLAN_ERR_ORDER;
    }
    mplan_mix_s8(sram, (const uint8_t *)&sram[40], weights, biases, &sram[80]);
    MPLAN_STEP_HOOK(0, ctx);
    mplan_turn_s8(&sram[80], &ctx->dtcm->bytes[0]);
    sram[120] = sram[0];
    sram[121] = sram[40];
    sram[122] = (int8_t)ACCESS;
    MPLAN_STEP_HOOK(1, ctx);
    return MPLAN_OK;
}
"""

_KERNEL_HEADER = """\
/* SPDX-License-Identifier: 0BSD */
#ifndef MPLAN_MIX_S8_H
#define MPLAN_MIX_S8_H
#include "mplan.h"
void mplan_mix_s8(const int8_t *a, const uint8_t *b, const int8_t *weights,
                  const int32_t *biases, int8_t *output);
void mplan_turn_s8(const int8_t *input, int8_t *output);
#endif
"""

_KERNEL = """\
/* SPDX-License-Identifier: 0BSD */
#include <string.h>
#include "mplan_mix_s8.h"

void mplan_mix_s8(const int8_t *a, const uint8_t *b, const int8_t *weights,
                  const int32_t *biases, int8_t *output)
{
    int8_t copy[40];

    memcpy(copy, a, sizeof copy);
    for (size_t i = 0U; i < 40U; i++) {
        const int32_t sum = (copy[i] * weights[i % 4U]) + b[i] + biases[i % 5U];
        output[i] = (int8_t)mplan_clamp(mplan_scale(sum, 123456789, 3U), -128, 127);
    }
}

void mplan_turn_s8(const int8_t *input, int8_t *output)
{
    for (size_t i = 0U; i < 40U; i++) {
        output[i] = input[39U - i];
    }
}
"""


def bundle(access: str = "7", kernel: str = _KERNEL) -> dict[PurePosixPath, str]:
    """The files; ``access`` is a C expression over ``sram`` stored in the last output byte."""
    mplan_h = (codegen_dir() / "include" / "mplan.h").read_text(encoding="utf-8")
    files = {
        "tiny.h": _HEADER,
        "tiny.c": _SOURCE.replace("ACCESS", access),
        "mplan/mplan.h": mplan_h,
        "mplan/mplan_mix_s8.h": _KERNEL_HEADER,
        "mplan/mplan_mix_s8.c": kernel,
    }
    return {PurePosixPath(name): text for name, text in files.items()}


def kernel_calling(body: str) -> str:
    """The kernel source with other code in place of the second kernel's loop."""
    start = _KERNEL.index("    for (size_t i = 0U; i < 40U; i++) {\n        output[i] = input")
    return _KERNEL[:start] + body + "\n}\n"


def samples(count: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint8]]:
    """Inputs that never start with the value that the model refuses."""
    rng = np.random.default_rng(count)
    a = rng.integers(-128, 127, (count, WIDTH)).astype(np.int8)
    b = rng.integers(0, 255, (count, WIDTH)).astype(np.uint8)
    a[:, 0] = np.where(a[:, 0] == 99, 1, a[:, 0])
    return a, b


def expected(
    a: npt.NDArray[np.int8], b: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """What the two steps make of the inputs."""
    weights = np.tile(np.array([3, -7, 11, 5]), WIDTH // 4)
    biases = np.tile(np.arange(1, 6), WIDTH // 5)
    total = a.astype(np.int64) * weights + b.astype(np.int64) + biases
    mixed = np.clip((total * 8 * 123456789 + 2**31) >> 32, -128, 127).astype(np.int8)
    return mixed, mixed[:, ::-1]
