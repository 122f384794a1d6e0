"""What h11 refuses, outboxd refuses.

Sends mutated requests to a running outboxd, each on a connection of its own, and reads the same bytes with h11
(PyPI), an HTTP/1.1 parser written by others. outboxd may be stricter, never laxer.

usage: compare_h11.py SOCKET [CASES] [SEED]
"""

import random
import socket
import sys

import h11

SEEDS = [
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz?a=b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nUser-Agent: t\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
]
PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b";", b",", b"\x7f", b"\x80", b"\xff", b"0", b"-1", b"+1", b"0x10",
    b"Content-Length: 5\r\n", b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n",
    b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b" folded\r\n", b"X:\r\n", b"HTTP/1.1", b"HTTP/2.0",
    b"HTTP/1.2", b"http/1.1", b"GET ", b"99999999999999999999", b"chunked", b"\x0b", b"\xa0", b"\xe2\x80\xa8",
]


def mutate(dice):
    data = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(data))
        what = dice.randint(0, 4)
        if what == 0:
            data[at:at] = dice.choice(PIECES)
        elif what == 1:
            del data[at:at + dice.randint(1, 6)]
        elif what == 2 and data:
            data[min(at, len(data) - 1)] = dice.randint(0, 255)
        elif what == 3:
            lines = bytes(data).split(b"\r\n")
            lines.insert(dice.randint(0, len(lines)), dice.choice(lines))
            data = bytearray(b"\r\n".join(lines))
        else:
            data[at:at + dice.randint(1, 3)] = dice.choice(PIECES)
    return bytes(data)


def h11_says(data):
    """'refused', 'complete' or 'unfinished'."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=16384)
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                return "complete"
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return "unfinished"
    except h11.RemoteProtocolError:
        return "refused"


def outboxd_says(path, data):
    """(status, refused) of the first answer; no status when the connection just ended.

    A request is refused when it is answered with an error and the connection closed: whatever the request went on
    to say, nobody read it.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    if answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    if not answer:
        return None, True
    head = answer.partition(b"\r\n\r\n")[0]
    status = int(head.split()[1])
    return status, status >= 400 and b"connection: close" in head


def main():
    path = sys.argv[1]
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(2**32)
    dice = random.Random(seed)
    tally = {}
    failed = 0
    for data in SEEDS:
        status, _ = outboxd_says(path, data)
        assert h11_says(data) == "complete" and status == 200, (data, status)
    for _ in range(cases):
        data = mutate(dice)
        theirs = h11_says(data)
        status, refused = outboxd_says(path, data)
        key = theirs, "refused" if refused else "taken"
        tally[key] = tally.get(key, 0) + 1
        if theirs == "refused" and not refused:
            failed += 1
            print(f"h11 refuses what outboxd takes ({status}): {data!r}", file=sys.stderr)
    print(f"h11 comparison: seed {seed}, {cases} requests:",
          ", ".join(f"h11 {a} / outboxd {b}: {n}" for (a, b), n in sorted(tally.items())))
    assert tally.get(("refused", "refused"), 0) > cases // 10, "too few broken requests were made to mean anything"
    assert tally.get(("complete", "taken"), 0) > cases // 100, "too few right requests were made to mean anything"
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
