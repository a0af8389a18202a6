# SPDX-License-Identifier: Apache-2.0
"""Planned buffers against what CMSIS-NN's own functions want, as ExecuTorch's wheel has them.

No package of a registry brings the library's sources or headers; that wheel has its functions of
buffer sizes, compiled (`pip install --no-deps executorch`, from 1.5 on).
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mcuplan.backends._cmsis_nn_sizes import Extension, conv_buffer, depthwise_buffer
from mcuplan.ops.conv2d import Conv2D

NAMES = {Extension.NONE: "SCALAR", Extension.DSP: "DSP", Extension.MVE: "MVE"}
ONES = (1, 1)


@pytest.fixture(scope="module")
def theirs() -> ModuleType:
    """The functions, without the package around them."""
    spec = importlib.util.find_spec("executorch")
    folders = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    found = [path for folder in folders for path in folder.rglob("_cmsis_nn/cmsis_nn*.so")]
    if not found:
        pytest.skip("pip install --no-deps executorch brings what sizes are compared with")
    own = importlib.util.spec_from_file_location("cmsis_nn", found[0])
    assert own is not None
    assert own.loader is not None
    module = importlib.util.module_from_spec(own)
    own.loader.exec_module(module)
    return module


def _ops() -> Iterator[tuple[Conv2D, int]]:
    """Windows, strides, dilations and padding, with channels; some along one axis alone."""
    for kernel in ((1, 1), (3, 3), (1, 5), (5, 1), (10, 4), (2, 3)):
        for stride, dilation, channels in itertools.product((1, 2), (1, 2), (1, 3, 4, 16, 17, 130)):
            for pads in {(0, 0), ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)}:
                yield Conv2D(kernel, (stride,) * 2, (dilation,) * 2, (*pads, *pads)), channels


@pytest.mark.parametrize("extension", Extension)
@pytest.mark.parametrize("rows", [9, 1])
def test_convolutions(theirs: ModuleType, extension: Extension, rows: int) -> None:
    """As many bytes, of one row of the input and of all.

    More of a 1x1 kernel, for older releases and armclang, and on a core with vectors of a single
    row, for several.
    """
    backend = getattr(theirs.Backend, NAMES[extension])
    for op, channels in _ops():
        wanted = theirs.convolve_wrapper_buffer_size(
            backend,
            theirs.DataType.A8W8,
            input_nhwc=(1, rows, 23, channels),
            filter_nhwc=(8, *op.kernel, channels),
            output_nhwc=(1, rows, 1 + (23 + 2 * op.pads[1] - _reach(op)) // op.stride[1], 8),
            padding_hw=op.pads[:2],
            stride_hw=op.stride,
            dilation_hw=op.dilation,
        )
        planned = conv_buffer(op, channels, extension)
        along = rows == 1 and op.kernel[0] == 1 and extension is Extension.MVE
        single = op.kernel == op.dilation == ONES
        assert planned >= wanted if single or along else planned == wanted


def _reach(op: Conv2D) -> int:
    return (op.kernel[1] - 1) * op.dilation[1] + 1


@pytest.mark.parametrize("extension", Extension)
def test_depthwise(theirs: ModuleType, extension: Extension) -> None:
    """As many bytes, of every multiple of channels."""
    backend = getattr(theirs.Backend, NAMES[extension])
    for (op, channels), multiple in itertools.product(_ops(), (1, 2)):
        if channels == 1:
            continue
        wanted = theirs.depthwise_conv_wrapper_buffer_size(
            backend,
            theirs.DataType.A8W8,
            input_nhwc=(1, 9, 23, channels),
            filter_nhwc=(1, *op.kernel, channels * multiple),
            output_nhwc=(1, 9, 23, channels * multiple),
            padding_hw=op.pads[:2],
            stride_hw=op.stride,
            dilation_hw=op.dilation,
            ch_mult=multiple,
        )
        assert depthwise_buffer(op, channels, channels * multiple, extension) == wanted
