"""What is queued leaves as fast as it can."""

import json
import time

from figures import Row
from outbox import Outboxd, Sandbox, ndjson
from processes import output, wait_until

LINES = 20
COUNT = 100_000


def drain(bench, daemon, sandbox, count, first_line=0, lines=LINES, people=None, first=None):
    """Messages per second from the moment Meta's side begins to answer until every one is known to be sent.

    They are queued while the sandbox is stopped; by then as many as there are connections are under way.
    """
    first = bench.new_people(people or count) if first is None else first
    messages = ndjson(first, count, lines, first_line, people)
    sandbox.forget()
    before = daemon.states().get("sent", 0)
    sandbox.halt()
    try:
        daemon.bulk(messages)
        time.sleep(0.3)
        used = daemon.program.cpu()
        start = time.monotonic()
    finally:
        sandbox.go_on()
    wait_until(lambda: daemon.states().get("sent", 0) >= before + count, "everything sent", 300)
    passed = time.monotonic() - start
    return count / passed, (daemon.program.cpu() - used) / count * 1e6


def bodies_of(sandbox, path, count):
    """Writes what the daemon posted, for bare_post: a line each, number's id, tab, body."""
    with open(path, "w", encoding="utf-8") as file:
        after = 0
        while after < count:
            for entry in sandbox.call("GET", f"/sandbox/ledger?after={after}&limit=10000")["data"]:
                file.write(f"{entry['phoneNumberId']}\t{json.dumps(entry['body'], separators=(',', ':'))}\n")
                after = entry["seq"]


class Drain:
    """Against a loop over libcurl's multi interface that posts the same bodies to the same sandbox."""

    name = "drain"
    rows = [Row("drain", f"drain of {COUNT:,} over {LINES} lines", "/s", "bare libcurl loop", (">=", 0.8))]

    def round(self, bench):
        sandbox = Sandbox(bench)
        daemon = Outboxd(bench, sandbox.url)
        try:
            daemon.add_lines(LINES, pool="bench")
            rate, cpu = drain(bench, daemon, sandbox, COUNT)
            bench.figures.add("drain", "ours", rate)
            bench.figures.add("drain", "cpu-us", cpu)
        finally:
            daemon.stop()
        try:
            file = bench.path("bodies")
            bodies_of(sandbox, file, COUNT)
            sandbox.forget()
            rate = output([bench.made("bare_post"), sandbox.url, str(bench.connections), file])
            bench.figures.add("drain", "peer", float(rate))
        finally:
            sandbox.stop()
