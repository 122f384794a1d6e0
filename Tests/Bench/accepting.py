"""Durable accept, one message a request and in bulk."""

from figures import Row
from outbox import Outboxd
from peers import beanstalkd, redis
from processes import output

CLIENTS = (1, 16, 64, 256)
REACH_REDIS = {1: 0.8, 16: 1.0, 64: 1.0, 256: 0.8}


def load(bench, kind, path, clients):
    """Per second; median and 99th percentile in microseconds."""
    words = output([bench.program("outbox-load"), kind, path, str(clients), str(bench.seconds)]).split()
    return [float(word) for word in words[2:5]]


class Accept:
    """Against redis-server and beanstalkd, on this disk or on one whose syncs take longer."""

    def __init__(self, delay=0):
        self.delay = delay
        self.name = f"accept+{delay}ms" if delay else "accept"
        disk = f", sync +{delay} ms" if delay else ""
        self.rows = []
        for clients in CLIENTS:
            what = f"accept, {clients} client{'s' if clients > 1 else ''}{disk}"
            reach = (">=", 10) if clients >= 64 else None
            self.rows += [
                Row(f"{self.name}.{clients}.redis", what, "/s", "redis", (">=", REACH_REDIS[clients])),
                Row(f"{self.name}.{clients}.beanstalkd", what, "/s", "beanstalkd", reach),
            ]

    def round(self, bench):
        env = {}
        if self.delay:
            env = {"LD_PRELOAD": bench.made("slow_sync.so"), "SLOW_SYNC_MS": str(self.delay)}
        for clients in CLIENTS:
            for name, kind, start in (("redis", "xadd", redis), ("beanstalkd", "put", beanstalkd)):
                program, path = start(bench, env)
                try:
                    bench.figures.add(f"{self.name}.{clients}.{name}", "peer", load(bench, kind, path, clients)[0])
                finally:
                    program.stop()
            daemon = Outboxd(bench, bench.nobody, env=env)
            try:
                daemon.add_lines()
                before = daemon.program.cpu()
                rate, median, late = load(bench, "accept", daemon.socket, clients)
                cpu = (daemon.program.cpu() - before) / max(rate * bench.seconds, 1) * 1e6
            finally:
                daemon.stop()
            for name in ("redis", "beanstalkd"):
                bench.figures.add(f"{self.name}.{clients}.{name}", "ours", rate)
            for name, value in (("p50-us", median), ("p99-us", late), ("cpu-us", cpu)):
                bench.figures.add(f"{self.name}.{clients}", name, value)


class Bulk:
    """Against the same rows inserted by bare_insert into a file outboxd made."""

    name = "bulk"
    forms = (("ndjson", "NDJSON"), ("bulk", "JSON array"))
    rows = [
        Row(f"bulk.{kind}.{clients}", f"bulk of 1,000, {words}, {clients} client{'s' if clients > 1 else ''}", "/s",
            "bare C on SQLite", (">=", 0.8))
        for kind, words in forms for clients in (1, 4)
    ]

    def round(self, bench):
        for kind, _ in self.forms:
            for clients in (1, 4):
                key = f"bulk.{kind}.{clients}"
                daemon = Outboxd(bench, bench.nobody, folder="bare")
                daemon.add_lines()
                daemon.stop()
                rate = output([bench.made("bare_insert"), f"{daemon.folder}/outboxd.db", str(bench.seconds)])
                bench.figures.add(key, "peer", float(rate))
                daemon = Outboxd(bench, bench.nobody)
                try:
                    daemon.add_lines()
                    before = daemon.program.cpu()
                    rate = load(bench, kind, daemon.socket, clients)[0]
                    cpu = (daemon.program.cpu() - before) / max(rate * bench.seconds, 1) * 1e6
                    bench.figures.add(key, "ours", rate)
                    bench.figures.add(key, "cpu-us", cpu)
                finally:
                    daemon.stop()
