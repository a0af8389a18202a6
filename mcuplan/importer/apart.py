# SPDX-License-Identifier: Apache-2.0
"""Compiled code of others that may end the process: it runs in a copy of this one."""

from __future__ import annotations

import faulthandler
import os
import signal
import warnings
from collections.abc import Callable
from typing import NoReturn

__all__ = ["apart"]

_WHOLE = b"whole:"  # how an answer begins


def apart(call: Callable[[], bytes]) -> bytes | None:
    """What a call returns; None where its process broke off.

    ONNX's inference checks itself and aborts, for instance at a Slice of a tensor whose size
    it took for negative. The call must neither print nor start threads. Where processes cannot
    be copied it runs here.
    """
    if not hasattr(os, "fork"):
        return call()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other threads, whose locks the call does not take
        child = os.fork()
    if not child:
        _answer(call, writer)
    try:
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            said = stream.read()
    finally:
        os.kill(child, signal.SIGKILL)  # it has nothing to do any more
        os.waitpid(child, 0)
    return said.removeprefix(_WHOLE) if said.startswith(_WHOLE) else None


def _answer(call: Callable[[], bytes], writer: int) -> NoReturn:
    """Write what a call returns, and end without a trace of this process's own end."""
    try:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)  # its last words say nothing to a user
        said = call()
        with os.fdopen(writer, "wb") as stream:
            stream.write(_WHOLE + said)
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")
