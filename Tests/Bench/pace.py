"""A line's messages a second as the other side sees them."""

from datetime import datetime

from figures import Row
from outbox import Outboxd, Sandbox, ndjson
from processes import wait_until

SECONDS = 10


class Pace:
    """A line with burst 1, whose messages wait already."""

    name = "pace"
    rates = (80, 1000)
    rows = [
        row
        for rate in rates
        for row in (
            Row(f"pace.{rate}.peak", f"line at {rate}/s: most in any second", "messages", "setting", ("<=", 1)),
            Row(f"pace.{rate}.mean", f"line at {rate}/s: average", "/s", "setting", (">=", 0.99)),
        )
    ]

    def round(self, bench):
        for rate in self.rates:
            sandbox = Sandbox(bench)
            daemon = Outboxd(bench, sandbox.url)
            try:
                daemon.add_lines(1, per_second=rate)
                count = rate * SECONDS
                daemon.bulk(ndjson(bench.new_people(count), count))
                wait_until(lambda: sandbox.accepted() >= count, "everything sent", SECONDS * 3, 0.5)
                entries = sandbox.call("GET", f"/sandbox/ledger?limit={count}")["data"]
                times = sorted(datetime.fromisoformat(entry["at"]).timestamp() for entry in entries)
                for name, value in (("peak", _peak(times)), ("mean", (count - 1) / (times[-1] - times[0]))):
                    bench.figures.add(f"pace.{rate}.{name}", "ours", value)
                    bench.figures.add(f"pace.{rate}.{name}", "peer", rate)
                summary = sandbox.call("GET", "/sandbox/summary")["data"]
                bench.figures.add(f"pace.{rate}.peak", "sandbox-says", summary["peakPerSecond"])
            finally:
                daemon.stop()
                sandbox.stop()


def _peak(times):
    """The most in any second that begins with one of them, its end excluded."""
    most = oldest = 0
    for index, moment in enumerate(times):
        while moment - times[oldest] >= 0.9995:  # milliseconds, as floats
            oldest += 1
        most = max(most, index - oldest + 1)
    return most
