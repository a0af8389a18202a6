# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that tests talk to over two pipes, with the protocol of its tools."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-default-apps --disable-dev-shm-usage --remote-debugging-pipe"
)
_WITH_PIPES = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3]]
for pipe, place in zip(pipes, (3, 4)):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""  # where the browser looks for them
_SECONDS = 60
_TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
_NOISY = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


class Page:
    """A tab: what it logged, what it asked the network for, and ways to use it."""

    def __init__(self, ask: int, answer: int) -> None:
        self._ask, self._answer, self._number, self._rest = ask, answer, 0, b""
        self.session = ""
        self.logged: list[Any] = []
        self.requests: list[str] = []

    def call(self, method: str, **values: Any) -> Any:
        """A command and its result; events that come before it are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, found["error"]
                return found["result"]
            self._keep(found)

    def _read(self) -> Any:
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answer], [], [], max(0.0, until - time.monotonic()))
            data = os.read(self._answer, 1 << 20) if ready else b""
            assert data, "the browser does not answer"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _keep(self, event: Any) -> None:
        if event["method"] in _NOISY:
            self.logged.append(event["params"])
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])

    def open(
        self, path: Path, *, dark: bool = False, scripts: bool = True, width: int = 1200
    ) -> None:
        """Load a file and wait until it is there."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=path.as_uri())
        until = time.monotonic() + _SECONDS
        while self.value("document.readyState") != "complete" or not self.value(
            "document.title.length"
        ):
            assert time.monotonic() < until, "the page does not load"
            time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press_tab(self) -> None:
        """The key that goes from one control to the next."""
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **_TAB)
        self.call("Input.dispatchKeyEvent", type="keyUp", **_TAB)

    def press(self, key: str, code: int) -> None:
        """A key that makes a character, or does what keys do to a control."""
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        named = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Page]:
    """A new browser without a past, in a folder of its own."""
    (asked, ask), (answer, answered) = os.pipe(), os.pipe()
    words = [program, *_FLAGS.split(), f"--user-data-dir={folder / 'browser'}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", _WITH_PIPES, str(asked), str(answered), *words],
        pass_fds=(asked, answered),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    os.close(asked)
    os.close(answered)
    page = Page(ask, answer)
    try:
        target = page.call("Target.createTarget", url="about:blank")["targetId"]
        made = page.call("Target.attachToTarget", targetId=target, flatten=True)
        page.session = made["sessionId"]
        yield page
    finally:
        page.session = ""
        os.close(ask)
        process.terminate()
        process.wait(_SECONDS)
        os.close(answer)
