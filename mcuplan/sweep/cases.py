# SPDX-License-Identifier: Apache-2.0
"""What a sweep is of: models, targets and sets of options, each combination with its key."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcuplan.errors import DataError, UsageError
from mcuplan.options.sweeping import OptionSet
from mcuplan.sweep.keys import (
    data_digest,
    digest_of,
    libraries,
    model_digest,
    target_digest,
    tool_digest,
)
from mcuplan.sweep.tasks import Task
from mcuplan.targets import list_targets, load_target

__all__ = ["Case", "SweptTarget", "cases_of", "models_of", "targets_of"]


@dataclass(frozen=True, slots=True)
class SweptTarget:
    """A target by name: what loads it, and a digest of all that it says."""

    name: str
    place: str
    digest: str


@dataclass(frozen=True, slots=True)
class Case:
    """A model with one set of options.

    Attributes:
        task: for all targets.
        keys: one for each of them.
    """

    task: Task
    keys: tuple[bytes, ...]


def models_of(patterns: Sequence[str]) -> tuple[str, ...]:
    """Paths of files, sorted: given as they are, or found by a pattern such as models/**/*.onnx.

    Raises:
        UsageError: there is no such file, or none of that pattern; it is a folder.
    """
    found: set[str] = set()
    for pattern in patterns:
        if os.path.isdir(pattern):
            raise UsageError("is a folder", pattern, f"'{os.path.join(pattern, '**/*.onnx')}'")
        if os.path.exists(pattern):
            files = [pattern]
        else:
            files = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
        if not files:
            raise UsageError("there is no such file", pattern, "quote patterns: 'models/**/*.onnx'")
        found.update(files)
    return tuple(sorted(found))


def targets_of(texts: Sequence[str]) -> tuple[SweptTarget, ...]:
    """Targets by ``all``, names and files, several with commas, in the order given.

    Raises:
        TargetError, Problems: one of them is wrong.
        UsageError: two files have one name.
    """
    found: dict[str, SweptTarget] = {}
    given = [name.strip() for text in texts for name in text.split(",")]
    for name in (name for one in given for name in (list_targets() if one == "all" else (one,))):
        target = load_target(name)
        is_file = re.search(r"[/\\]|\.toml$", name)
        place = os.path.abspath(name) if is_file else name
        swept = SweptTarget(target.name, place, target_digest(target))
        if found.setdefault(target.name, swept).digest != swept.digest:
            raise UsageError(f"two targets are called {target.name}", "--targets", "rename one")
    return tuple(found.values())


def cases_of(
    models: Iterable[str],
    targets: Sequence[SweptTarget],
    sets_of: Callable[[str], Iterable[OptionSet]],
) -> Iterator[Case]:
    """Every model with every set of options.

    Args:
        models: paths as they were given.
        targets: that each has a row for.
        sets_of: of a model.
    """
    files, places = _Digests(), {target.name: target.place for target in targets}
    for model in models:
        path = Path(os.path.abspath(model))
        own, whole = files.model(path)
        for options in sets_of(model):
            columns = {**options.columns, "model": model, "name": path.name, "sha256": own}
            asked = [tool_digest(), libraries(), path.name, whole, *files.asked(options)]
            keys = tuple(
                digest_of(*asked, target.digest, files.kept(path, target.name))
                for target in targets
            )
            yield Case(Task(path, columns, options.values, places, tool_digest()), keys)


@dataclass(slots=True)
class _Digests:
    """Of files, each read once."""

    data: dict[str, str] = field(default_factory=dict)

    def model(self, path: Path) -> tuple[str, str]:
        """Of the file alone, and of all that it consists of; of what cannot be read, why."""
        try:
            return model_digest(path)
        except OSError as error:
            return "", f"{error.strerror}"

    def asked(self, options: OptionSet) -> Sequence[str]:
        """Of options as they are written, and of the files that they name."""
        text, data = options.columns["options"], options.values["calibration"]
        if data in (None, "random"):
            return (text, "")
        if data not in self.data:
            try:
                self.data[data] = data_digest(Path(data))
            except OSError as error:
                self.data[data] = f"{error.strerror}"
            except DataError as error:
                self.data[data] = error.message
        return (text, self.data[data])

    def kept(self, model: Path, target: str) -> str:
        """Of what an earlier verification left beside the model."""
        from mcuplan.kept import kept_report
        from mcuplan.prove.toolchain import cross_version

        path = kept_report(model, target)
        if not path.exists():
            return ""
        try:
            return f"{data_digest(path)} {cross_version()}"
        except OSError as error:
            return f"{error.strerror}"
