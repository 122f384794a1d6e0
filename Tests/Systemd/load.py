"""Submits messages to outboxd, a connection each, one after the other; ends at the first that is no 202, or cut.
Prints how many were acknowledged, however it ends.

    load.py NUMBER [SOCKET]
"""
import socket
import sys


def submit(path, count):
    body = b'{"to":"1415555%04d","message":"load %d"}' % (count, count)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(path)
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
        return client.recv(4096)


number = int(sys.argv[1])
path = sys.argv[2] if len(sys.argv) > 2 else "/run/outboxd/outboxd.sock"
for count in range(number):
    try:
        answer = submit(path, count)
    except OSError as error:  # a process killed with a request unread resets its connection
        answer = repr(error).encode()
    if not answer.startswith(b"HTTP/1.1 202 "):
        print(count)
        sys.exit("call %d: %r" % (count, answer))
print(number)
