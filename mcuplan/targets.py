# SPDX-License-Identifier: Apache-2.0
"""Reads and validates `targets/*.toml`: what a chip or board has, and what it costs to run on.

`targets/README.md` describes every key. A file may extend a built-in target and then
states only what differs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcuplan.errors import McuplanError, Problems, TargetError, TargetMissingKey, TargetNotFound
from mcuplan.memory_system import MemorySystem
from mcuplan.resources import targets_dir
from mcuplan.safe_text import quoted
from mcuplan.solvers.packing.problem import Region
from mcuplan.spelling import did_you_mean
from mcuplan.target_boards import read_boards
from mcuplan.target_file import TomlTable, read_toml
from mcuplan.target_memory import TABLES, describe_memory, read_memory
from mcuplan.units import Estimate, format_bytes, format_si

__all__ = ["CORES", "Target", "describe", "lint", "list_targets", "load_target"]

CORES: Mapping[str, tuple[str, ...]] = {
    "cortex-m0": (),
    "cortex-m0plus": (),
    "cortex-m3": (),
    "cortex-m4": ("dsp", "fpu"),
    "cortex-m7": ("dsp", "fpu", "fpu-dp", "icache", "dcache"),
    "cortex-m33": ("dsp", "fpu"),
    "cortex-m55": ("dsp", "fpu", "fpu-dp", "mve", "mve-fp", "icache", "dcache"),
}
"""Cores, each with the features it may have (Arm's technical reference manuals)."""

RATES: Mapping[str, str] = {
    "conv2d": "cycles/mac",
    "depthwise": "cycles/mac",
    "dense": "cycles/mac",
    "requantize": "cycles/element",
    "pool": "cycles/element",
    "elementwise": "cycles/element",
    "copy": "cycles/element",
    "overhead_per_step": "cycles/step",
}
ENERGY: Mapping[str, str] = {
    "per_mac_s8_j": "J/mac",
    "per_sram_byte_j": "J/byte",
    "per_flash_byte_j": "J/byte",
}
TIMING: Mapping[str, str] = {
    "ram_bytes_per_cycle": "bytes/cycle",
    "flash_bytes_per_cycle": "bytes/cycle",
}
CODE_MODEL: Mapping[str, str] = {"scale": "ratio", "margin": "ratio"}

_NAME = r"[a-z][a-z0-9_-]{0,47}"
_NAME_RULE = "a name of a-z, 0-9, _ and -, starting with a letter"
_SECTION = r"[A-Za-z0-9_.]{1,48}"
_FLAG = r"-m[a-z][a-z0-9-]*(=[A-Za-z0-9_.+-]+)?"
_BACKEND = r"[a-z][a-z0-9_]{0,31}"
_MAX_BYTES = 1 << 32
_EXTEND_HINT = 'add it, or inherit it: extends = "cortex-m4"'
_OWN_KEYS = ("name", "description", "generic", "extends")
_GENERIC_KEYS = ("region", "clock_hz", "sources", "boards")  # of a core, not for a real board
_FIGURES = ("rates", "energy", "timing", "code_model", *TABLES)
_INHERITED = ("core", "flags", *_FIGURES, *_GENERIC_KEYS)
_DEEP = ("rates", *TABLES)  # merged two levels down
_REGION_HINT = 'add [[region]] with name, kind = "{kind}", bytes and source'


@dataclass(frozen=True, slots=True)
class Target:
    """A chip or board. Regions stand fastest first; rates and energies carry their source."""

    name: str
    description: str
    core: str
    generic: bool  # representative memory sizes, no real part
    features: tuple[str, ...]
    clock_hz: int
    regions: tuple[Region, ...]
    flags: tuple[str, ...]  # for arm-none-eabi-gcc
    rates: Mapping[str, Mapping[str, Estimate]] = field(hash=False)  # by backend
    energy: Mapping[str, Estimate] = field(hash=False)
    timing: Mapping[str, Estimate] = field(hash=False)
    code_model: Mapping[str, Estimate] = field(hash=False)
    sources: Mapping[str, str] = field(hash=False)
    memory: MemorySystem | None = None  # that code and constants are read from; None: no waits
    extends: str = ""
    boards: Mapping[str, str] = field(default_factory=dict, compare=False)  # by build system
    path: Path | None = field(default=None, compare=False)  # never printed
    backend: str = "c99"  # kernel set beside the portable one, or auto; what the user asked for

    @property
    def ram(self) -> tuple[Region, ...]:
        """RAM regions, fastest first."""
        return tuple(region for region in self.regions if region.kind == "ram")

    @property
    def flash(self) -> tuple[Region, ...]:
        """Flash regions, fastest first."""
        return tuple(region for region in self.regions if region.kind == "flash")

    @property
    def default_ram(self) -> Region:
        """Where the linker puts stack and variables: the RAM without a section of its own."""
        return next((region for region in self.ram if not region.section), self.ram[0])

    def rate(self, backend: str, kind: str) -> Estimate:
        """Cycles of ``kind`` (a key of ``RATES``) in ``backend``, or in c99 where it has none."""
        return self.rates.get(backend, {}).get(kind) or self.rates["c99"][kind]


def list_targets() -> tuple[str, ...]:
    """Names of the built-in targets, sorted."""
    return tuple(sorted(path.stem for path in targets_dir().glob("*.toml")))


def load_target(name_or_path: str | Path) -> Target:
    """The built-in target of that name, or the one in that file.

    Raises:
        TargetError, Problems: what :func:`lint` finds; ``target/not-found`` for an
            unknown name.
    """
    target, errors = _load(_find(name_or_path))
    Problems.raise_if_any(errors)
    assert target is not None
    return target


def lint(path: str | Path) -> tuple[McuplanError, ...]:
    """Every mistake in a target file, or in the built-in target of that name; () if none."""
    try:
        return _load(_find(path))[1]
    except TargetError as error:
        return (error,)


def describe(target: Target) -> tuple[tuple[str, str, str], ...]:
    """Rows (what, figure, source) for people; the order is fixed."""
    features = ", ".join(target.features) or "none"
    rows = [
        ("name", target.name, target.description),
        ("core", target.core, f"features: {features}"),
        ("clock", format_si(target.clock_hz, "Hz"), target.sources.get("clock_hz", "")),
        ("flags", " ".join(target.flags), "arm-none-eabi-gcc"),
    ]
    if target.generic:
        rows.insert(1, ("sizes", "representative", "a generic core, not a real part"))
    for region in target.regions:
        reserved = region.reserved_bytes
        kept = f", {format_bytes(reserved)} reserved for firmware" if reserved else ""
        waits = f", wait states {region.wait_states}" if region.wait_states else ""
        size = f"{region.kind} {format_bytes(region.bytes)}{kept}{waits}"
        rows.append((f"region {region.name}", size, region.source))
    rows += describe_memory(target.memory) if target.memory else ()
    tables = {f"rates.{backend}": rates for backend, rates in target.rates.items()}
    tables |= {"timing": target.timing, "energy": target.energy, "code_model": target.code_model}
    for table, figures in tables.items():
        for key, figure in figures.items():
            value = f"{figure.value:.4g} {figure.unit}"
            rows.append((f"{table}.{key}", value, f"{figure.origin}: {figure.note}"))
    return tuple(rows)


def _find(name_or_path: str | Path) -> Path:
    """The file meant: a built-in name wins over a file of that name without a suffix.

    Boards are often written in capitals, as their makers do.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and re.fullmatch(_NAME, text.lower()):
        built_in = targets_dir() / f"{text.lower()}.toml"
        if built_in.is_file():
            return built_in
    is_name = not re.search(r"[/\\]|\.toml$", text) and isinstance(name_or_path, str)
    if is_name and not os.path.exists(text):
        hint = f"{did_you_mean(text, list_targets())} (or give the path of a .toml file)"
        raise TargetNotFound(f"no target named {quoted(text)}", "", hint)
    return Path(name_or_path)


def _load(path: Path) -> tuple[Target | None, tuple[McuplanError, ...]]:
    """The target, or None and all that is wrong with the file."""
    errors: list[TargetError] = []
    file = re.sub(r"[^A-Za-z0-9_.-]", "_", path.name)[:60]
    try:
        own = read_toml(path)
        top = TomlTable(file, "", own, errors)
        values = _inherit(own, top)
    except TargetError as error:
        return None, (*errors, error)
    lost = {top.where(key) for key in _INHERITED} if errors else set()  # a bad base: said once
    target = _read(TomlTable(file, "", values, errors), path)
    told = [e for e in errors if not (isinstance(e, TargetMissingKey) and e.where in lost)]
    return (None if errors else target), tuple(told)


def _inherit(own: dict[str, Any], top: TomlTable) -> dict[str, Any]:
    """``own`` over the values of the built-in target it extends, bases first.

    A board on a generic core must state its own regions and clock; figures are
    inherited one by one.
    """
    layers, seen = [own], []
    while "extends" in layers[-1]:
        base = layers[-1]["extends"]
        if not isinstance(base, str) or base not in list_targets() or base in seen:
            known = isinstance(base, str) and base in seen
            what = "goes round in a circle" if known else f"{quoted(base)} is no built-in target"
            hint = did_you_mean(base if isinstance(base, str) else "", list_targets())
            top.bad("extends", what, hint)
            break
        seen.append(base)
        layers.append(read_toml(targets_dir() / f"{base}.toml"))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        board = merged.get("generic") is True and layer.get("generic") is not True
        gone = (*_OWN_KEYS, *_GENERIC_KEYS) if board else _OWN_KEYS
        merged = {key: value for key, value in merged.items() if key not in gone}
        changed = {k: _merge(merged.get(k), v, 2 if k in _DEEP else 1) for k, v in layer.items()}
        merged.update(changed)
    return merged


def _merge(base: Any, over: Any, depth: int) -> Any:
    """``over`` wins; tables down to ``depth`` are merged key by key, figures never."""
    if depth == 0 or not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: _merge(base.get(key), value, depth - 1) for key, value in over.items()}}


def _read(top: TomlTable, path: Path) -> Target:
    """The target in a merged document; meaningless where ``top.errors`` is not empty."""
    name = top.text("name", 'add name = "my-board"', pattern=_NAME, rule=_NAME_RULE)
    core = top.choice("core", CORES, _EXTEND_HINT)
    clock_hz = top.integer("clock_hz", 1, 10_000_000_000, "add clock_hz = 80_000_000")
    target = Target(
        name=name,
        description=top.text("description"),
        core=core,
        generic=top.flag("generic"),
        features=_features(top, core),
        clock_hz=clock_hz,
        regions=_regions(top),
        flags=_flags(top, core),
        rates=_rates(top),
        energy=_figures(top, "energy", ENERGY, {"per_cycle_j": "J/cycle"}),
        timing=_figures(top, "timing", TIMING, {"cycles_error": "ratio"}),
        code_model=_figures(top, "code_model", CODE_MODEL),
        sources=_sources(top),
        memory=read_memory(top, clock_hz, core),
        extends=str(top.get("extends") or ""),
        boards=read_boards(top),
        path=path,
    )
    top.close()
    return target


def _features(top: TomlTable, core: str) -> tuple[str, ...]:
    features = top.texts("features", r"[a-z][a-z0-9-]{0,31}", "a feature name")
    for feature in features:
        if core and feature not in CORES[core]:
            allowed = ", ".join(CORES[core]) or "none"
            hint = f"{core} may have: {allowed}"
            top.bad("features", f"{core} has no {quoted(feature)}", hint)
    return features


def _flags(top: TomlTable, core: str) -> tuple[str, ...]:
    """Compiler flags; only machine options pass, and they must be for the core."""
    flags = top.texts("flags", _FLAG, "a machine option such as -mthumb or -mcpu=cortex-m4")
    if "flags" not in top.values:
        top.missing("flags", f'add flags = ["-mcpu={core or "cortex-m4"}", "-mthumb"]')
    named = [flag.removeprefix("-mcpu=") for flag in flags if flag.startswith("-mcpu=")]
    if core and flags and [cpu.split("+")[0] for cpu in named] != [core]:
        top.bad("flags", f"do not say -mcpu={core} once", f'add "-mcpu={core}"')
    features = top.values.get("features")
    hard = [flag for flag in flags if re.match(r"-mfpu=(?!auto)|-mfloat-abi=(?!soft$)", flag)]
    if hard and isinstance(features, list) and not {"fpu", "mve"} & {str(f) for f in features}:
        top.bad("flags", f"{hard[0]} needs the feature fpu", 'add "fpu" to features')
    return flags


def _sources(top: TomlTable) -> Mapping[str, str]:
    inner = top.table("sources", 'add sources.clock_hz = "datasheet, section"')
    if inner is None:
        return {}
    found = {"clock_hz": inner.text("clock_hz", 'add sources.clock_hz = "datasheet, section"')}
    found |= {key: inner.text(key) for key in ("core", "features", "flags") if key in inner.values}
    inner.known += ["core", "features", "flags"]
    inner.close()
    return found


def _regions(top: TomlTable) -> tuple[Region, ...]:
    """All regions in file order, which says which is faster."""
    value = top.get("region", _REGION_HINT.format(kind="ram"))
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        top.bad("region", "is not an array of tables", "write [[region]] above each")
        return ()
    tables = [TomlTable(top.file, f"region[{i}]", item, top.errors) for i, item in enumerate(value)]
    regions = tuple(_region(table) for table in tables)
    _check_together(top, tables, regions)
    return regions


def _region(table: TomlTable) -> Region:
    name = table.text("name", 'add name = "sram"', pattern=_NAME, rule=_NAME_RULE)
    kind = table.choice("kind", ("ram", "flash"), 'add kind = "ram" or kind = "flash"')
    size = table.integer("bytes", 1, _MAX_BYTES, "add bytes = 131_072")
    reserved = table.integer("reserved_bytes", 0, _MAX_BYTES)
    if "bytes" in table.values and reserved > size:
        message = f"{reserved:,} B reserved of {size:,} B"
        table.bad("reserved_bytes", message, "reserve at most what the region has")
    wait_states = table.integer("wait_states", 0, 255)
    base = table.integer("base", 0, _MAX_BYTES - 1) if "base" in table.values else None
    section = table.text("section", pattern=_SECTION, rule="a linker section such as .dtcm")
    source = table.text("source", 'add source = "datasheet, table"')
    table.known.append("base")
    table.close()
    return Region(
        name=name,
        kind="flash" if kind == "flash" else "ram",
        bytes=size,
        reserved_bytes=min(reserved, size),
        wait_states=wait_states,
        section=section,
        source=source,
        base=base,
    )


def _check_together(top: TomlTable, tables: list[TomlTable], regions: tuple[Region, ...]) -> None:
    """What can only be seen with all regions at hand: twins, and a kind with none."""
    for index, region in enumerate(regions):
        before = regions[:index]
        in_c = {other.name.replace("-", "_") for other in before}  # as the generated code says it
        if region.name and region.name.replace("-", "_") in in_c:
            tables[index].bad("name", f"a second region {quoted(region.name)}", "rename one")
        twins = [other for other in before if other.kind == region.kind == "ram"]
        if region.kind == "ram" and region.section in {other.section for other in twins}:
            what = f"section {quoted(region.section)}" if region.section else "no section"
            hint = "only one RAM region is the linker's default; name a section for the others"
            tables[index].bad("section", f"{what}, as an earlier RAM region", hint)
    for kind in ("ram", "flash"):
        kinds = [table.values.get("kind") for table in tables]
        if kind not in kinds:
            top.bad("region", f"no {kind} region", _REGION_HINT.format(kind=kind))


def _rates(top: TomlTable) -> Mapping[str, Mapping[str, Estimate]]:
    """Rates by backend; c99 has all of them, another backend those it is faster in."""
    inner = top.table("rates", _EXTEND_HINT)
    if inner is None:
        return {}
    inner.get("c99", _EXTEND_HINT)
    found: dict[str, Mapping[str, Estimate]] = {}
    for backend in inner.values:
        if not re.fullmatch(_BACKEND, backend):
            continue  # close() names it
        required = RATES if backend == "c99" else {}
        found[backend] = _figures(inner, backend, required, RATES)
    inner.close()
    return found


def _figures(
    top: TomlTable, key: str, required: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> Mapping[str, Estimate]:
    """The figures of one table, with the units its keys have, in the order of these."""
    inner = top.table(key, _EXTEND_HINT if required else "")
    if inner is None:
        return {}
    found = {}
    for name, unit in {**required, **(optional or {})}.items():
        hint = (
            f'add {name} = {{ value = 1.0, unit = "{unit}", origin = "measured", source = "..." }}'
        )
        figure = inner.figure(name, unit, hint if name in required else "", zero=name == "margin")
        if figure is not None:
            found[name] = figure
    inner.close()
    return found
