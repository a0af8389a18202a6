# SPDX-License-Identifier: Apache-2.0
"""The report of several models against an earlier one: which of the models grew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from mcuplan.budget.compared import Compared, compared_from_report
from mcuplan.budget.growth import compare
from mcuplan.budget.verdict import growth_findings, verdict_of
from mcuplan.errors import BaselineError, OtherTarget
from mcuplan.record import Against, Growth
from mcuplan.record.joint import JointBudget
from mcuplan.safe_text import shown

__all__ = ["with_joint_growth"]

_Sizes = Mapping[str, tuple[int, int]]  # bytes of arena and of constants, by the model's name


def with_joint_growth(joint: JointBudget, against: Against, allowed: int | None = 0) -> JointBudget:
    """A report with what grew since an earlier one of the same target.

    ``allowed`` as of :func:`with_growth`.

    Raises:
        BaselineError: what is compared is missing from it.
        OtherTarget: it is one of another target.
    """
    old, before = compared_from_report(against.report, against.file), _sizes(against)
    if old.target != joint.target.name:
        what = f"a report of {shown(old.target[:40])}, this is {joint.target.name}"
        raise OtherTarget(what, against.file, "one baseline per target")
    found = compare(against.file, old, Compared.of(asdict(joint)))
    now = {m.name: (m.arena_bytes, m.weights_bytes + m.tables_bytes) for m in joint.models}
    rows = sorted(_models(before, now), key=lambda row: -max(row.ram_delta, row.flash_delta))
    found = replace(found, layers=tuple(rows))
    findings = (*joint.verdict.findings, *growth_findings(found, allowed))
    return replace(joint, baseline=found, verdict=verdict_of(findings))


def _sizes(against: Against) -> _Sizes:
    """Of the models of an earlier report, which anybody may have written.

    Raises:
        BaselineError: it has none, or they are no numbers.
    """
    try:
        found = {
            model["name"]: (model["arena_bytes"], model["weights_bytes"] + model["tables_bytes"])
            for model in against.report["models"]
        }
        if not all(isinstance(n, int) for sizes in found.values() for n in sizes):
            raise TypeError("bytes")
        if not all(isinstance(name, str) for name in found):
            raise TypeError("name")
    except (KeyError, TypeError) as error:
        what = f"the report is incomplete: {error}"
        raise BaselineError(what, against.file, "write it again with mcuplan bundle") from None
    return found


def _models(before: _Sizes, now: _Sizes) -> Iterator[Growth]:
    """Models that came, went, or have other sizes."""
    for name in dict.fromkeys((*now, *before)):
        old, new = before.get(name, (0, 0)), now.get(name, (0, 0))
        arena, constants = (b - a for a, b in zip(old, new, strict=True))
        because = f"arena {arena:+,} B, constants {constants:+,} B"
        if name not in before or name not in now:
            because = "new model" if name in now else "model is gone"
        if arena or constants or name not in before:
            yield Growth(name, arena, constants, because)
