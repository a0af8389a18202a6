# SPDX-License-Identifier: Apache-2.0
"""The optional compiled part; all else is in pyproject.toml.

Without a compiler the build goes on and mcuplan packs arenas in Python, slower.
"""

from pathlib import Path

from setuptools import Extension, setup

_FOLDER = Path("mcuplan", "memory", "csrc")

setup(
    ext_modules=[
        Extension(
            "mcuplan.memory._packcore",
            sources=[str(_FOLDER / f"{name}.c") for name in ("module", "search", "setup", "state", "wheel")],
            depends=[str(_FOLDER / name) for name in ("packcore.h", "state.h")],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
