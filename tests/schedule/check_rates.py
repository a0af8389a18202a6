# SPDX-License-Identifier: Apache-2.0
"""What checks take in a warm process: ``python tests/schedule/check_rates.py [MODEL.onnx ...]``.

By default of variants of each family (`docs/examples/variants.py`). Prints processor seconds of a
check, of one with all built-in targets, and how many single checks all of them are worth.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import process_time

import mcuplan
from mcuplan.targets import list_targets

_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
_TARGET, _COUNT = "nucleo-f446re", 12


def _variants(folder: Path) -> Iterator[Path]:
    sys.path.insert(0, str(_EXAMPLES))
    from variants import variants

    for made in islice(variants(), _COUNT):
        path = folder / f"{made.name}.onnx"
        path.write_bytes(made.model.SerializeToString())
        yield path


def main() -> None:
    """Print a line for each model, and the means."""
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(name) for name in sys.argv[1:]] or list(_variants(Path(folder)))
        mcuplan.check(models[0], _TARGET, effort="fast")  # tables of kernels are read
        print(f"{'seconds of CPU':32}{'one':>8}{'all':>8}{'all/one':>9}{'fit':>5}")
        ones, alls = [], []
        for model in models:
            begun = process_time()
            mcuplan.check(model, _TARGET, effort="fast")
            ones.append(process_time() - begun)
            found = [r for _, r in mcuplan.check_targets(model, list_targets(), effort="fast")]
            alls.append(process_time() - begun - ones[-1])
            fit = sum(isinstance(r, mcuplan.Report) and r.verdict.status == "fits" for r in found)
            print(f"{model.stem:32}{ones[-1]:8.3f}{alls[-1]:8.2f}{alls[-1] / ones[-1]:9.1f}{fit:5}")
        one, every = sum(ones) / len(ones), sum(alls) / len(alls)
        print(f"{'mean':32}{one:8.3f}{every:8.2f}{every / one:9.1f}")
        print(f"{1 / one:.1f} checks a second and core")


if __name__ == "__main__":
    main()
