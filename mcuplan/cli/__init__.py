# SPDX-License-Identifier: Apache-2.0
"""Command line: arguments in, result to stdout, everything else to stderr, an exit status.

Only this package prints or exits. It imports nothing heavy before a command runs.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from mcuplan.cli._app import app
from mcuplan.cli._console import log, print_errors
from mcuplan.cli._process import Stopped, open_streams, stop_on_signals, without_output
from mcuplan.cli._shell import VARIABLE
from mcuplan.errors import EXIT_USAGE, InputTooLarge, McuplanError, Problems, UsageError
from mcuplan.tempfiles import clear_left

__all__ = ["main", "run"]

EXIT_INTERRUPTED, EXIT_BROKEN_PIPE, EXIT_NO_SPACE, EXIT_BUG = 130, 141, 74, 70
_SIGNAL_EXIT = 128
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main() -> None:
    """Entry point of the program ``mcuplan``."""
    gc.set_threshold(100_000, 50, 50)  # graphs and plans are frozen: few cycles, many objects
    open_streams()
    stop_on_signals()
    try:
        clear_left()
        status = run(sys.argv[1:])
    except Stopped as stopped:
        status = _stopped(stopped)
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command; never raises for what a user can cause."""
    try:
        status = app.main(list(arguments), prog_name="mcuplan", standalone_mode=False)
        sys.stdout.flush()
    except (McuplanError, Problems) as error:
        return print_errors(error)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # of click 8.2 on
            log(error.format_message())
            return EXIT_USAGE
        return print_errors(UsageError(*_explained(error)))
    except Stopped as stopped:
        return _stopped(stopped)
    except (click.Abort, KeyboardInterrupt):
        log("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader went away
        return _unread()
    except SystemExit as ended:  # what click makes of a broken pipe, with the status of a budget
        return int(ended.code or 0) if VARIABLE in os.environ else _unread()
    except MemoryError:
        hint = "give it more, or check the shapes that the model declares"
        return print_errors(InputTooLarge("the memory does not suffice", hint=hint))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            return _no_space(error)
        traceback.print_exc()
        log("this is a defect of mcuplan; please report it with the model")
        return EXIT_BUG
    return status if isinstance(status, int) else 0


def _stopped(stopped: Stopped) -> int:
    """The status of a program that a signal ended."""
    without_output()
    if stopped.number == signal.SIGINT:
        log("interrupted")
    return _SIGNAL_EXIT + stopped.number


def _unread() -> int:
    """The status of a program whose output nobody reads to its end."""
    without_output()
    return EXIT_BROKEN_PIPE


def _no_space(error: OSError) -> int:
    """What could not be written, and a status of its own."""
    without_output()
    log(f"{error.filename or 'output'}: {error.strerror}")
    return EXIT_NO_SPACE


def _explained(error: click.ClickException) -> tuple[str, str, str]:
    """Message, place and hint of what click has to say."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mcuplan"
    return error.format_message().rstrip("."), "", f"{command} --help"


assert EXIT_USAGE == 2  # click's own status for wrong usage is the same
