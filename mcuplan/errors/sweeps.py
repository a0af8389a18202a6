# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with one of many models: its rows say so, and the others go on."""

from __future__ import annotations

from mcuplan.errors.base import EXIT_UNDECIDED, McuplanError

__all__ = ["DefectFound", "OtherTool", "TimedOut", "WorkerDied"]


class DefectFound(McuplanError):
    """One row of a sweep shows a defect of mcuplan; others are not concerned.

    What to do: run `mcuplan check` on that model and target, and report what it prints.
    """

    code = "sweep/defect"
    exit_status = EXIT_UNDECIDED


class OtherTool(McuplanError):
    """A worker of a sweep has another version of mcuplan, or other tables of costs.

    What to do: install the same mcuplan where the workers run.
    """

    code = "sweep/other-tool"


class TimedOut(McuplanError):
    """A model of a sweep took longer than it was given.

    What to do: give it more with `--timeout`, or `--effort fast`; the next sweep tries it again.
    """

    code = "sweep/timed-out"
    exit_status = EXIT_UNDECIDED


class WorkerDied(McuplanError):
    """The process that worked on a model of a sweep ended before it did, several times.

    What to do: most often memory ran out: give fewer `--jobs`; the next sweep tries it again.
    """

    code = "sweep/worker-died"
    exit_status = EXIT_UNDECIDED
