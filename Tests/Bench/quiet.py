"""One message alone, nothing at all, and the start behind a million."""

import signal
import socket
import subprocess
import threading
import time

from figures import Row
from outbox import Outboxd, Sandbox, ndjson


MESSAGES = 100
IDLE_SECONDS = 20


class FirstByte:
    """From a submission to the first byte at Meta's side, against two syncs and a round trip on the same machine."""

    name = "first"
    rows = [
        Row("first.p50", "submit to first byte, p50", "us", "2 syncs + HTTP on loopback", ("<=", 1.5)),
        Row("first.p99", "submit to first byte, p99", "us", "2 syncs + HTTP on loopback", ("<=", 3)),
    ]

    def round(self, bench):
        words = [bench.program("outbox-load"), "first", bench.path("a"), bench.work, str(MESSAGES)]
        meta = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = meta.stdout.readline().split()[1]
        # It answers only once a byte was written to it, so that what the line asks of Meta waits until then.
        daemon = Outboxd(bench, f"http://127.0.0.1:{port}")
        try:
            daemon.add_lines()
            for line in meta.communicate("\n", timeout=120)[0].splitlines():
                kind, _, _, median, late = line.split()
                side = {"first": "ours", "floor": "peer"}[kind]
                bench.figures.add("first.p50", side, float(median))
                bench.figures.add("first.p99", side, float(late))
        finally:
            meta.kill()
            daemon.stop()


class Idle:
    """Without systemd there is no watchdog: nothing may wake the daemon at all."""

    name = "idle"
    rows = [
        Row("idle.wakeups", f"idle for {IDLE_SECONDS} s: threads that woke", "times", "", ("<=", 0)),
        Row("idle.rss", "idle: resident", "MB", "", ("<=", 40)),
    ]

    def round(self, bench):
        daemon = Outboxd(bench, bench.nobody)
        try:
            daemon.add_lines()
            time.sleep(2)
            before = daemon.program.wakeups()
            time.sleep(IDLE_SECONDS)
            bench.figures.add("idle.wakeups", "ours", daemon.program.wakeups() - before)
            bench.figures.add("idle.rss", "ours", daemon.program.resident())
        finally:
            daemon.stop()


class Meta(threading.Thread):
    """Notes when the first POST's first bytes come, and answers none; what is asked otherwise is answered."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.first = threading.Event()
        self.at = None

    def run(self):
        while True:
            connection = self.listener.accept()[0]
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        while words := connection.recv(65536):
            if words.startswith(b"POST"):
                if not self.first.is_set():
                    self.at = time.monotonic()
                    self.first.set()
            else:
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n'
                                   b'{"data":[]}')


class Start:
    """Ended by SIGKILL with a million in the queue, and started again."""

    name = "start"

    def __init__(self, queued):
        self.queued = queued
        self.rows = [
            Row("start", f"start to first send, {queued:,} queued", "s", "", ("<=", 1)),
            Row("start.rss", f"resident with {queued:,} queued", "MB", "", ("<=", 200)),
        ]

    def prepare(self, bench):
        sandbox = Sandbox(bench)
        daemon = Outboxd(bench, sandbox.url, folder="queued")
        try:
            daemon.add_lines()
            sandbox.halt()
            first = bench.new_people(self.queued)
            for done in range(0, self.queued, 100_000):
                daemon.bulk(ndjson(first + done, min(self.queued - done, 100_000)))
            bench.figures.add("start.rss", "after-queueing-MB", daemon.program.resident())
        finally:
            daemon.stop(signal.SIGKILL)
            sandbox.stop()

    def round(self, bench):
        meta = Meta()
        meta.start()
        start = time.monotonic()
        daemon = Outboxd(bench, f"http://127.0.0.1:{meta.port}", folder="queued", fresh=False)
        try:
            if not meta.first.wait(60):
                raise TimeoutError("nothing was sent within 60 s of the start")
            bench.figures.add("start", "ours", meta.at - start)
            time.sleep(1)
            bench.figures.add("start.rss", "ours", daemon.program.resident())
        finally:
            daemon.stop(signal.SIGKILL)
