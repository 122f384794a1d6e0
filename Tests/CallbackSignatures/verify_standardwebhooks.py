"""What outboxd signs, standardwebhooks verifies.

Subscribes a web server of its own at a running outboxd, has events told to it, and verifies every call with
standardwebhooks (PyPI), written by the authors of the scheme: as they come, under rotation, and changed.

usage: verify_standardwebhooks.py SOCKET
"""

import base64
import http.client
import http.server
import json
import os
import socket
import sys
import threading
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

calls = []


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    delay = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        calls.append((dict(self.headers), body))
        time.sleep(self.delay)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


class Outboxd(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("outboxd", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def call(path, method, target, body=None):
    connection = Outboxd(path)
    connection.request(method, target, json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, (method, target, answer.status, text)
    return json.loads(text)["data"] if text else None


def events(body):
    told = json.loads(body)
    return told.get("events", [told])


def verifies(secret, headers, body):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def main():
    path = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    people = iter(range(14155550000, 14155559999))

    def heard(count):
        """The calls about a few messages more: those about earlier ones may be on their way yet, signed as then."""
        first = len(calls)
        message = {"line": "main", "message": "hi \u20ac"}
        new = {call(path, "POST", "/v1/messages", {**message, "to": str(next(people))})["id"] for _ in range(count)}

        def about():
            known = [(event["data"].get("messageId"), (headers, body))
                     for headers, body in calls[first:] for event in events(body)]
            return [(id, told) for id, told in known if id in new]

        end = time.monotonic() + 20
        while {id for id, _ in about()} != new and time.monotonic() < end:
            time.sleep(0.02)
        told = about()
        assert {id for id, _ in told} == new, (first, count, len(calls))
        return [call for _, call in told]

    call(path, "PUT", "/v1/lines/main", {"phoneNumberId": "106", "token": "t", "closedWindow": "leave"})
    url = f"http://127.0.0.1:{server.server_port}/hook"
    made = call(path, "POST", "/v1/subscriptions", {"url": url})
    old = made["secret"]
    one = f"/v1/subscriptions/{made['id']}"
    for headers, body in heard(20):
        assert verifies(old, headers, body), headers
        assert json.loads(body)["id"] == headers["webhook-id"]
        assert not verifies(old, headers, body.replace(b"hook", b"book").replace(b"message", b"massage", 1))
        assert not verifies(old, {**headers, "webhook-id": headers["webhook-id"][:-1] + "x"}, body)
        assert not verifies(old, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body)
        assert not verifies("whsec_" + base64.b64encode(os.urandom(32)).decode(), headers, body)

    new = call(path, "POST", f"{one}/rotate")["secret"]
    assert new != old
    for headers, body in heard(20):
        assert verifies(old, headers, body) and verifies(new, headers, body), headers

    call(path, "DELETE", f"{one}/old-secret")
    for headers, body in heard(20):
        assert verifies(new, headers, body) and not verifies(old, headers, body), headers

    given = "whsec_" + base64.b64encode(os.urandom(24)).decode()
    call(path, "POST", f"{one}/rotate", {"secret": given})
    call(path, "DELETE", f"{one}/old-secret")
    assert call(path, "POST", f"{one}/test")["delivered"]
    headers, body = calls[-1]
    assert any(verifies(given, *known) for known in calls[-5:]), headers

    # Several events in a call: one signature for all of them, and each event in one call alone.
    Endpoint.delay = 0.05
    assert call(path, "PUT", one, {"url": url, "eventsPerCall": 100})["eventsPerCall"] == 100
    gathered = {headers["webhook-id"]: (headers, body) for headers, body in heard(200)}
    for headers, body in gathered.values():
        assert verifies(given, headers, body), headers
        assert json.loads(body).keys() == {"events"} and headers["webhook-id"].startswith("call_")
    told = [event["id"] for _, body in gathered.values() for event in events(body)]
    assert len(told) == len(set(told)) and len(gathered) < len(told), (len(gathered), len(told))
    call(path, "DELETE", one)
    print(f"standardwebhooks comparison: {len(calls)} calls verified")


if __name__ == "__main__":
    main()
