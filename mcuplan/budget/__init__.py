# SPDX-License-Identifier: Apache-2.0
"""Sums bytes and cycles once: a plan becomes a record, which reports only render."""

from __future__ import annotations

from mcuplan.budget.assess import assess, undecided
from mcuplan.budget.compared import compared_from_report, read_report
from mcuplan.budget.growth import compare, with_growth
from mcuplan.budget.joint import Member, assess_joint
from mcuplan.budget.joint_growth import with_joint_growth
from mcuplan.budget.thresholds import judged, judged_jointly

__all__ = [
    "Member",
    "assess",
    "assess_joint",
    "compare",
    "compared_from_report",
    "judged",
    "judged_jointly",
    "read_report",
    "undecided",
    "with_growth",
    "with_joint_growth",
]
