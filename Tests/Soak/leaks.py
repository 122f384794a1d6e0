"""Runs so many messages through outboxd under valgrind and fails when memory was lost. Started by scripts/leaks."""

import json
import sys
import time

from running import Ear, Running

BULK = 500
# A subscriber and a follower hear of every tenth message: telling them is most of the work.
TOLD = 10
# What nothing points at any more, and every wrong use of memory. Not of values: optimised Swift looks at the unused bits
# of an enum before it knows whether they count, which valgrind takes for a fault.
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--undef-value-errors=no", "--error-exitcode=99"]
LOSSES = "definite,indirect"


def messages(first, count):
    return [
        {"to": f"1415{index:07d}", "message": f"Hello {index}", "line": "main" if index % TOLD else "told"}
        for index in range(first, first + count)
    ]


def submit(running, client, sent, count):
    """One more share of the messages, by every way there is; answers how many there are now."""
    share = min(BULK, count - sent)
    for item in messages(sent, min(20, share)):
        status, answer = client.call("POST", "/v1/messages", item, {"Idempotency-Key": f"single-{item['to']}"})
        assert status == 202, answer
    rest = messages(sent + 20, share - 20)
    if rest and sent // BULK % 2:
        lines = "\n".join(json.dumps(item) for item in rest).encode()
        kind = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"bulk-{sent}"}
        status, answer = client.call("POST", "/v1/messages/bulk", lines, kind)
        assert status == 202 and answer["data"]["queued"] == len(rest), answer
    elif rest:
        status, answer = client.call("POST", "/v1/messages/bulk", {"messages": rest})
        assert status == 202 and answer["data"]["queued"] == len(rest), answer
    # What is refused must not be kept either.
    for body in (b"{", b'{"to":"x"}', b'{"to":"14155550100","message":"' + b"x" * 5000 + b'"}'):
        assert client.call("POST", "/v1/messages", body)[0] == 400
    for path in ("/v1/messages?limit=50", "/v1/status", "/v1/lines/main/why", "/v1/conversations", "/v1/contacts"):
        assert client.call("GET", path)[0] == 200, path
    running.sandbox().call("POST", "/sandbox/inbound", {"phoneNumberId": "106", "from": f"1416{sent:07d}"})
    running.sandbox().call("POST", "/sandbox/inbound", {"phoneNumberId": "107", "from": f"1416{sent:07d}"})
    return sent + share


def read_log(running, after):
    """As a follower does that goes on where it stopped; answers where it is."""
    client = running.client()
    client.connection.request("GET", f"/v1/events?after={after}&line=told")
    for line in client.connection.getresponse().read().splitlines():
        # A gap, where events were pruned already, has no number of its own.
        after = json.loads(line).get("seq", after)
    return after


def main(programs, count):
    began = time.monotonic()
    running = Running(
        programs,
        before=VALGRIND + [f"--errors-for-leak-kinds={LOSSES}", f"--show-leak-kinds={LOSSES}", "--num-callers=30"],
        patience=900,
    )
    try:
        ear = Ear()
        client = running.client()
        running.add_line("told", "107")
        subscription = {"url": f"http://127.0.0.1:{ear.port}/", "line": "told"}
        assert client.call("POST", "/v1/subscriptions", subscription)[0] == 201
        assert client.call("PUT", "/v1/retention/read", {"maxCount": 2000})[0] == 200
        sent = after = 0
        while sent < count:
            sent = submit(running, client, sent, count)
            after = read_log(running, after)
            # The queue, and who is called, keep up.
            running.wait(lambda: waiting(running) < 2000, "the queue does not drain", 0.5)
            if sent % 2500 < BULK:
                running.sandbox().call("DELETE", "/sandbox/ledger")
                print(f"leaks: {sent} of {count} messages, {ear.calls} callbacks, {time.monotonic() - began:.0f} s")
                sys.stdout.flush()
        running.wait(lambda: waiting(running) == 0, "the queue does not drain", 0.5)
        said = running.stop()
    finally:
        running.kill()
    print(running.words(), end="")
    if said != 0:
        raise SystemExit(f"leaks: outboxd under valgrind ended with {said}: see above")
    print(f"leaks: none in {count} messages and {ear.calls} callbacks, {time.monotonic() - began:.0f} s")


def waiting(running):
    """Messages on their way, and events nobody was told of."""
    status = running.status()
    states = ("queued", "processing", "retrying", "sent", "delivered")
    behind = running.client().call("GET", "/v1/subscriptions/1")[1]["data"]["behind"]
    return sum(status["messages"].get(state, 0) for state in states) + behind


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
