"""The road of a message on this machine beside what others do with it, in one run and in turn.

Called by scripts/bench, which builds what is measured.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager

from accepting import Accept, Bulk
from draining import Drain
from figures import Figures
from outbox import Sandbox
from pace import Pace
from processes import output
from quiet import FirstByte, Idle, Start
from road import Road
from sizes import Reads, Sizes


class Bench:
    """What every measurement needs to know."""

    def __init__(self, options):
        self.seconds = options.seconds
        self.connections = options.connections
        self.programs = options.programs
        self.made_folder = options.made
        self.lock_file = options.lock
        self.sources = os.path.dirname(os.path.abspath(__file__))
        self.work = tempfile.mkdtemp(prefix="outboxd-bench.", dir=options.folder)
        self.figures = Figures(os.path.join(options.made, "raw"))
        self.history = None
        self.people = 0
        self.sandbox = None

    def path(self, name):
        """In the work directory, which goes at the end."""
        return os.path.join(self.work, name)

    def program(self, name):
        return os.path.join(self.programs, name)

    def made(self, name):
        """In .bench, which stays."""
        return os.path.join(self.made_folder, name)

    def new_people(self, count):
        """The first of so many numbers nobody of this run was given; after ten million they come again."""
        if self.people + count > 9_000_000:
            self.people = 0
        self.people += count
        return self.people - count

    @property
    def nobody(self):
        """Where Meta is for daemons that send nothing."""
        if self.sandbox is None:
            folder = self.work
            self.work = tempfile.mkdtemp(prefix="nobody.", dir=folder)
            try:
                self.sandbox = Sandbox(self)
            finally:
                self.work = folder
        return self.sandbox.url

    def start(self, words):
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def output(self, words):
        return output(words)

    @contextmanager
    def alone(self):
        """While others measure or build on this machine, by their agreement over a file, we wait."""
        if not self.lock_file:
            yield
            return
        with open(self.lock_file, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def close(self):
        if self.sandbox:
            self.sandbox.stop()
        shutil.rmtree(self.work, ignore_errors=True)


def groups(options):
    everything = [
        FirstByte(), Idle(), Accept(), Bulk(), Drain(), Road(), Pace(), Start(options.waiting),
        Sizes(options.history, options.waiting), Reads(options.history), Accept(2), Accept(10),
    ]
    names = [group.name for group in everything]
    unknown = [name for name in options.rows if name not in names]
    if unknown:
        sys.exit(f"bench: no rows {', '.join(unknown)}; there are {', '.join(names)}")
    return [group for group in everything if not options.rows or group.name in options.rows]


def parse(words):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="install redis-server, beanstalkd, huey and celery first")
    parser.add_argument("--rows", type=lambda text: text.split(","), default=[], metavar="NAME,...",
                        help="first, idle, accept, accept+2ms, accept+10ms, bulk, drain, road, pace, start, sizes, "
                        "reads")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many (default: 3)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load (default: 3)")
    parser.add_argument("--history", type=int, default=1_000_000, metavar="N",
                        help="ended messages on disk for sizes and reads (default: 1000000)")
    parser.add_argument("--waiting", type=int, default=1_000_000, metavar="N",
                        help="queued messages for start and sizes (default: 1000000)")
    parser.add_argument("--connections", type=int, default=64, help="to Meta's side (default: 64)")
    parser.add_argument("--folder", default="/tmp", help="where queues are made: the disk that is measured")
    parser.add_argument("--lock", metavar="FILE", help="hold a lock on it during each measurement")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--made", required=True, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started ends too
    chosen = groups(options)
    bench = Bench(options)
    failed = []
    try:
        for number in range(options.rounds):
            for group in [group for group in chosen if group not in failed]:
                print(f"round {number + 1} of {options.rounds}: {group.name}", file=sys.stderr, flush=True)
                try:
                    with bench.alone():
                        if number == 0 and hasattr(group, "prepare"):
                            group.prepare(bench)
                        group.round(bench)
                except Exception as error:  # whatever one lacks, the others can be measured
                    traceback.print_exc()
                    bench.figures.note(f"{group.name} failed and is left out from here on: {error}")
                    failed.append(group)
    except KeyboardInterrupt:
        bench.figures.note("ended early: medians of what there is")
    finally:
        bench.close()
    rows = [row for group in chosen for row in group.rows]
    table = bench.figures.table(rows)
    for line in table.splitlines():
        bench.figures.raw.write(f"# {line}\n")
    print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
