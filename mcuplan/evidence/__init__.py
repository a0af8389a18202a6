# SPDX-License-Identifier: Apache-2.0
"""A folder for whoever assesses a firmware: every trace from the model to the bytes of its code."""

from __future__ import annotations

from mcuplan.evidence.folder import EvidenceFolder, make_evidence
from mcuplan.evidence.remade import Answer, reproduce

__all__ = ["Answer", "EvidenceFolder", "make_evidence", "reproduce"]
