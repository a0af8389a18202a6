# SPDX-License-Identifier: Apache-2.0
"""Program and plan to C text."""

from __future__ import annotations

from mcuplan.emit.bundle import Bundle, BundlePort, KeptState, Symbol
from mcuplan.emit.model import Stamp, emit

__all__ = ["Bundle", "BundlePort", "KeptState", "Stamp", "Symbol", "emit"]
