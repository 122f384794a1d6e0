"""The same figures with a long history, and with many who wait, as a share of what the empty queue does."""

import os
import sqlite3

import history
from accepting import load
from draining import LINES, drain
from figures import Row
from outbox import Outboxd, Sandbox, ndjson

DRAINED = 20_000
QUESTIONS = ("status", "get", "list", "list failed", "list to", "why", "events page")


def _filled(bench, folder, sandbox, count):
    """A queue in which so many wait for a place in the tier of a line of its own."""
    daemon = Outboxd(bench, sandbox.url, folder=folder)
    daemon.add_lines(LINES, pool="bench")
    daemon.add_lines(1, tier="TIER_250", first=LINES)
    daemon.call("PUT", f"/v1/pools/l{LINES}", {"used": 250})
    first = bench.new_people(count)
    for done in range(0, count, 100_000):
        daemon.bulk(ndjson(first + done, min(count - done, 100_000), first_line=LINES))
    waiting = daemon.call("GET", f"/v1/pools/l{LINES}")["data"]["waiting"]
    bench.figures.note(f"{waiting:,} of {count:,} wait at the full tier")
    bench.figures.add("waiting.rss", "MB", daemon.program.resident())
    daemon.stop()
    return folder


class Sizes:
    """Each size beside the empty queue, measured in turn in each round."""

    name = "sizes"

    def __init__(self, count, waiting):
        self.count = count
        self.waiting = waiting
        self.sizes = {"history": f"{count:,} ended", "waiting": f"{waiting:,} at a full tier"}
        self.rows = [
            Row(f"{size}.{key}", f"{what}, {words}", "/s", "empty queue", (">=", 0.9))
            for size, words in self.sizes.items()
            for key, what in (("accept", "accept, 64 clients"), ("bulk", "bulk"), ("drain", "drain"))
        ]
        self.folders = {}

    def prepare(self, bench):
        self.folders = {"history": history.folder(bench, self.count, LINES)}
        sandbox = Sandbox(bench)
        try:
            self.folders["waiting"] = _filled(bench, "waiting", sandbox, self.waiting)
        finally:
            sandbox.stop()

    def round(self, bench):
        for size, folder in self.folders.items():
            self._measure(bench, size, "peer", None)
            self._measure(bench, size, "ours", folder)

    def _measure(self, bench, size, side, folder):
        sandbox = Sandbox(bench)
        daemon = Outboxd(bench, sandbox.url, folder=folder or "state", fresh=folder is None)
        try:
            if folder is None:
                daemon.add_lines(LINES, pool="bench")
            bench.figures.add(f"{size}.accept", side, load(bench, "accept", daemon.socket, 64)[0])
            bench.figures.add(f"{size}.bulk", side, load(bench, "ndjson", daemon.socket, 4)[0])
            rate, cpu = drain(bench, daemon, sandbox, DRAINED)
            bench.figures.add(f"{size}.drain", side, rate)
            bench.figures.add(f"{size}.drain", f"cpu-us-{side}", cpu)
        finally:
            daemon.stop()
            sandbox.stop()


class Reads:
    """How long questions take at that size while 16 clients submit as fast as they can."""

    name = "reads"

    def __init__(self, count):
        self.count = count
        self.rows = [
            Row(f"reads.{name}.{share}", f"{name}, {share}, at {count:,}, accepting", "ms", "", ("<=", 5))
            for name in QUESTIONS for share in ("p50", "p99")
        ]
        self.rows.append(Row("reads.accept", "accepted meanwhile, 16 clients", "/s"))

    def prepare(self, bench):
        self.folder = history.folder(bench, self.count, LINES)

    def round(self, bench):
        daemon = Outboxd(bench, bench.nobody, folder=self.folder, fresh=False)
        try:
            database = sqlite3.connect(f"file:{os.path.join(daemon.folder, 'outboxd.db')}?mode=ro", uri=True)
            middle, recipient, event = database.execute(
                "SELECT id, recipient, last_event FROM message WHERE id >= (SELECT avg(id) FROM "
                "(SELECT min(id) AS id FROM message UNION ALL SELECT max(id) FROM message)) LIMIT 1").fetchone()
            database.close()
            listed = daemon.call("GET", f"/v1/messages?to={recipient}")["data"]
            message = listed[-1]["id"]
            questions = dict(zip(QUESTIONS, (
                "/v1/status", f"/v1/messages/{message}", "/v1/messages", "/v1/messages?status=failed",
                f"/v1/messages?to={recipient}", f"/v1/messages/{message}/why", f"/v1/events?after={event}&limit=100")))
            words = [f"{name.replace(' ', '_')}={path}" for name, path in questions.items()]
            busy = bench.start([bench.program("outbox-load"), "accept", daemon.socket, "16", str(bench.seconds + 1)])
            asked = bench.output([bench.program("outbox-load"), "ask", daemon.socket, str(bench.seconds)] + words)
            accepted = busy.communicate()[0].split()
            for line in asked.splitlines():
                _, name, _, median, late = line.split()
                bench.figures.add(f"reads.{name.replace('_', ' ')}.p50", "ours", float(median) / 1000)
                bench.figures.add(f"reads.{name.replace('_', ' ')}.p99", "ours", float(late) / 1000)
            bench.figures.add("reads.accept", "ours", float(accepted[2]))
        finally:
            daemon.stop()
