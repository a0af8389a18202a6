# SPDX-License-Identifier: Apache-2.0
"""Everything a user can act on, with a stable code, the place and a hint.

A bug in mcuplan is an ordinary exception with its traceback; what the user gave
wrong is one of the classes here. Stages that can find several problems collect
them and raise :class:`Problems`, so that one run names all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcuplan.errors.base import (
    EXIT_FITS,
    EXIT_OVER,
    EXIT_TOOL,
    EXIT_UNDECIDED,
    EXIT_USAGE,
    McuplanError,
    Problems,
)
from mcuplan.errors.sweeps import DefectFound, OtherTool, TimedOut, WorkerDied

__all__ = [
    "EXIT_FITS",
    "EXIT_OVER",
    "EXIT_TOOL",
    "EXIT_UNDECIDED",
    "EXIT_USAGE",
    "AccumulatorOverflow",
    "BaselineError",
    "ConfigError",
    "CoreMissing",
    "DamagedModel",
    "DataError",
    "DefectFound",
    "DynamicShape",
    "EvidenceError",
    "ExternalDataError",
    "InputTooLarge",
    "McuplanError",
    "MissingCalibration",
    "MissingInput",
    "NonFiniteWeights",
    "OtherTarget",
    "OtherTool",
    "Problems",
    "ScaleError",
    "StackUnknown",
    "TargetError",
    "TargetMissingKey",
    "TargetNotFound",
    "TargetUnknownKey",
    "TargetUnreadable",
    "TimedOut",
    "ToolFailed",
    "ToolMissing",
    "UnknownDomain",
    "UnsupportedOp",
    "UnsupportedType",
    "UsageError",
    "WorkerDied",
    "all_error_classes",
]


class UsageError(McuplanError):
    """A flag or argument is wrong, or a path does not exist.

    What to do: `mcuplan COMMAND --help` lists what the command takes.
    """

    code = "usage/bad-argument"


class ConfigError(McuplanError):
    """A configuration file (`mcuplan.toml`, `[tool.mcuplan]`) cannot be used.

    What to do: mend the key that the message names.
    """

    code = "config/bad-value"


class TargetError(McuplanError):
    """A target file is wrong; the message names the key and what it must be.

    What to do: `mcuplan targets lint FILE` lists every mistake of the file at once.
    """

    code = "target/bad-value"


class TargetUnknownKey(TargetError):
    """A target file has a key that mcuplan does not know; most often a spelling mistake.

    What to do: take the key the hint names; `targets/README.md` lists all keys.
    """

    code = "target/unknown-key"


class TargetMissingKey(TargetError):
    """A target file lacks a key, or a number lacks its source.

    What to do: add the key; the hint shows how it is written.
    """

    code = "target/missing-key"


class TargetNotFound(TargetError):
    """There is no target of that name, and no file at that path.

    What to do: `mcuplan targets list` shows the names; a file of your own is given by its path.
    """

    code = "target/not-found"


class TargetUnreadable(TargetError):
    """A target file cannot be read: not a regular file, too large, not UTF-8 or not TOML.

    What to do: the message says where reading stopped; start from a copy of a file in `targets/`.
    """

    code = "target/unreadable"


class DataError(McuplanError):
    """A data file, or a folder of samples, does not fit the model.

    What to do: an `.npz` file needs one array per model input, first axis = samples; a folder
    has `.npy` files, tables or images of one kind.
    """

    code = "data/bad-array"


class MissingInput(DataError):
    """A data file has no array for an input of the model.

    What to do: save the samples under the input's name; the hint shows the shape.
    """

    code = "data/missing-input"


class BadSample(DataError):
    """A file of samples (image, table, `.npy`) is damaged, too large, or not what the input takes.

    What to do: mend it, or take it out of the folder; `--preprocess`, `--window` and `--columns`
    say how files become samples.
    """

    code = "data/bad-sample"


class BaselineError(McuplanError):
    """A baseline or report file cannot be read.

    What to do: write it with `--format json` of the same tool.
    """

    code = "baseline/unreadable"


class OtherTarget(BaselineError):
    """The baseline is the report of another target, whose bytes say nothing about this one.

    What to do: keep one baseline per target; `mcuplan diff` compares any two reports.
    """

    code = "baseline/other-target"


class DamagedModel(McuplanError):
    """The model file is not a valid ONNX model.

    What to do: export the model again; `onnx.checker.check_model` says more.
    """

    code = "model/damaged"
    exit_status = EXIT_UNDECIDED
    verdict = "damaged"


class ExternalDataError(McuplanError):
    """External tensor data is missing, too short or outside the model's folder.

    What to do: keep the data files beside the model, or export with the weights inside.
    """

    code = "model/external-data"
    exit_status = EXIT_UNDECIDED
    verdict = "damaged"


class InputTooLarge(McuplanError):
    """A tensor, or all together, or the number of nodes, is beyond any microcontroller.

    What to do: sizes are checked before time and memory go into them: at most 16 M elements in an
    activation, 128 M in all of them, 20,000 nodes; check the shapes and the export.
    """

    code = "model/too-large"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


@dataclass(eq=False)
class UnsupportedOp(McuplanError):
    """An operator, or one of its attributes, is not supported.

    What to do: `mcuplan ops` lists what is; the hint names a replacement where there is one.
    """

    ends: bool = False  # the hint is to end the model in front of the node
    code = "model/unsupported-op"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


class UnknownDomain(UnsupportedOp):
    """A node belongs to an operator domain that mcuplan does not know.

    What to do: export with standard ONNX operators.
    """

    code = "model/unknown-domain"


class UnsupportedType(McuplanError):
    """A tensor has an element type that integer code cannot hold.

    What to do: export with float32 tensors.
    """

    code = "model/unsupported-type"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


class DynamicShape(McuplanError):
    """A dimension is not known before the model runs.

    What to do: give it with `--dim NAME=VALUE`, or export with fixed shapes.
    """

    code = "model/dynamic-shape"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


class NonFiniteWeights(McuplanError):
    """A constant of the model holds NaN or infinity.

    What to do: train or export again; such a weight has no integer form.
    """

    code = "model/non-finite"
    exit_status = EXIT_UNDECIDED
    verdict = "damaged"


class ScaleError(McuplanError):
    """A quantization scale is impossible: not positive, not finite, or out of reach.

    What to do: calibrate with representative data, or check the scales of the model.
    """

    code = "quant/scale-impossible"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


class AccumulatorOverflow(McuplanError):
    """The int32 sum of a layer could overflow: its weights are too many or too large.

    What to do: split the layer, or lower the magnitude of its bias.
    """

    code = "quant/accumulator-overflow"
    exit_status = EXIT_UNDECIDED
    verdict = "unsupported"


class MissingCalibration(McuplanError):
    """The step needs activation ranges and the model has none.

    What to do: `--calibration DATA.npz` with some representative inputs, or a QDQ model.
    """

    code = "quant/no-ranges"
    exit_status = EXIT_USAGE


class EvidenceError(McuplanError):
    """A folder of evidence is not as it was made: links, strange paths, changed or missing files.

    What to do: make it anew with `mcuplan evidence`; nothing of it was run or written.
    """

    code = "evidence/damaged"


class ToolMissing(McuplanError):
    """An external tool (compiler, emulator) is not installed.

    What to do: the hint is the one command that installs it.
    """

    code = "tool/missing"
    exit_status = EXIT_TOOL


class CoreMissing(McuplanError):
    """A compiled core of mcuplan is missing, or was built from other sources.

    What to do: in a checkout, build the cores with the command of the hint; elsewhere, install
    mcuplan again.
    """

    code = "tool/not-built"
    exit_status = EXIT_TOOL


class ToolFailed(McuplanError):
    """An external tool (compiler, emulator) ran and failed.

    What to do: the message ends with what the tool said.
    """

    code = "tool/failed"
    exit_status = EXIT_TOOL


class StackUnknown(McuplanError):
    """The stack of the generated code cannot be bounded: recursion, or a call through a pointer.

    What to do: generated code has neither; a compiler flag that replaces calls may be the cause.
    """

    code = "elf/stack-unknown"
    exit_status = EXIT_UNDECIDED


def all_error_classes() -> Iterator[type[McuplanError]]:
    """Every error class, in order of its code; `mcuplan explain` reads their docstrings."""

    def walk(cls: type[McuplanError]) -> Iterator[type[McuplanError]]:
        for sub in cls.__subclasses__():
            yield sub
            yield from walk(sub)

    yield from sorted(walk(McuplanError), key=lambda cls: cls.code)
