"""outboxctl line add --wizard on a terminal: a person answers, is corrected, breaks off and begins again.

usage: check_wizard.py PROGRAMS
"""

import os
import pathlib
import pty
import select
import signal
import sys
import time

import outboxd

TOKEN = "EAAtoken" + "x" * 4000


class Person:
    """Somebody at a terminal, who waits for a question before answering it."""

    def __init__(self, programs, socket, *words):
        self.seen = ""
        self.read_to = 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "OUTBOXD_SOCKET": socket, "TERM": "xterm"}
            program = str(pathlib.Path(programs) / "outboxctl")
            os.execve(program, [program, *words], environment)

    def look(self, seconds):
        """More of what is shown; False at its end."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:
            # The terminal's other end was closed.
            return False
        self.seen += piece.decode()
        return bool(piece)

    def asked(self, question):
        end = time.monotonic() + 60
        while question not in self.seen[self.read_to:]:
            assert time.monotonic() < end and self.look(1), (question, "was not asked", self.seen[-2000:])
        self.read_to = self.seen.index(question, self.read_to) + len(question)

    def answer(self, question, text):
        self.asked(question)
        os.write(self.terminal, text.encode() + b"\n")

    def end(self):
        while self.look(60):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def check(programs):
    with outboxd.machine(programs) as machine:
        def sandbox(*words):
            return outboxd.sandbox(machine.sandbox, *words)

        sandbox("PUT", "/sandbox/numbers/106", {"status": "PENDING", "platform_type": "NOT_APPLICABLE", "pin": "123456"})
        sandbox("PUT", "/sandbox/numbers/107", {"display_phone_number": "+1 555-010-0107"})
        sandbox("PUT", "/sandbox/tokens/revoked", {"is_valid": False})
        begin = lambda *words: Person(programs, machine.socket, "line", "add", "main", "--wizard", *words)

        # Broken off at the hidden question: the terminal is left as it was, and nothing is stored.
        person = begin()
        person.asked("Access token (not shown): ")
        os.write(person.terminal, b"half a tok\x03")
        assert person.end() == 1 and "Broken off" in person.seen, person.seen
        assert outboxd.data(machine.socket, "GET", "/v1/lines") == []

        # A wrong answer at every step, then the right one.
        person = begin()
        person.answer("Access token (not shown): ", "revoked")
        person.asked("Try once more.")
        person.answer("Access token (not shown): ", TOKEN)
        person.answer("Which one?", "7")
        person.asked("There is no such number")
        person.answer("Which one?", "1")
        person.answer("Register the number now?", "y")
        person.answer("PIN of six digits", "000000")
        person.asked("133005")
        person.answer("PIN of six digits", "123456")
        person.answer("by webhook?", "")
        person.answer("Its number, or empty for no", "+14155550100")
        assert person.end() == 0, person.seen
        assert "is read" in person.seen or "is delivered" in person.seen or "is sent" in person.seen, person.seen
        for secret in (TOKEN[:20], "revoked", "123456", "half a tok"):
            assert secret not in person.seen, (secret, "was shown")
        line = outboxd.data(machine.socket, "GET", "/v1/lines/main")
        assert (line["phoneNumberId"], line["wabaId"]) == ("106", "100000000000001"), line
        kept = machine.folder / "state" / "secrets" / line["tokenSecret"]
        assert kept.read_text() == TOKEN

        # Once more: everything is kept, another number is chosen by its id, nothing is offered that is done.
        person = begin()
        person.answer("Keep it? (Y/n)", "")
        person.answer("[1]", "107")
        person.answer("Its number, or empty for no", "")
        assert person.end() == 0 and "Register" not in person.seen, person.seen
        assert outboxd.data(machine.socket, "GET", "/v1/lines/main")["phoneNumberId"] == "107"

        # Programs and mixtures are refused.
        person = begin("--burst", "3")
        assert person.end() == 64 and "--burst" in person.seen, person.seen
        # outboxd ends in between.
        person = begin()
        person.asked("Keep it?")
        machine.processes[-1].send_signal(signal.SIGTERM)
        machine.processes[-1].wait(60)
        os.write(person.terminal, b"\n")
        assert person.end() == 3 and "does not answer" in person.seen, person.seen
    print("wizard: a line made, mended and changed on a terminal; nothing secret was shown")


if __name__ == "__main__":
    check(sys.argv[1])
