"""A real outboxd beside a real outbox-sandbox in a folder of their own, and what calls them and is called by them."""

import http.client
import json
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Python"))
from unix_http import UnixConnection  # noqa: E402

SECRET = "soak-secret"


class Client:
    """One kept-alive connection."""

    def __init__(self, connection):
        self.connection = connection

    def call(self, method, path, body=None, headers=None):
        """Answers status and JSON; raises when no answer comes."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None


class Running:
    """`before` stands before outboxd's own words on its command line, as valgrind does."""

    def __init__(self, programs, before=(), patience=60):
        self.folder = tempfile.TemporaryDirectory(prefix="outboxd-soak.")
        self.programs = programs
        self.before = list(before)
        self.patience = patience
        self.state = self.file("state")
        os.umask(0o077)  # outboxd takes no folder and no secret that others may read
        os.makedirs(self.state + "/secrets")
        with open(self.state + "/secrets/app.default.secret", "w", encoding="ascii") as file:
            file.write(SECRET)
        self.processes = []
        self.sandbox_port = self.start_sandbox()
        self.daemon = self.start_daemon()
        self.add_line("main", "106")

    def add_line(self, name, number):
        """One that sends what it is given, to anybody and at once."""
        line = {"phoneNumberId": number, "token": "t", "messagesPerSecond": 10000, "pairLimit": False}
        status, answer = self.client().call("PUT", f"/v1/lines/{name}", line | {"closedWindow": "leave"})
        assert status == 201, answer
        assert self.client().call("PUT", f"/v1/pools/{name}", {"tier": "TIER_UNLIMITED"})[0] == 200

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, words, log):
        with open(self.file(log), "ab") as output:
            process = subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def start_sandbox(self):
        port = self.file("port")
        self.start(
            [f"{self.programs}/outbox-sandbox", "--port", "0", "--port-file", port]
            + ["--webhook-url", "http://localhost/webhooks/default", "--webhook-socket", self.file("w")]
            + ["--app-secret", SECRET, "--delivered-after", "20", "--read-after", "20"],
            "sandbox.log",
        )
        self.wait(lambda: os.path.exists(port) and os.path.getsize(port) > 0, "the sandbox did not start")
        with open(port, encoding="ascii") as file:
            return int(file.read())

    def start_daemon(self):
        process = self.start(
            self.before
            + [f"{self.programs}/outboxd", "--state-dir", self.state]
            + ["--socket", self.file("a"), "--webhook-socket", self.file("w")]
            + ["--graph-url", f"http://127.0.0.1:{self.sandbox_port}", "--log-level", "warning"],
            "outboxd.log",
        )
        self.wait(self.is_served, "outboxd did not start")
        return process

    def is_served(self):
        try:
            return self.client().call("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def wait(self, holds, what, pause=0.05):
        end = time.monotonic() + self.patience
        while not holds():
            ended = any(process.poll() is not None for process in self.processes)
            if ended or time.monotonic() > end:
                raise SystemExit(f"{what}: {self.words()}")
            time.sleep(pause)

    def client(self):
        return Client(UnixConnection(self.file("a"), timeout=120))

    def sandbox(self):
        return Client(http.client.HTTPConnection("127.0.0.1", self.sandbox_port, timeout=60))

    def status(self):
        return self.client().call("GET", "/v1/status")[1]["data"]

    def words(self):
        with open(self.file("outboxd.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def stop(self):
        """Answers outboxd's exit status."""
        self.daemon.send_signal(signal.SIGTERM)
        try:
            return self.daemon.wait(self.patience)
        finally:
            self.kill()

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


class Ear:
    """A web server that is told of events and says 204 to everything, on a thread of its own."""

    def __init__(self):
        self.calls = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        heard = {}
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.listener:
                    connection, _ = self.listener.accept()
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ)
                    heard[connection] = b""
                    continue
                connection = key.fileobj
                try:
                    piece = connection.recv(65536)
                    heard[connection] = self.answer(connection, heard[connection] + piece) if piece else None
                except OSError:
                    heard[connection] = None
                if heard[connection] is None:
                    selector.unregister(connection)
                    connection.close()
                    del heard[connection]

    def answer(self, connection, heard):
        """Answers every whole request in it; what is left is the beginning of the next."""
        while True:
            end = heard.find(b"\r\n\r\n")
            if end < 0:
                return heard
            head = heard[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(heard) < end + 4 + length:
                return heard
            heard = heard[end + 4 + length :]
            self.calls += 1
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
