"""outboxd and the sandbox beside it, started for a measurement."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Python"))
from unix_http import UnixConnection  # noqa: E402

from processes import Program, wait_until

SECRET = "bench"


def call(connection, method, path, body=None, content_type="application/json"):
    """The answer's JSON; anything but a 2xx is an error."""
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
    answer = connection.getresponse()
    words = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {words[:300]!r}")
    return json.loads(words) if words else None


class Sandbox:
    """Meta's stand-in; statuses are sent only where a webhook socket is named."""

    def __init__(self, bench, webhooks=None):
        port_file = bench.path("sandbox.port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        words = [bench.program("outbox-sandbox"), "--port", "0", "--port-file", port_file]
        if webhooks:
            words += ["--webhook-url", "http://localhost/webhooks/default", "--webhook-socket", webhooks]
            words += ["--app-secret", SECRET, "--delivered-after", "0", "--read-after", "0"]
        else:
            words += ["--fault", "silent"]
        self.program = Program(words, bench.path("sandbox.log"))
        wait_until(lambda: os.path.exists(port_file) and os.path.getsize(port_file), "the sandbox")
        with open(port_file, encoding="utf-8") as file:
            self.port = int(file.read())
        self.url = f"http://127.0.0.1:{self.port}"

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            return call(connection, method, path, body)
        finally:
            connection.close()

    def accepted(self):
        return self.call("GET", "/sandbox/summary")["data"]["accepted"]

    def forget(self):
        self.call("DELETE", "/sandbox/ledger")
        self.call("DELETE", "/sandbox/limits")

    def halt(self):
        """Takes what comes and answers nothing, until `go_on`."""
        os.kill(self.program.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.program.pid, signal.SIGCONT)

    def stop(self):
        self.program.stop()


class Outboxd:
    """The daemon on a folder of the work directory; an existing one goes on where it was."""

    def __init__(self, bench, graph_url, folder="state", fresh=True, env=None):
        self.folder = bench.path(folder)
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        secrets = bench.path("secrets")
        os.makedirs(secrets, exist_ok=True)
        with open(os.path.join(secrets, "app.default.secret"), "w", encoding="utf-8") as file:
            file.write(SECRET)
        self.socket = bench.path("a")
        self.webhooks = bench.path("w")
        self.program = Program(
            [bench.program("outboxd"), "--state-dir", self.folder, "--socket", self.socket,
             "--webhook-socket", self.webhooks, "--graph-url", graph_url, "--log-level", "warning",
             "--connections", str(bench.connections)],
            bench.path("outboxd.log"), env={"CREDENTIALS_DIRECTORY": secrets, **(env or {})},
        )
        wait_until(self._answers, "outboxd", 120, 0.005)

    def _answers(self):
        if self.program.process.poll() is not None:
            raise RuntimeError("outboxd ended; see outboxd.log in the work directory")
        try:
            return self.call("GET", "/healthz") is not None or True
        except OSError:
            return False

    def call(self, method, path, body=None, content_type="application/json"):
        connection = UnixConnection(self.socket, timeout=600)
        try:
            return call(connection, method, path, body, content_type)
        finally:
            connection.close()

    def add_lines(self, count=1, pool=None, tier="TIER_UNLIMITED", first=0, per_second=10000, burst=1):
        """Lines l0, l1, ... of the numbers 106, 107, ...; each in a pool of its own if none is named."""
        for index in range(first, first + count):
            self.call("PUT", f"/v1/lines/l{index}", {
                "phoneNumberId": str(106 + index), "token": "token", "messagesPerSecond": per_second,
                "burst": burst, "pairLimit": False, "pool": pool or f"l{index}"})
        for name in {pool} if pool else {f"l{index}" for index in range(first, first + count)}:
            self.call("PUT", f"/v1/pools/{name}", {"tier": tier})
        time.sleep(0.5)  # until Meta's stand-in was asked about all of them

    def bulk(self, messages):
        """Queues messages, given as bytes of NDJSON."""
        answer = self.call("POST", "/v1/messages/bulk", messages, "application/x-ndjson")["data"]
        if answer["failedCount"]:
            raise RuntimeError(f"{answer['failedCount']} refused: {answer['errors'][:1]}")

    def states(self):
        return self.call("GET", "/v1/status")["data"]["messages"]

    def stop(self, by=signal.SIGTERM):
        self.program.stop(by)


def ndjson(first, count, lines=1, first_line=0, people=None):
    """Template messages, each to somebody else (or to so many people in turn), over the lines in turn."""
    return b"".join(
        b'{"to":"1415%07d","line":"l%d","template":{"name":"order_ready","language":"en_US","components":[{"type":'
        b'"body","parameters":[{"type":"text","text":"Sarah"},{"type":"text","text":"order 1042"}]}]}}\n'
        % (first + (number if people is None else number % people), first_line + number % lines)
        for number in range(count)
    )
