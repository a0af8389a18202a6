# SPDX-License-Identifier: Apache-2.0
"""Code and stack of kernels as compiled for the reference.

`codegen/kernels/<backend>/sizes.toml` holds what each kernel took; its header line says for
which core, by which compiler.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mcuplan.ir.op import Kernel
from mcuplan.resources import codegen_dir

__all__ = ["KernelSize", "kernel_size", "kernel_sizes"]


@dataclass(frozen=True, slots=True)
class KernelSize:
    """Bytes of code, once in an image however many steps run it, and of stack."""

    code_bytes: int
    stack_bytes: int


_UNKNOWN = KernelSize(1024, 128)  # more than any kernel measured


@cache
def kernel_sizes(backend: str) -> Mapping[str, KernelSize]:
    """Sizes by kernel function, empty for a backend without a file."""
    path = codegen_dir() / "kernels" / backend / "sizes.toml"
    if not path.is_file():
        return MappingProxyType({})
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType({name: KernelSize(**row) for name, row in rows.items()})


def kernel_size(kernel: Kernel) -> KernelSize:
    """What one kernel took, or more than that of a kernel that nobody compiled."""
    return kernel_sizes(kernel.backend).get(kernel.function, _UNKNOWN)
