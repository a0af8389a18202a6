# SPDX-License-Identifier: Apache-2.0
"""The report of several models in one image, beside that of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from mcuplan.record.limits import LEFT_OUT, Signed
from mcuplan.record.model import TargetInfo
from mcuplan.record.proof import BuildInfo
from mcuplan.record.report import Baseline, Verdict
from mcuplan.record.sizes import Flash, Ram, RegionUse

__all__ = ["JOINT_SCHEMA", "JointBudget", "JointModel", "JointProof"]

JOINT_SCHEMA: Final = "mcuplan.bundle/1"


@dataclass(frozen=True, slots=True)
class JointModel:
    """One of the models, and what it would take alone.

    ``arena_bytes`` with its states; ``report`` is the file with its own report.
    """

    name: str
    file: str
    sha256: str
    arena_bytes: int
    stack_bytes: int
    weights_bytes: int
    tables_bytes: int
    ram_bytes: int
    flash_bytes: int
    report: str


@dataclass(frozen=True, slots=True)
class JointProof:
    """All models linked together, and run one after the other on an emulated core.

    ``elf_agrees``: constants, arenas and variables are those planned, and each kernel is there
    once; ``equal_to_reference``: every value of a sample of each, in two turns.
    """

    core: str
    elf_agrees: bool
    equal_to_reference: bool


@dataclass(frozen=True, slots=True)
class JointBudget:
    """The whole report. ``groups``: models of one never run at the same time.

    ``saved_ram_bytes`` and ``saved_flash_bytes``: what the models would take more in memory and
    with kernels of their own. ``baseline``: against an earlier report of the same name; its layers
    are models.
    """

    schema: Literal["mcuplan.bundle/1"]
    tool_version: str
    command: str
    name: str
    target: TargetInfo
    models: tuple[JointModel, ...]
    groups: tuple[tuple[str, ...], ...]
    regions: tuple[RegionUse, ...]
    verdict: Verdict
    ram: Ram
    flash: Flash
    saved_ram_bytes: Signed
    saved_flash_bytes: Signed
    build: BuildInfo | None
    proof: JointProof | None
    baseline: Annotated[Baseline | None, LEFT_OUT] = None
