# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.onnx_nodes [--list core|mcu] [-k PATTERN] [--write]``."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import Counter
from time import perf_counter

from .judging import failures_of
from .listed import LISTS, cases_of
from .recorded import write_record


def main() -> int:
    """Print a line for each case that fails, and how many passed of each operator; 1 if any."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m tests.onnx_nodes", description=__doc__)
    parser.add_argument("--list", choices=sorted(LISTS), default="mcu", dest="listed")
    parser.add_argument("-k", default="", metavar="PATTERN", help="names that match, and operators")
    parser.add_argument("--write", action="store_true", help="keep the result as the record")
    asked = parser.parse_args()
    if asked.write and (asked.k or asked.listed != "mcu"):
        parser.error("the record is of the whole list")
    start = perf_counter()
    cases = [
        case
        for case in cases_of(LISTS[asked.listed])
        if re.search(asked.k, case.name) or case.operator == asked.k
    ]
    failures = failures_of(cases)
    total = Counter(case.operator for case in cases)
    failed = Counter(case.operator for case in cases if case.name in failures)
    for name, reason in failures.items():
        print(f"{name}: {reason}")
    wanting = (f"{op} {total[op] - failed[op]}/{total[op]}" for op in sorted(failed))
    print(f"\nwanting: {', '.join(wanting) or 'none'}")
    seconds = perf_counter() - start
    print(f"{len(cases) - len(failures)} of {len(cases)} pass, {seconds:.0f} s")
    if asked.write:
        print(f"wrote {write_record(cases, failures)}")
    return 1 if failures else 0


sys.exit(main())
