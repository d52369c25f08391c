"""A real Chromium, driven over its debugging pipe, that tells everything a page did: dialogs, console, requests, moves.

Theory of operation: the browser reads commands from its descriptor 3 and writes answers and events to 4, each ended by a
zero byte. Pages come from a server of ours, in whose log every other request that reaches it is an attack's.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PATIENCE_SECONDS = 30
TELLING = {
    "Page.javascriptDialogOpening": "dialog",
    "Runtime.consoleAPICalled": "console",
    "Runtime.exceptionThrown": "exception",
    "Page.windowOpen": "window",
    "Page.downloadWillBegin": "download",
    "Page.frameAttached": "frame",
    "Target.targetCreated": "target",
}


@dataclass
class Server:
    """Serves pages by their path, and notes every other request."""

    pages: dict[str, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server of this machine alone."""
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = made.pages.get(self.path)
            if page is None and self.path != "/favicon.ico":
                made.strange.append(self.path)
            data = (page or "").encode("utf-8", "replace")
            self.send_response(200 if page is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_HEAD = do_OPTIONS = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Browser:
    """One Chromium with one tab."""

    def __init__(self, server: Server) -> None:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if chromium is None:
            pytest.skip("no Chromium here, so no page was looked at in a browser: apt-get install chromium")
        self.server = server
        self.profile = tempfile.mkdtemp(prefix="assessor-chromium-")
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
            "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage",
            f"--user-data-dir={self.profile}", "about:blank",
        ]  # fmt: skip
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "chromium", *command], pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.rest, self.restless = 0, b"", False
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        tab = {"targetId": target, "flatten": True}
        self.session: str = self.call("Target.attachToTarget", tab, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Target.setDiscoverTargets", {"discover": True}, session=None)
        self.events.clear()

    def close(self) -> None:
        """Ends it and takes its profile away."""
        with contextlib.suppress(Exception):
            self.call("Browser.close", session=None)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, params: dict[str, Any] | None = None, *, session: str | None = "own") -> Any:
        """Sends a command and waits for its answer."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            for found in self._read(0.2):
                if found.get("id") == message["id"]:
                    if "error" in found:
                        raise RuntimeError(f"{method}: {found['error']}")
                    return found["result"]
        raise TimeoutError(method)

    def _read(self, wait_seconds: float) -> list[dict[str, Any]]:
        """What came in; events are kept, dialogs dismissed."""
        ready, _, _ = select.select([self.into], [], [], wait_seconds)
        if not ready:
            return []
        self.rest += os.read(self.into, 2**20)
        *whole, self.rest = self.rest.split(b"\0")
        found = [json.loads(each) for each in whole]
        for each in found:
            if "method" in each:
                self.events.append(each)
                if each["method"] == "Page.javascriptDialogOpening":
                    self.number += 1
                    close = {"id": self.number, "method": "Page.handleJavaScriptDialog", "params": {"accept": False},
                             "sessionId": self.session}  # fmt: skip
                    os.write(self.out, json.dumps(close).encode() + b"\0")
        return found

    def wait(self, seconds: float) -> None:
        """Lets the page do what it wants."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def load(self, page: str, *, settle_seconds: float = 0.05) -> list[str]:
        """Shows a page, pokes at all of it, and tells what it did that a page of ours never does."""
        self.number += 1
        path = f"/page{self.number}"
        self.server.pages[path] = page
        self.server.strange.clear()
        if self.restless:  # what the page before still had in mind
            self._go("about:blank")
            self.wait(0.05)
        url = self.server.url + path
        self._go(url)
        with contextlib.suppress(RuntimeError):  # a page that moved away
            self.call("Runtime.evaluate", {"expression": POKE})
        self.wait(settle_seconds)
        told = [*self._told(url), *(f"request {strange}" for strange in self.server.strange)]
        marks = self.ask("[window.hacked, document.documentElement.dataset.hacked].filter(Boolean).join()")
        told += [f"mark {marks}"] if marks else []
        self.restless = bool(told)
        return told

    def _go(self, url: str) -> None:
        self.call("Page.stopLoading")
        self.events.clear()
        self.call("Page.navigate", {"url": url})
        until = time.monotonic() + PATIENCE_SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self.events) and time.monotonic() < until:
            self._read(0.1)

    def _told(self, url: str) -> list[str]:
        told = []
        stopped = {
            event["params"]["requestId"] for event in self.events
            if event["method"] == "Network.loadingFailed" and event["params"].get("blockedReason") == "csp"
        }  # fmt: skip
        for event in self.events:
            method, params = event["method"], event["params"]
            if method in TELLING and not (method == "Target.targetCreated" and params["targetInfo"]["type"] == "tab"):
                told.append(f"{TELLING[method]} {json.dumps(params)[:200]}")
            elif method == "Network.requestWillBeSent":
                asked = params["request"]["url"]
                if asked not in (url, f"{self.server.url}/favicon.ico") and not asked.startswith("data:image/"):
                    told.append(f"{'stopped ' * (params['requestId'] in stopped)}request {asked[:200]}")
            elif method == "Page.frameNavigated" and not params["frame"].get("parentId") and params["frame"]["url"] != url:
                told.append(f"moved to {params['frame']['url'][:200]}")
        return told

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})["result"].get("value")

    def visible(self, words: str) -> bool:
        """Whether a reader sees these words: laid out, not covered, not transparent, not of no size."""
        return bool(self.ask(VISIBLE % json.dumps(words)))


POKE = """
for (const each of document.querySelectorAll('*')) {
  for (const name of ['mouseover', 'mouseenter', 'pointerover', 'focus', 'focusin', 'toggle', 'error', 'load', 'animationstart',
                      'input', 'keydown', 'wheel', 'begin', 'beforetoggle'])
    try { each.dispatchEvent(new Event(name, {bubbles: true})) } catch (fault) {}
  if (each.tagName == 'DETAILS') each.open = true
}
for (const each of document.querySelectorAll('a, area, button, input, summary, label'))
  if (!/^(https?|mailto):/.test(each.href || '')) each.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))
"""
VISIBLE = """
(() => {
  const words = %s, walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    if (!walk.currentNode.data.includes(words)) continue
    const element = walk.currentNode.parentElement
    element.scrollIntoView({block: 'center'})
    const range = document.createRange()
    range.selectNodeContents(walk.currentNode)
    const box = range.getClientRects()[0]
    if (!box || box.width < 5 || box.height < 5) continue
    const top = document.elementFromPoint(box.x + Math.min(8, box.width / 2), box.y + box.height / 2)
    if (element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && top &&
        (element.contains(top) || top.contains(element))) return true
  }
  return false
})()
"""
