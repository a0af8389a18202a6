# SPDX-License-Identifier: Apache-2.0
"""The commands as functions: what the command line does, without a terminal and without files.

Options have the names of the command line (``max_ram`` for ``--max-ram``) and the values of
`mcuplan.toml`; neither a configuration nor the environment is read. Nothing is kept between
calls: functions may run in threads and processes at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mcuplan import commands
from mcuplan.commands import Bundled, Generated
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.options import bundling, checking, generating, planning, ranging, verifying
from mcuplan.options.keywords import from_keywords
from mcuplan.record import Budget as Report
from mcuplan.tempfiles import temporary_folder

__all__ = [
    "Bundled",
    "Generated",
    "McuplanError",
    "Model",
    "Problems",
    "Report",
    "bundle",
    "check",
    "check_targets",
    "generate",
    "plan",
    "quantize",
    "verify",
]

_Made = TypeVar("_Made")
Model = str | os.PathLike[str] | bytes | Any
"""Path of an ONNX file, its bytes, or an ``onnx.ModelProto``."""
_Data = str | os.PathLike[str]


def check(model: Model, target: str | os.PathLike[str], **options: object) -> Report:
    """Whether a model fits: the record of ``mcuplan check --format json``.

    >>> import mcuplan
    >>> report = mcuplan.check("models/digits_dscnn/model.onnx", "nucleo-f446re", max_ram="2K")
    >>> report.verdict.status.value, report.verdict.findings[0].code
    ('over', 'ram/over-budget')
    >>> report.ram.total_bytes > report.ram.budget_bytes == 2048
    True

    Raises:
        McuplanError: what stands in the way, with ``code``, ``where`` and ``hint``.
        Problems: several of them at once, in ``errors``.
    """
    return _run(commands.check, checking, "check", model, {"target": target, **options})


def check_targets(
    model: Model, targets: Sequence[str | os.PathLike[str]], **options: object
) -> Iterator[tuple[str, Report | McuplanError | Problems]]:
    """What :func:`check` says of each target, in their order, or the error that it raises.

    Reports are equal to those of single calls; the model is read, and put on grids, once.

    >>> import mcuplan
    >>> model = "models/digits_dscnn/model.onnx"
    >>> found = dict(mcuplan.check_targets(model, ["cortex-m0", "mine"], effort="fast"))
    >>> found["cortex-m0"].verdict.status.value, found["mine"].code
    ('fits', 'target/not-found')

    Raises:
        UsageError: options that are none. What is wrong with a model stands beside each target.
    """
    given = from_keywords(checking, options, "mcuplan check --help")
    with _file(model) as path:
        yield from commands.check_targets(path, [os.fspath(each) for each in targets], given)


def plan(model: Model, target: str | os.PathLike[str], **options: object) -> Report:
    """Execution order, arena map and every layer.

    >>> import mcuplan
    >>> report = mcuplan.plan("models/digits_dscnn/model.onnx", "cortex-m4", objective="ram")
    >>> report.levels[0].name, report.peak.optimal_order
    ('naive', True)

    Raises:
        McuplanError, Problems: as :func:`check`.
    """
    return _run(commands.plan, planning, "plan", model, {"target": target, **options})


def quantize(model: Model, **options: object) -> Any:
    """The integer model as ``onnx.ModelProto`` in QDQ form, which any runtime loads.

    >>> import mcuplan
    >>> folder = "models/digits_dscnn"
    >>> made = mcuplan.quantize(
    ...     f"{folder}/model.onnx", calibration=f"{folder}/calibration.npz"
    ... )
    >>> mcuplan.check(made, "cortex-m4").model.dtype
    'int8 (QDQ)'

    Raises:
        MissingCalibration: the model has no ranges, and there is no ``calibration``.
        McuplanError, Problems: as :func:`check`.
    """
    return _run(commands.quantize, ranging, "quantize", model, options).model


def generate(model: Model, target: str | os.PathLike[str], **options: object) -> Generated:
    """C sources, as bytes by the name of the file, with their report.

    >>> import mcuplan
    >>> model = "models/digits_dscnn/model.onnx"
    >>> made = mcuplan.generate(model, "cortex-m4", calibration="random", name="digits")
    >>> made.name, "digits.c" in {str(name) for name in made.files}
    ('digits', True)

    Raises:
        MissingCalibration: the model has no ranges, and there is no ``calibration``.
        McuplanError, Problems: as :func:`check`.
    """
    given = {"target": target, **options}
    return _run(commands.generate, generating, "generate", model, given)


def verify(model: Model, target: str | os.PathLike[str], **options: object) -> Report:
    """Build, run, compare every output byte, and measure; needs a compiler, and an emulator.

    Nothing is left beside the model.

    Raises:
        ToolMissing: compiler or emulator is not installed.
        McuplanError, Problems: as :func:`check`.
    """
    given = {"target": target, **options}
    return _run(commands.verify, verifying, "verify", model, given).report


def bundle(
    models: Sequence[Model],
    target: str | os.PathLike[str],
    *,
    calibration: _Data | Mapping[str, _Data] | None = None,
    **options: object,
) -> Bundled:
    """Several models in one image: files as of :func:`generate`, and one report of all.

    ``calibration`` is that of all models, or of each by its C prefix.

    >>> import mcuplan
    >>> models = [f"models/{name}/model.onnx" for name in ("digits_dscnn", "diabetes_mlp")]
    >>> made = mcuplan.bundle(
    ...     models, "cortex-m4", calibration="random", exclusive="digits_dscnn,diabetes_mlp"
    ... )
    >>> made.report.groups, made.report.saved_ram_bytes > 0
    ((('digits_dscnn', 'diabetes_mlp'),), True)

    Raises:
        McuplanError, Problems: as :func:`check`; ``where`` begins with the model.
    """
    given = from_keywords(bundling, {"target": target, **options}, "mcuplan bundle --help")
    data = calibration.items() if isinstance(calibration, Mapping) else [("", calibration)]
    texts = [(name, os.fspath(one)) for name, one in data if one is not None]
    named = tuple(f"{name}={text}" if name else text for name, text in texts)
    with ExitStack() as files:
        paths = [files.enter_context(_file(model)) for model in models]
        return commands.bundle(paths, "models", {**given, "calibrations": named})


def _run(
    command: Callable[[Path, Mapping[str, Any]], _Made],
    declared: Callable[[Any], Any],
    name: str,
    model: Model,
    options: Mapping[str, object],
) -> _Made:
    given = from_keywords(declared, options, f"mcuplan {name} --help")
    with _file(model) as path:
        return command(path, given)


@contextmanager
def _file(model: Model) -> Iterator[Path]:
    """A model as a file; what is none becomes ``model.onnx`` in a folder for the moment.

    Raises:
        UsageError: it is neither a path nor bytes nor a model.
    """
    if isinstance(model, str | os.PathLike):
        yield Path(model)
        return
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString(deterministic=True)
    if not isinstance(model, bytes):
        what = f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}"
        raise UsageError(what)
    with temporary_folder() as folder:
        path = folder / "model" / "model.onnx"  # the folder's name is that of the C code
        path.parent.mkdir()
        path.write_bytes(model)
        yield path
