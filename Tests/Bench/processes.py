"""Programs under measurement, and what the kernel says of them."""

import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def wait_until(condition, what, seconds=60.0, pause=0.02):
    """Returns what the condition gave as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
    return found


class Program:
    """One program in a session of its own, so that its whole tree can be counted and ended."""

    def __init__(self, words, log, env=None, stdin=None, stdout=None):
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                words, stdin=stdin, stdout=stdout or stderr, stderr=stderr, start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        self.pid = self.process.pid

    def stop(self, by=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(by)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()

    def cpu(self):
        """Seconds of CPU its tree has used, ended children of the first process included."""
        ticks = 0
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[3]) == self.pid:
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / TICKS

    def resident(self):
        """MB, as VmRSS has it."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024

    def wakeups(self):
        """How often its threads have gone to sleep by themselves."""
        count = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/status", encoding="utf-8") as file:
                count += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
        return count


def output(words, env=None):
    """What a program prints; its failure is ours."""
    done = subprocess.run(words, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
