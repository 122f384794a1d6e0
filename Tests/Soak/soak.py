"""Keeps outboxd under full load and fails when what it takes grows. Started by scripts/soak.

The first third of the time warms it up. Of what is left, the median of each figure over the last third may not lie
above that of the first third by more than a tenth and an allowance, which stands beside the figure in FIGURES.
"""

import itertools
import json
import os
import random
import sqlite3
import statistics
import sys
import threading
import time

from running import Ear, Running

# What is sampled each second, and how much more of it is no growth yet.
FIGURES = {
    "resident KiB": 8 << 10,
    "descriptors": 8,
    "threads": 1,
    "WAL KiB": 4096,  # a reader may hold it up a moment longer than usual
    "database bytes per kept message": 512,  # it swings: what is pruned goes every ten seconds
}
GROWTH_MAX = 1.10
KEPT = 5000  # ended messages of each kind; all others are pruned
WAITING_MAX = 4000  # messages on their way, and events nobody was told of: full load, not a growing backlog
BULK = 200
KEYS = 50  # idempotency keys, used again and again: each is kept for a day
PEOPLE = 5000  # written to in turn: each is kept for the 24 hours Meta counts people over


class Load:
    def __init__(self, running):
        self.running = running
        self.numbers = itertools.count()
        self.ending = threading.Event()
        self.room = threading.Event()
        self.counts = {"single": 0, "bulk": 0, "received": 0, "told": 0}
        self.problem = None
        self.threads = [
            threading.Thread(target=self.guard, args=(body,), daemon=True)
            for body in [self.single] * 4 + [self.bulk, self.receive, self.follow, self.follow_with_cursor, self.look]
        ]

    def guard(self, body):
        try:
            body()
        except BaseException as error:  # any end of one of them ends the soak
            if not self.ending.is_set():
                self.problem = f"{body.__name__}: {error!r}"
                self.ending.set()

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ending.set()
        self.room.set()
        for thread in self.threads:
            thread.join(30)

    def message(self, number=None):
        number = next(self.numbers) if number is None else number
        return {"to": f"1415{number % PEOPLE:07d}", "message": f"Hello {number}", "metadata": {"n": number}}

    def single(self):
        client = self.running.client()
        dice = random.Random()
        while self.room.wait() and not self.ending.is_set():
            key = dice.randrange(KEYS) if dice.random() < 0.1 else None
            item = self.message(key)
            headers = {} if key is None else {"Idempotency-Key": f"single-{key}"}
            status, answer = client.call("POST", "/v1/messages", item, headers)
            assert status == 202, answer
            self.counts["single"] += 1
            if dice.random() < 0.02:
                client = self.running.client()

    def bulk(self):
        client = self.running.client()
        for turn in itertools.count():
            self.room.wait()
            if self.ending.is_set():
                return
            # Array, lines, array, lines with a key in turn.
            key = turn // 4 % KEYS if turn % 4 == 3 else None
            items = [self.message(None if key is None else key * BULK + index) for index in range(BULK)]
            body, headers = {"messages": items}, {}
            if turn % 2:
                body = "\n".join(json.dumps(item) for item in items).encode()
                headers = {"Content-Type": "application/x-ndjson"}
            if key is not None:
                headers["Idempotency-Key"] = f"bulk-{key}"
            status, answer = client.call("POST", "/v1/messages/bulk", body, headers)
            assert status == 202 and answer["data"]["queued"] == BULK, answer
            self.counts["bulk"] += BULK

    def receive(self):
        sandbox = self.running.sandbox()
        for number in itertools.count():
            if self.ending.wait(0.02):
                return
            person = f"1416{number % 2000:07d}"
            status, answer = sandbox.call("POST", "/sandbox/inbound", {"phoneNumberId": "106", "from": person})
            assert status == 202, answer
            self.counts["received"] += 1
            if number % 500 == 0:
                sandbox.call("DELETE", "/sandbox/ledger")

    def follow(self):
        while not self.ending.is_set():
            self.read("/v1/events?follow=true", {"Accept": "text/event-stream"}, 20)

    def follow_with_cursor(self):
        client = self.running.client()
        assert client.call("PUT", "/v1/cursors/soak", {"after": 0})[0] in (200, 201)
        while not self.ending.is_set():
            last = self.read("/v1/events?follow=true&cursor=soak", {}, 5)
            if last:
                status, answer = client.call("PUT", "/v1/cursors/soak", {"after": last, "rewind": True})
                assert status == 200, answer

    def read(self, path, headers, seconds):
        """Follows for a while, then leaves without a word; answers the last event's number."""
        connection = self.running.client().connection
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end and not self.ending.is_set():
            line = answer.readline()
            assert line, "the log ended"
            if line.startswith(b"{"):
                last = json.loads(line).get("seq", last)
                self.counts["told"] += 1
        connection.close()
        return last

    def look(self):
        """As people and their screens do; and lets the others go on while outboxd and the sandbox keep up."""
        client = self.running.client()
        paths = ["/v1/messages?limit=50", "/v1/messages?status=failed", "/v1/lines/main/why", "/v1/conversations"]
        for path in itertools.cycle(paths):
            if self.ending.wait(0.1):
                return
            assert client.call("GET", path)[0] == 200, path
            data = client.call("GET", "/v1/status")[1]["data"]
            states = ("queued", "processing", "retrying", "sent", "delivered")
            behind = client.call("GET", "/v1/subscriptions/1")[1]["data"]["behind"]
            waiting = sum(data["messages"].get(state, 0) for state in states) + behind
            (self.room.set if waiting < WAITING_MAX else self.room.clear)()


