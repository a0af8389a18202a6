# SPDX-License-Identifier: Apache-2.0
"""``python -m mcuplan``."""

from __future__ import annotations

from mcuplan.cli import main

if __name__ == "__main__":
    main()
