# SPDX-License-Identifier: Apache-2.0
"""Finds `codegen/` and `targets/`, in a checkout and in an installed wheel.

Both folders stay at the top of the repository because people edit them without
Python; the wheel carries them inside the package. Only this module knows.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["codegen_dir", "is_checkout", "targets_dir"]

_PACKAGE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"mcuplan is installed without its {name}/ folder")


def codegen_dir() -> Path:
    """Folder of kernels, headers and templates."""
    return _find("codegen")


def targets_dir() -> Path:
    """Folder of the built-in target files."""
    return _find("targets")


def is_checkout() -> bool:
    """Whether the folders are those of the sources, which may be written to."""
    return codegen_dir().parent == _PACKAGE.parent
