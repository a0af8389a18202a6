# SPDX-License-Identifier: Apache-2.0
"""Several models in one image: kernels once, one header, and arenas that models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Template
from types import MappingProxyType

from mcuplan import __version__
from mcuplan.emit.bundle import Bundle
from mcuplan.resources import codegen_dir

__all__ = ["Joint", "joined"]

_TYPE = """\
/**
 * Working memory of all models in region "{member}"; the application defines it.{place}
 * {note}
 */
typedef struct {{
{members}
}} {name}_{member}_t;
"""
_APART = "Each model has memory of its own."
_UNION = """\
Models of one union never run at the same time: what one leaves there, outputs included, is gone
 * when another of them runs or takes rows."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Generated code of several models.

    Attributes:
        files: of all of them, kernels once, and ``NAME.h``.
        groups: names of models that never run at the same time; every model is in one group.
        regions: context member and bytes of each arena that an application defines.
    """

    name: str
    files: Mapping[PurePosixPath, str]
    bundles: tuple[Bundle, ...]
    groups: tuple[tuple[str, ...], ...]
    regions: tuple[tuple[str, int], ...]

    def places(self, bundle: Bundle) -> tuple[tuple[str, str], ...]:
        """For each arena of a model the member of the context, and its place in that of all."""
        number = next(i for i, group in enumerate(self.groups) if bundle.name in group)
        shared = f".shared_{number}" if len(self.groups[number]) > 1 else ""
        return tuple((member, f"{shared}.{bundle.name}") for member, _ in bundle.regions)


def joined(
    name: str, bundles: Sequence[Bundle], groups: Sequence[Sequence[str]], target: str
) -> Joint:
    """One image of several models; their names and ``name`` have nothing in common in C.

    Raises:
        ValueError: models do not agree on a file.
    """
    files: dict[PurePosixPath, str] = {}
    for bundle in bundles:
        for path, text in bundle.files.items():
            if files.setdefault(path, text) != text:
                raise ValueError(f"two models have different files {path}")
    by_name = {bundle.name: bundle for bundle in bundles}
    grouped = tuple(tuple(group) for group in groups)
    members = dict.fromkeys(member for bundle in bundles for member, _ in bundle.regions)
    regions = tuple(
        (member, sum(_bytes(member, [by_name[n] for n in group]) for group in grouped))
        for member in members
    )
    joint = Joint(name, MappingProxyType(files), tuple(bundles), grouped, regions)
    files[PurePosixPath(f"{name}.h")] = _header(joint, target)
    return joint


def _bytes(member: str, bundles: Sequence[Bundle]) -> int:
    """Bytes of a region that models share."""
    return max(dict(bundle.regions).get(member, 0) for bundle in bundles)


def _header(joint: Joint, target: str) -> str:
    template = codegen_dir() / "templates" / "joint.h.in"
    return Template(template.read_text(encoding="ascii")).substitute(
        file=joint.name,
        NAME=joint.name.upper(),
        version=__version__,
        target=target,
        models="\n".join(f" * {bundle.name}: see {bundle.name}.h" for bundle in joint.bundles),
        includes="\n".join(f'#include "{bundle.name}.h"' for bundle in joint.bundles),
        types="\n".join(_type(joint, member, nbytes) for member, nbytes in joint.regions),
        contexts="\n".join(_context(joint, bundle) for bundle in joint.bundles),
    )


def _type(joint: Joint, member: str, nbytes: int) -> str:
    """The memory of a region: a union for each group, a member for each model of its own."""
    macro = f"{joint.name}_{member}".upper()
    lines, shares = [], False
    for number, group in enumerate(joint.groups):
        owners = [b.name for b in joint.bundles if b.name in group and member in dict(b.regions)]
        own = [f"{owner}_{member}_t {owner};" for owner in owners]
        if own and len(group) > 1:
            shares = True
            inner = "\n".join(f"        {line}" for line in own)
            lines.append(f"    union {{\n{inner}\n    }} shared_{number};")
        else:
            lines += [f"    {line}" for line in own]
    section = next((b.name for b in joint.bundles if member in dict(b.sections)), "")
    defined = f"#define {macro}_BYTES ({nbytes}U) /* with arenas of 4 bytes' alignment */\n"
    if section:
        defined += f"#define {macro}_SECTION {section.upper()}_{member.upper()}_SECTION\n"
    place = f"\n * in section {macro}_SECTION, see {section}.ld" if section else ""
    note = _UNION if shares else _APART
    named = {"name": joint.name, "member": member, "place": place, "note": note}
    return f"{defined}\n{_TYPE.format(members=chr(10).join(lines), **named)}"


def _context(joint: Joint, bundle: Bundle) -> str:
    """A function that makes the context of a model from the memory of all."""
    name = bundle.name
    members = [member for member, _ in bundle.regions]
    taken = ", ".join(f"{joint.name}_{member}_t *{member}" for member in members)
    places = [f"&{member}->{path[1:]}" for member, path in joint.places(bundle)]
    values = ", ".join([*places, *(["0U", "0U"] if bundle.fed_rows else [])])
    return (
        f"/** The context of {name} in the memory of all. */\n"
        f"static inline {name}_ctx_t {joint.name}_{name}({taken})\n{{\n"
        f"    const {name}_ctx_t context = {{ {values} }};\n\n    return context;\n}}\n"
    )
