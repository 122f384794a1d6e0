"""Submits messages to outboxd, a connection each, one after the other; ends at the first that is no 202.
Prints how many were.

    load.py NUMBER [SOCKET]
"""
import socket
import sys

number = int(sys.argv[1])
path = sys.argv[2] if len(sys.argv) > 2 else "/run/outboxd/outboxd.sock"
for count in range(number):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(path)
    body = b'{"to":"1415555%04d","message":"load %d"}' % (count, count)
    client.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                   % (len(body), body))
    answer = client.recv(4096)
    if not answer.startswith(b"HTTP/1.1 202 "):
        print(count)
        sys.exit("call %d: %r" % (count, answer))
    client.close()
print(number)
