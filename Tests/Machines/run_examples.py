"""Every example of the manual does what it says, against a real daemon and sandbox.

An example whose language is not on this machine is skipped, and that is said.

usage: run_examples.py PROGRAMS
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import outboxd

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "Sources" / "Manual" / "examples"


def has_curl_for_php():
    return shutil.which("php") and "curl" in subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True).stdout


def command(example, folder):
    """What runs it; nil where that is not on this machine."""
    if example.suffix == ".swift":
        if not shutil.which("swiftc"):
            return None
        program = folder / example.stem
        subprocess.run(["swiftc", "-o", program, example], check=True)
        return [program]
    runs = {
        ".sh": ["sh"] if shutil.which("curl") else None,
        ".py": [sys.executable],
        ".mjs": ["node"] if shutil.which("node") else None,
        ".php": ["php"] if has_curl_for_php() else None,
    }[example.suffix]
    return runs and [*runs, example]


def main():
    programs = sys.argv[1]
    with outboxd.machine(programs) as machine:
        path = machine.socket
        environment = {**os.environ, "OUTBOXD_SOCKET": path, "PATH": f"{programs}:{os.environ['PATH']}"}
        outboxd.data(path, "PUT", "/v1/lines/main", {"phoneNumberId": "106", "token": "t"})
        outboxd.sandbox(machine.sandbox, "PUT", "/sandbox/faults", {"rules": ["error=131026:14155550199"]})

        def run(words, number):
            return subprocess.run(
                [*words, number], env=environment, timeout=90, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

        done, skipped = [], []
        for number, example in enumerate(sorted(EXAMPLES.iterdir())):
            words = command(example, machine.folder)
            if words is None:
                skipped.append(example.name)
                continue
            before = outboxd.sandbox(machine.sandbox, "GET", "/sandbox/summary")["data"]["accepted"]
            good = run(words, f"1415555{number:04}")
            assert good.returncode == 0, (example.name, good)
            ids = re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", good.stdout)
            assert ids, (example.name, good)
            message = outboxd.data(path, "GET", f"/v1/messages/{ids[0]}")
            assert message["status"] in ("delivered", "read"), (example.name, message)
            after = outboxd.sandbox(machine.sandbox, "GET", "/sandbox/summary")["data"]["accepted"]
            assert after == before + 1, (example.name, before, after)
            # One that Meta refuses, and one that outboxd does: both end in words and a status.
            for wrong, reason in [("14155550199", "131026"), ("none", "to")]:
                bad = run(words, wrong)
                assert bad.returncode not in (0, 64) and reason in bad.stderr, (example.name, wrong, bad)
                assert "Traceback" not in bad.stderr, (example.name, bad)
            done.append(example.name)
        assert done, "no example ran"
        print(f"examples: {', '.join(done)} send and follow" + (f"; skipped: {', '.join(skipped)}" if skipped else ""))


if __name__ == "__main__":
    main()
