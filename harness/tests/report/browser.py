"""A real browser without a window, driven over a pipe by the protocol of its developer tools."""

from __future__ import annotations

import base64
import itertools
import json
import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

LIMIT = 60.0
"""Seconds for an answer; it takes milliseconds, and a first start on a busy host some seconds."""


class Browser:
    """Debian's chromium with one page; ``troubles`` has what a user would find in its console."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium")
        assert program is not None, "chromium is missing: ci/setup --for tests installs it"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        self._process = subprocess.Popen(
            # It speaks on 3 and 4, and on no others.
            [
                *("bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', program, *options),
                *(f"--user-data-dir={folder}", "about:blank"),
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._session = ""
        self.troubles: list[str] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.ask(f"{part}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(
        self, page: Path, *, more: str = "", width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Open a file in a window of that size, and wait until it is loaded and drawn."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 700,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=f"{page.as_uri()}{more}")
        self.wait("document.readyState == 'complete' && location.protocol == 'file:'")
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        said = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression holds."""
        until = time.monotonic() + LIMIT
        while not self.run(condition):
            assert time.monotonic() < until, f"waited {LIMIT:g} s for {condition}"

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key, wherever the focus is."""
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 if shift else 0)

    def point(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def touch(self, x: float, y: float) -> None:
        """Tap there with a finger."""
        self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path: Path, part: tuple[float, float, float, float] | None = None) -> None:
        """Take a picture of the window, or of a part of the page: left, top, width, height."""
        more: dict[str, Any] = {}
        if part is not None:
            clip = dict(zip(("x", "y", "width", "height"), part, strict=True))
            more = {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **more)["data"]))

    def print(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer; events that come meanwhile are looked at."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == number:
                assert "error" not in said, f"{method}: {said['error']}"
                result: dict[str, Any] = said["result"]
                return result
            self._look(said)

    def _look(self, event: dict[str, Any]) -> None:
        name, told = event.get("method", ""), event.get("params", {})
        if name == "Runtime.exceptionThrown":
            self.troubles.append(f"exception: {told['exceptionDetails']}")
        elif name == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.troubles.append(f"console: {told['args']}")
        elif name == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.troubles.append(f"log: {told['entry']['text']}")
        elif name == "Page.javascriptDialogOpening":
            self.troubles.append(f"dialog: {told['message']}")

    def _next(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(LIMIT), f"the browser said nothing for {LIMIT:g} s"
                got = os.read(self._in, 1 << 20)
                assert got, "the browser has ended"
                self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        return said
