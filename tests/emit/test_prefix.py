# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mcuplan.emit.names import c_prefix


@pytest.mark.parametrize("name", ["stdint", "string", "memory", "int", "assert", "mplan_x"])
def test_prefixes_shadow_no_header_and_no_reserved_name(name: str) -> None:
    """A model called like a header of C or a reserved word gets a prefix of its own."""
    prefix = c_prefix(name)
    assert prefix.startswith("model_")
    assert "__" not in f"{prefix}_invoke"
