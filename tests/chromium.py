"""A headless Chromium, spoken to over a pipe in its DevTools protocol.

Source: the Chrome DevTools Protocol; ``--remote-debugging-pipe`` reads commands on descriptor 3 and
writes replies and events on 4, each a JSON text that ends with a zero byte.
"""

import base64
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
FLAG_WORDS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars
--force-prefers-reduced-motion --remote-debugging-pipe
"""
FLAGS = FLAG_WORDS.split()
PATIENCE_S = 60.0


class Chromium:
    """One browser process; its pages share nothing."""

    def __init__(self, profile: Path) -> None:
        assert EXECUTABLE is not None
        # High numbers, so that none is 3 or 4 while these are set up in the child.
        to_browser, from_browser = os.pipe(), os.pipe()
        self._pid = os.posix_spawn(
            EXECUTABLE,
            [EXECUTABLE, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                # By way of 90 and 91: either end may itself be 3 or 4.
                (os.POSIX_SPAWN_DUP2, to_browser[0], 90),
                (os.POSIX_SPAWN_DUP2, from_browser[1], 91),
                (os.POSIX_SPAWN_DUP2, 90, 3),
                (os.POSIX_SPAWN_DUP2, 91, 4),
                (os.POSIX_SPAWN_CLOSE, 90),
                (os.POSIX_SPAWN_CLOSE, 91),
            ],
            setpgroup=0,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        self._write, self._read = to_browser[1], from_browser[0]
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Sends a command and returns its result; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self._write, text) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


class Tab:
    """A page in the browser, and what it did."""

    def __init__(self, browser: Chromium, width: int = 1240, height: int = 900) -> None:
        self._browser = browser
        # A context of its own: no cookie, permission or media setting of another test.
        self._context = browser.call("Target.createBrowserContext")["browserContextId"]
        self._target = browser.call(
            "Target.createTarget", url="about:blank", browserContextId=self._context
        )["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def close(self) -> None:
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)

    def resize(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def media(self, kind: str = "", **features: str) -> None:
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", media=kind, features=named)

    def open(self, path: Path, query: str = "") -> None:
        url = f"{path.as_uri()}?{query}" if query else path.as_uri()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, script: str) -> Any:
        """Returns the value of an expression, awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        self._until(lambda: bool(self.run(condition)), condition)

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}),
            )

    def downloads(self, folder: Path) -> None:
        self._browser.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(folder),
            browserContextId=self._context,
        )

    def screenshot(self) -> bytes:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def pdf(self, **options: Any) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", **options)["data"])

    def requests(self) -> list[str]:
        """Returns every address that the page asked for, beside its own file and blobs."""
        sent = [e["params"]["request"]["url"] for e in self._own("Network.requestWillBeSent")]
        return [url for url in sent if not url.startswith(("file:", "blob:", "data:"))]

    def complaints(self) -> list[str]:
        """Returns what the page wrote into the console, errors that nobody caught among it."""
        return [
            json.dumps(event["params"])
            for name in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
            for event in self._own(name)
        ]

    def _own(self, method: str) -> list[dict[str, Any]]:
        self.run("0")  # events up to here have been received
        return [
            event
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == method
        ]

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, f"never came true: {what}"
            time.sleep(0.02)
