"""A running outboxd as these tests start it and speak to it: over its Unix socket, or over a port of this machine."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Python"))
from unix_http import Endpoint, UnixConnection  # noqa: E402, F401


class Machine:
    """A daemon with an empty queue beside a sandbox that posts webhooks to it; `metrics` is its port for the metrics,
    `pages` the one for the pages of links."""

    def __init__(self, programs, folder):
        self.folder = pathlib.Path(folder)
        self.socket = str(self.folder / "outboxd.sock")
        self.webhooks = str(self.folder / "webhook.sock")
        self.secret = "a-secret-of-the-app"
        secrets = self.folder / "state" / "secrets"
        secrets.parent.mkdir(0o700)
        secrets.mkdir(0o700)
        (secrets / "app.default.secret").write_text(self.secret)
        listeners = [socket.create_server(("127.0.0.1", 0), backlog=16) for _ in range(2)]
        self.metrics, self.pages = (listener.getsockname()[1] for listener in listeners)
        port = self.folder / "port"
        self.processes = []
        self.start(
            programs, "outbox-sandbox", "--port", "0", "--port-file", str(port), "--app-secret", self.secret,
            "--webhook-url", "http://localhost/webhooks/default", "--webhook-socket", self.webhooks,
        )
        self.sandbox = int(until(lambda: port.exists() and port.read_text()))
        # As systemd hands sockets in, from number 3 on; the process keeps its own number when it becomes the daemon.
        numbers = [listener.fileno() for listener in listeners]
        variables = 'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="metrics:pages")'
        hand_in = f"{take_places(numbers)}; {variables}; os.execv(sys.argv[1], sys.argv[1:])"
        self.start(
            programs, "outboxd", "--state-dir", str(self.folder / "state"), "--socket", self.socket,
            "--webhook-socket", self.webhooks, "--graph-url", f"http://127.0.0.1:{self.sandbox}",
            "--public-url", f"http://127.0.0.1:{self.pages}", "--signup-app-id", "7", "--signup-config-id", "8",
            through=[sys.executable, "-c", hand_in], keeps=numbers,
        )
        for listener in listeners:
            listener.close()
        until(self.answers)

    def start(self, programs, name, *words, through=(), keeps=()):
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [*through, str(pathlib.Path(programs) / name), *words], stdout=log, stderr=log, pass_fds=keeps
                )
            )

    def answers(self):
        try:
            return exchange(self.socket, "GET", "/healthz")[0] == 200
        except OSError:
            return False

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def take_places(numbers):
    """Python that gives these descriptors the numbers from 3 on."""
    return (
        "import fcntl, os, sys; "
        f"high = [fcntl.fcntl(number, fcntl.F_DUPFD, 64) for number in {list(numbers)}]; "
        "[os.dup2(number, 3 + place) for place, number in enumerate(high)]"
    )


@contextlib.contextmanager
def machine(programs):
    with tempfile.TemporaryDirectory(prefix="outboxd-test.") as folder:
        machine = Machine(programs, folder)
        try:
            yield machine
        finally:
            machine.stop()


def exchange(path, method, target, body=None, headers=None):
    """The status, the headers by their lower-case names, and the body's bytes; `body` is bytes or becomes JSON."""
    connection = UnixConnection(path)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection.request(method, target, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text


def data(path, method, target, body=None):
    status, _, text = exchange(path, method, target, body)
    assert 200 <= status < 300, (method, target, status, text)
    return json.loads(text).get("data") if text else None


def sandbox(port, method, target, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body)
    connection.request(method, target, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, (method, target, answer.status, text)
    return json.loads(text) if text else None


def until(said, seconds=30):
    """Waits for `said` to answer something that is true, and answers that."""
    end = time.monotonic() + seconds
    while True:
        found = said()
        if found:
            return found
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.02)


class Forwarder(socketserver.ThreadingTCPServer):
    """A port of the loopback interface that leads to a Unix socket."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, path):
        self.path = path
        super().__init__(("127.0.0.1", 0), Forwarding)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Forwarding(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.socket(socket.AF_UNIX) as outboxd:
            outboxd.connect(self.server.path)
            back = threading.Thread(target=pump, args=(outboxd, self.request), daemon=True)
            back.start()
            pump(self.request, outboxd)
            back.join()


def pump(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side broke off: the other is told, unless it has gone as well.
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