def sample(running):
    pid = running.daemon.pid
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    wal = running.state + "/outboxd.db-wal"
    data = running.status()
    kept = sum(data["messages"].values())
    # Pages in use: what pruning gives back to the file is not given back to the disk at once.
    database = sqlite3.connect(f"file:{running.state}/outboxd.db?mode=ro", uri=True, timeout=30)
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    database.close()
    figures = {
        "resident KiB": int(status["VmRSS"].split()[0]),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
        "WAL KiB": os.path.getsize(wal) // 1024,
        "database bytes per kept message": (pages - free) * size // max(kept, 1),
    }
    return figures, kept


def judge(samples):
    """Prints each figure; answers what grew."""
    rest = samples[len(samples) // 3 :]
    first, last = rest[: len(rest) // 3], rest[-(len(rest) // 3) :]
    grown = []
    for name, allowance in FIGURES.items():
        before, after = (statistics.median(figures[name] for figures in part) for part in (first, last))
        most = max(figures[name] for figures in samples)
        print(f"soak: {name}: {before:.0f} after warming up, {after:.0f} at the end, {most:.0f} at most")
        if after > before * GROWTH_MAX + allowance:
            grown.append(name)
    return grown


def main(programs, seconds):
    running = Running(programs)
    try:
        ear = Ear()
        client = running.client()
        assert client.call("POST", "/v1/subscriptions", {"url": f"http://127.0.0.1:{ear.port}/"})[0] == 201
        for kind in ("read", "delivered", "sent", "failed", "cancelled", "received", "events"):
            status, answer = client.call("PUT", f"/v1/retention/{kind}", {"maxCount": KEPT})
            assert status == 200, answer
        load = Load(running)
        load.start()
        samples = []
        end = time.monotonic() + seconds
        while time.monotonic() < end and not load.ending.wait(1):
            figures, kept = sample(running)
            samples.append(figures)
            if len(samples) % 60 == 0:
                print(f"soak: {len(samples)} s: {load.counts}, {ear.calls} callbacks, {kept} kept, {figures}")
                sys.stdout.flush()
        problem = load.problem
        load.stop()
        said = running.stop()
    finally:
        running.kill()
    print(running.words(), end="")
    if problem or said != 0:
        raise SystemExit(f"soak: {problem or f'outboxd ended with {said}'}")
    counts = load.counts
    print(f"soak: {seconds:.0f} s: {counts}, {ear.calls} callbacks")
    if min(counts.values()) == 0 or ear.calls == 0:
        raise SystemExit("soak: a part of the load did nothing")
    grown = judge(samples)
    if grown:
        raise SystemExit(f"soak: grew: {', '.join(grown)}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
