"""A headless Chromium, driven over the DevTools protocol: as much of it as the tests of our pages need.

The browser runs with a profile of its own and resolves no host name (``--host-resolver-rules``).
``Page`` writes down every request, console error and refusal by a Content-Security-Policy.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

EXECUTABLE: Final = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

PATIENCE: Final = 60.0
"""Seconds until something that does not happen is an error; generous, for machines that do other work too."""

FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # Chromium refuses to run as root otherwise, which is who containers run checks as
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm is small in containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # nor reach its maker's services
    "--window-size=1280,1000",
    "--remote-debugging-port=0",  # any free one; it is written to DevToolsActivePort
)

DOMAINS: Final = ("Page", "Network", "Runtime", "Log", "Audits")

Message = dict[str, Any]


class ProtocolError(Exception):
    """The browser could not do what it was asked for, e.g. because the page went away meanwhile."""


class Page:
    """One tab, and what was seen of it.

    Attributes:
        requests: the address of every request.
        complaints: console errors and warnings, uncaught exceptions, refusals by the page's policy.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._connection = connection
        self._ids = itertools.count(1)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in DOMAINS:
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Message:
        """Call a method of the protocol; events that arrive meanwhile are noted."""
        message = {"id": next(self._ids), "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._connection.send(json.dumps(message))
        while True:
            answer: Message = json.loads(self._connection.recv(timeout=PATIENCE))
            if answer.get("id") == message["id"]:
                break
            self._note(answer)
        if "error" in answer:
            raise ProtocolError(method, answer["error"])
        result: Message = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go to an address; the page may still be loading afterwards."""
        assert "errorText" not in self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever JSON value the page holds
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:  # noqa: ANN401 - whatever JSON value the page holds
        """The value of an expression as soon as it is truthy."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # While one page makes way for another there is none to ask.
            with suppress(ProtocolError):
                if value := self.evaluate(expression):
                    return value
            time.sleep(0.05)
        raise AssertionError(expression, self.complaints, self.requests)

    def click(self, selector: str) -> None:
        """Wait for an element and click on it."""
        self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, selector: str, text: str) -> None:
        """Choose the option of a drop-down list whose text contains the given one."""
        self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        # React listens to the event, and asks the element for the value behind its own property.
        found = self.evaluate(f"""(() => {{
            const list = document.querySelector({json.dumps(selector)});
            const option = [...list.options].find((option) => option.text.includes({json.dumps(text)}));
            if (!option) return false;
            const value = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value");
            value.set.call(list, option.value);
            list.dispatchEvent(new Event("change", {{bubbles: true}}));
            return true;
        }})()""")
        assert found, (selector, text)

    def type(self, selector: str, text: str) -> None:
        """Put a text into an input field."""
        self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        # As in choose: React asks the element behind its own property.
        self.evaluate(f"""(() => {{
            const field = document.querySelector({json.dumps(selector)});
            const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
            value.set.call(field, {json.dumps(text)});
            field.dispatchEvent(new Event("input", {{bubbles: true}}));
        }})()""")

    def upload(self, selector: str, name: str, content: bytes) -> None:
        """Choose a file in a field for files."""
        self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        self.evaluate(f"""(() => {{
            const field = document.querySelector({json.dumps(selector)});
            const bytes = Uint8Array.from(atob({json.dumps(b64encode(content).decode())}), c => c.charCodeAt(0));
            const chosen = new DataTransfer();
            chosen.items.add(new File([bytes], {json.dumps(name)}));
            field.files = chosen.files;
            field.dispatchEvent(new Event("change", {{bubbles: true}}));
        }})()""")

    def text(self, selector: str) -> str:
        """The text of an element, which must have some, sooner or later."""
        return str(self.wait_for(f"document.querySelector({json.dumps(selector)})?.textContent"))

    def screenshot(self, path: Path) -> None:
        """Write what can be seen to a PNG file, for a person to look at."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _note(self, event: Message) -> None:
        method, parameters = event["method"], event["params"]
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif _complains(method, parameters):
            self.complaints.append(json.dumps(parameters))


def _complains(method: str, parameters: Message) -> bool:
    """Whether an event is one that a page in order does not cause."""
    match method:
        case "Runtime.exceptionThrown":
            return True
        case "Runtime.consoleAPICalled":
            return parameters["type"] in {"error", "warning", "assert"}
        case "Log.entryAdded":
            return parameters["entry"]["level"] in {"error", "warning"}
        case "Audits.issueAdded":
            # The other issues are advice, such as on input fields without a name.
            return bool(parameters["issue"]["code"] == "ContentSecurityPolicyIssue")
    return False


@contextmanager
def chromium() -> Iterator[Page]:
    """Start the browser with an empty profile, hand over a tab, and end it again."""
    assert EXECUTABLE is not None
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [EXECUTABLE, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            address = _address(process, Path(profile))
            with connect(address, max_size=None, compression=None, close_timeout=1) as connection:
                yield Page(connection)
                connection.send(json.dumps({"id": 0, "method": "Browser.close"}))
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """The address of the browser's DevTools, as soon as it listens."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and "\n" in file.read_text()):
        assert process.poll() is None, "the browser ended at once"
        assert time.monotonic() < deadline, "the browser does not listen"
        time.sleep(0.05)
    port, path = file.read_text().split("\n")
    return f"ws://127.0.0.1:{port}{path}"
