# SPDX-License-Identifier: Apache-2.0
"""mcuplan: from a trained ONNX model to proven firmware code.

``mcuplan.check(model, target)`` and its kin are in :mod:`mcuplan.api`, which is loaded when one of
them is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcuplan.api import (
        Bundled,
        Generated,
        McuplanError,
        Problems,
        Report,
        bundle,
        check,
        check_targets,
        generate,
        plan,
        quantize,
        verify,
    )

__version__ = "0.1.0"
__all__ = [
    "Bundled",
    "Generated",
    "McuplanError",
    "Problems",
    "Report",
    "__version__",
    "bundle",
    "check",
    "check_targets",
    "generate",
    "plan",
    "quantize",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import mcuplan.api

    return getattr(mcuplan.api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
