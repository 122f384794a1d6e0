"""A browser without a window, driven by the DevTools protocol over a pipe."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

import outboxd

PROGRAMS = ("chromium-headless-shell", "chromium")


class Browser:
    def __init__(self, folder, *words):
        program = next((found for found in map(shutil.which, PROGRAMS) if found), None)
        assert program, f"there is no browser ({' or '.join(PROGRAMS)}): scripts/packages install test"
        mine, its = os.pipe(), os.pipe()
        # Chromium reads orders from descriptor 3 and answers on 4.
        ends = [mine[0], its[1]]
        begin = f"{outboxd.take_places(ends)}; os.execv(sys.argv[1], sys.argv[1:])"
        with open(os.path.join(folder, "browser.log"), "wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-c", begin, program, "--headless", "--remote-debugging-pipe", "--no-sandbox",
                    "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    f"--user-data-dir={folder}/profile", *words, "about:blank",
                ], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=ends,
            )
        for end in ends:
            os.close(end)
        self.orders, self.answers = mine[1], its[0]
        self.rest = b""
        self.number = 0
        self.told = []

    def ask(self, method, session=None, **parameters):
        """What it answers; what it tells meanwhile is kept."""
        self.number += 1
        number = self.number
        order = {"id": number, "method": method, "params": parameters}
        if session:
            order["sessionId"] = session
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        end = time.monotonic() + 60
        while True:
            message = self.read(end)
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]
            self.told.append(message)

    def read(self, end):
        while b"\0" not in self.rest:
            assert select.select([self.answers], [], [], max(0, end - time.monotonic()))[0], "the browser is silent"
            piece = os.read(self.answers, 1 << 16)
            assert piece, "the browser has ended"
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        return Page(self, url)

    def close(self):
        with contextlib.suppress(OSError):
            os.write(self.orders, b'{"id":0,"method":"Browser.close"}\0')
        os.close(self.orders)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        os.close(self.answers)


class Page:
    def __init__(self, browser, url):
        self.browser = browser
        target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", url=url)

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    def value(self, expression):
        answer = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def until(self, expression, seconds=30):
        end = time.monotonic() + seconds
        while True:
            found = self.value(expression)
            if found:
                return found
            if time.monotonic() >= end:
                shown = self.value("document.body.innerText")
                raise AssertionError(f"{expression} did not become true; the page shows: {shown} {self.problems()}")
            time.sleep(0.05)

    def click(self, selector):
        """As a person does, with the pointer."""
        place = self.until(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one || one.disabled) return null;"
            " one.scrollIntoView(); const box = one.getBoundingClientRect();"
            " return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def write(self, selector, text):
        self.click(selector)
        self.ask("Input.insertText", text=text)

    def choose_file(self, selector, path):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def problems(self):
        """What the browser has against the page: exceptions, refusals by its policy, answers that failed."""
        found = []
        for message in self.browser.told:
            if message.get("sessionId") != self.session:
                continue
            if message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                found.append(details.get("exception", {}).get("description") or details["text"])
            if message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                entry = message["params"]["entry"]
                found.append(f"{entry['text']} {entry.get('url', '')}")
        return found


@contextlib.contextmanager
def browser(*words):
    with tempfile.TemporaryDirectory(prefix="outboxd-browser.") as folder:
        browser = Browser(folder, *words)
        try:
            yield browser
        finally:
            browser.close()
