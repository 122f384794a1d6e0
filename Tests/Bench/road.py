"""The whole road: submitted, sent, followed to read by webhooks, every change told to a subscriber
that takes up to 100 events in a call.

The peers do less: they post the message once and know nothing of limits, statuses and callbacks.
"""

import os
import resource
import subprocess
import time

from figures import Row
from outbox import Outboxd, Sandbox
from peers import redis
from processes import Program, output, wait_until

OURS = 20_000
PEERS = 2_000
WORKERS = 4


def _children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Road:
    """Both sides count the CPU of who submits, of the queue and of its workers; not the sandbox, not the subscriber."""

    name = "road"
    rows = [
        row
        for peer in ("huey", "celery")
        for row in (
            Row(f"road.{peer}", "whole road", "/s", f"{peer} (posts alone)", (">=", 10)),
            Row(f"road.{peer}.cpu", "whole road, CPU a message", "us", f"{peer} (posts alone)", ("<=", 0.1)),
        )
    ]

    def round(self, bench):
        rate, cpu = self._ours(bench)
        for peer in ("huey", "celery"):
            bench.figures.add(f"road.{peer}", "ours", rate)
            bench.figures.add(f"road.{peer}.cpu", "ours", cpu)
            rate_peer, cpu_peer = self._peer(bench, peer)
            bench.figures.add(f"road.{peer}", "peer", rate_peer)
            bench.figures.add(f"road.{peer}.cpu", "peer", cpu_peer)

    def _ours(self, bench):
        sandbox = Sandbox(bench, webhooks=bench.path("w"))
        sink = Program([bench.made("sink")], bench.path("sink.log"), stdout=subprocess.PIPE)
        port = int(sink.process.stdout.readline())
        daemon = Outboxd(bench, sandbox.url)
        try:
            daemon.add_lines()
            daemon.call("POST", "/v1/subscriptions", {
                "url": f"http://127.0.0.1:{port}/", "eventsPerCall": 100})
            before, used, start = _children_cpu(), daemon.program.cpu(), time.monotonic()
            accepted = output([bench.program("outbox-load"), "send", daemon.socket, "16", str(OURS)]).split()
            bench.figures.add("road", "submitted-per-s", float(accepted[2]))
            wait_until(lambda: daemon.states().get("read", 0) >= OURS, "everything read", 300, 0.05)
            bench.figures.add("road", "read-per-s", OURS / (time.monotonic() - start))
            wait_until(lambda: self._told(daemon), "every callback", 300, 0.05)
            rate = OURS / (time.monotonic() - start)
            cpu = (daemon.program.cpu() - used + _children_cpu() - before) / OURS * 1e6
            bench.figures.add("road", "daemon-cpu-us", (daemon.program.cpu() - used) / OURS * 1e6)
            return rate, cpu
        finally:
            daemon.stop()
            sink.stop()
            sandbox.stop()

    @staticmethod
    def _told(daemon):
        subscription = daemon.call("GET", "/v1/subscriptions")["data"][0]
        return subscription["behind"] == 0 and subscription["waiting"] == 0

    def _peer(self, bench, peer):
        sandbox = Sandbox(bench)
        broker = None
        env = {"BENCH_URL": f"{sandbox.url}/v25.0/106/messages", "PYTHONPATH": bench.sources,
               "BENCH_QUEUE": bench.path("huey.db")}
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(env["BENCH_QUEUE"] + suffix):
                os.unlink(env["BENCH_QUEUE"] + suffix)
        if peer == "celery":
            broker, path = redis(bench)
            env["BENCH_QUEUE"] = f"redis+socket://{path}"
        python = bench.made("venv/bin/python")
        worker = {
            "huey": [python, "-m", "huey.bin.huey_consumer", "road_huey.queue", "-w", str(WORKERS), "-k", "process",
                     "-d", "0.01", "-m", "0.05", "-n", "-q"],
            "celery": [python, "-m", "celery", "-A", "road_celery", "worker", "-c", str(WORKERS), "-l", "error",
                       "--without-gossip", "--without-mingle", "--without-heartbeat"],
        }[peer]
        consumer = Program(worker, bench.path(f"{peer}.log"), env=env)
        try:
            submit = [python, "-c", f"import road_{peer}, sys; road_{peer}.submit(int(sys.argv[1]))"]
            output(submit + [str(WORKERS)], env)  # everybody is awake and connected
            wait_until(lambda: sandbox.accepted() >= WORKERS, peer, 60)
            time.sleep(1)
            programs = [consumer] + ([broker] if broker else [])
            before, used, start = _children_cpu(), sum(program.cpu() for program in programs), time.monotonic()
            output(submit + [str(PEERS)], env)
            bench.figures.add(f"road.{peer}", "submitted-per-s", PEERS / (time.monotonic() - start))
            wait_until(lambda: sandbox.accepted() >= WORKERS + PEERS, f"everything sent by {peer}", 300, 0.05)
            rate = PEERS / (time.monotonic() - start)
            cpu = sum(program.cpu() for program in programs) - used + _children_cpu() - before
            return rate, cpu / PEERS * 1e6
        finally:
            consumer.stop()
            if broker:
                broker.stop()
            sandbox.stop()
