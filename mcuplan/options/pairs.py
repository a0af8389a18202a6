# SPDX-License-Identifier: Apache-2.0
"""Options that are given several times, each for a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcuplan.errors import UsageError
from mcuplan.facts import RepairKind

if TYPE_CHECKING:
    from mcuplan.calibrate import Observers
    from mcuplan.ir.types import DType

__all__ = ["dims_of", "layers_of", "observers_of", "regions_of", "repairs_of", "weights_of"]


def dims_of(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Sizes of dimensions by name.

    Raises:
        UsageError: one name is given two sizes.
    """
    found: dict[str, int] = {}
    for name, size in pairs:
        if found.setdefault(name, size) != size:
            raise UsageError(
                f"two sizes for one dimension: {found[name]} and {size}",
                f"--dim {name}",
                "one size for each name; --dim INPUT:AXIS=N where axes share a name",
            )
    return found


def regions_of(given: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Budgets of memories by name.

    Raises:
        UsageError: one is given two.
    """
    found: dict[str, int] = {}
    for name, size in given:
        if found.setdefault(name, size) != size:
            raise UsageError(f"two budgets for memory {name!r}", "--max-region", "one of them")
    return found


def observers_of(pairs: Sequence[tuple[str, str]]) -> Observers:
    """How ranges follow from the inputs.

    Raises:
        UsageError: one name, or all others, is given two observers.
    """
    from mcuplan.calibrate import Observers

    hint = "one of them; NAME=OBSERVER is for one tensor"
    found = _one_each(pairs, ("observers for", "all tensors"), "--observer", hint)
    usual = found.pop("", "minmax")
    return Observers(usual, found)


def layers_of(pairs: Sequence[tuple[str, str]], dtype: str) -> tuple[str, ...]:
    """Layers that are to compute in a type.

    Raises:
        UsageError: one layer is given two types.
    """
    found = _one_each(pairs, ("types for layer", ""), "--layer-dtype", "one of them")
    return tuple(name for name, asked in found.items() if asked == dtype)


def weights_of(pairs: Sequence[tuple[str, str]]) -> dict[str, DType]:
    """Types of weights by layer, of all others under the empty name.

    Raises:
        UsageError: one layer, or all others, is given two types.
    """
    from mcuplan.ir.types import DType

    hint = "one of them; NAME=int8 is for one layer"
    found = _one_each(pairs, ("types for the weights of", "all layers"), "--weight-dtype", hint)
    return {name: DType.named(dtype) for name, dtype in found.items()}


def repairs_of(wanted: Sequence[str], unwanted: Sequence[str]) -> dict[RepairKind, bool]:
    """Kinds of repair beside those of an effort, and those left out.

    Raises:
        UsageError: one is asked for and left out.
    """
    for kind in wanted:
        if kind in unwanted:
            raise UsageError(f"--repair and --no-repair of {kind}", "", "one of them")
    asked = {RepairKind(kind): True for kind in wanted}
    return {**asked, **{RepairKind(kind): False for kind in unwanted}}


def _one_each(
    pairs: Sequence[tuple[str, str]], said: tuple[str, str], option: str, hint: str
) -> dict[str, str]:
    """Values by name, that of all others under the empty one; no name has two.

    ``said``: what the values are for a name, and who all others are.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            who = f"{name!r}" if name else said[1]
            raise UsageError(f"two {said[0]} {who}: {found[name]} and {value}", option, hint)
    return found
