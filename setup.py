# SPDX-License-Identifier: Apache-2.0
"""The optional compiled parts; all else is in pyproject.toml.

Without a compiler the build goes on and mcuplan packs arenas and orders rows in Python, slower.
"""

from pathlib import Path

from setuptools import Extension, setup

_PACK = Path("mcuplan", "solvers", "packing", "csrc")
_ROWS = Path("mcuplan", "solvers", "rows", "csrc")

setup(
    ext_modules=[
        Extension(
            "mcuplan.solvers.packing._packcore",
            sources=[
                str(_PACK / f"{name}.c") for name in ("module", "search", "setup", "state", "wheel")
            ],
            depends=[str(_PACK / name) for name in ("packcore.h", "state.h")],
            py_limited_api=True,
            optional=True,
        ),
        Extension(
            "mcuplan.solvers.rows._rowcore",
            sources=[
                str(_ROWS / f"{name}.c") for name in ("least", "module", "search", "store", "ways")
            ],
            depends=[str(_ROWS / name) for name in ("rowcore.h", "store.h")],
            py_limited_api=True,
            optional=True,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
