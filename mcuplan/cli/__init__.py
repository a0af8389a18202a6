# SPDX-License-Identifier: Apache-2.0
"""Command line: arguments in, result to stdout, everything else to stderr, an exit status.

Only this package prints or exits. It imports nothing heavy before a command runs.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from mcuplan.cli._app import app
from mcuplan.cli._console import print_errors
from mcuplan.errors import EXIT_USAGE, InputTooLarge, McuplanError, Problems, UsageError

__all__ = ["main", "run"]

EXIT_INTERRUPTED, EXIT_BROKEN_PIPE, EXIT_BUG = 130, 141, 70


def main() -> None:
    """Entry point of the program ``mcuplan``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; never raises for what a user can cause."""
    try:
        status = app.main(list(arguments), prog_name="mcuplan", standalone_mode=False)
        sys.stdout.flush()
    except (McuplanError, Problems) as error:
        return print_errors(error)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # of click 8.2 on
            print(error.format_message(), file=sys.stderr)
            return EXIT_USAGE
        return print_errors(UsageError(*_explained(error)))
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader went away; nothing may be written to stdout any more, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except MemoryError:
        hint = "give it more, or check the shapes that the model declares"
        return print_errors(InputTooLarge("the memory does not suffice", hint=hint))
    except Exception:
        traceback.print_exc()
        print("this is a defect of mcuplan; please report it with the model", file=sys.stderr)
        return EXIT_BUG
    return status if isinstance(status, int) else 0


def _explained(error: click.ClickException) -> tuple[str, str, str]:
    """Message, place and hint of what click has to say."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mcuplan"
    return error.format_message().rstrip("."), "", f"{command} --help"


assert EXIT_USAGE == 2  # click's own status for wrong usage is the same
