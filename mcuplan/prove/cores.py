# SPDX-License-Identifier: Apache-2.0
"""The Cortex-M cores that bundles are built for and emulated on.

Machines and memories: QEMU 7.2, ``docs/system/arm/mps2`` and the boards' application notes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuplan.errors import UsageError

__all__ = ["CORES", "Core", "core_named"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """Address range of an emulated board."""

    origin: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Core:
    """How to compile for a core, and the machine that emulates it.

    Attributes:
        flags: what the compiler needs to know of the processor.
        machine: QEMU's name, empty where there is none.
        vectors: address of the vector table.
        flash, ram: memories that play them.
        timing: table or model for estimated cycles (``m0``, ``m0plus``, ``m3``, ``m4``, ``m33``,
            ``m7``, ``m55``); empty = instructions only.
    """

    name: str
    flags: tuple[str, ...]
    machine: str
    vectors: int
    flash: Memory
    ram: Memory
    timing: str

    @property
    def memory(self) -> dict[str, str]:
        """What a linker script says of its machine and memories, by name."""
        return {
            "core": self.name,
            "machine": self.machine,
            "vectors_origin": hex(self.vectors),
            "flash_origin": hex(self.flash.origin),
            "flash_bytes": hex(self.flash.nbytes),
            "ram_origin": hex(self.ram.origin),
            "ram_bytes": hex(self.ram.nbytes),
        }

    def with_flags(self, flags: tuple[str, ...]) -> Core:
        """The same core compiled with other processor flags."""
        return replace(self, flags=flags)


_MPS2_FLASH, _MPS2_RAM = Memory(0x100, 4 * _MIB - 0x100), Memory(0x20000000, 4 * _MIB)
_AN505_FLASH, _AN505_RAM = Memory(0x10000100, 4 * _MIB - 0x100), Memory(0x38000000, 4 * _MIB)
_AN547_FLASH, _AN547_RAM = Memory(0x01000000, 2 * _MIB), Memory(0x21000000, 4 * _MIB)


def _flags(cpu: str, fpu: str = "") -> tuple[str, ...]:
    hard = (f"-mfpu={fpu}", "-mfloat-abi=hard") if fpu else ()
    return (f"-mcpu={cpu}", "-mthumb", *hard)


_ALL = (
    Core("cortex-m0", _flags("cortex-m0"), "mps2-an385", 0, _MPS2_FLASH, _MPS2_RAM, "m0"),
    Core(
        "cortex-m0plus",
        _flags("cortex-m0plus"),
        "mps2-an385",
        0,
        _MPS2_FLASH,
        _MPS2_RAM,
        "m0plus",
    ),
    Core("cortex-m3", _flags("cortex-m3"), "mps2-an385", 0, _MPS2_FLASH, _MPS2_RAM, "m3"),
    Core(
        "cortex-m4",
        _flags("cortex-m4", "fpv4-sp-d16"),
        "mps2-an386",
        0,
        _MPS2_FLASH,
        _MPS2_RAM,
        "m4",
    ),
    Core(
        "cortex-m7",
        _flags("cortex-m7", "fpv5-d16"),
        "mps2-an500",
        0,
        _MPS2_FLASH,
        _MPS2_RAM,
        "m7",
    ),
    Core(
        "cortex-m33",
        _flags("cortex-m33", "fpv5-sp-d16"),
        "mps2-an505",
        0x10000000,
        _AN505_FLASH,
        _AN505_RAM,
        "m33",
    ),
    Core(
        "cortex-m55",
        _flags("cortex-m55", "auto"),
        "mps3-an547",
        0,
        _AN547_FLASH,
        _AN547_RAM,
        "m55",
    ),
    Core(
        "cortex-m85",
        _flags("cortex-m85", "auto"),
        "mps3-an547",
        0,
        _AN547_FLASH,
        _AN547_RAM,
        "",
    ),
)

CORES = {core.name: core for core in _ALL}
"""By name; the M85 needs a compiler that knows it (GCC 13) and runs on the M55's machine."""


def core_named(name: str) -> Core:
    """The core of that name.

    Raises:
        UsageError: no such core.
    """
    if name not in CORES:
        raise UsageError(
            f"no core {name!r} to build for", where="core", hint=f"one of {', '.join(CORES)}"
        )
    return CORES[name]
