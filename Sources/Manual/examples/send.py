#!/usr/bin/env python3
"""Sends a template and waits until it is delivered; with the standard library alone.

usage: send.py NUMBER      exits with 0 when it was delivered, 1 when it was refused or failed
"""

import http.client
import json
import os
import socket
import sys
import time
import uuid

SOCKET = os.environ.get("OUTBOXD_SOCKET", "/run/outboxd/outboxd.sock")


class Outboxd(http.client.HTTPConnection):
    def __init__(self):
        super().__init__("localhost", timeout=60)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def submit(message):
    """The message's id. Sent again with the same key, should the answer get lost, it is still queued once."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for wait in (1, 2, 4, 8, None):
        try:
            connection = Outboxd()
            connection.request("POST", "/v1/messages", json.dumps(message), headers)
            answer = connection.getresponse()
            body = json.load(answer)
        except (OSError, http.client.HTTPException):
            if wait is None:
                raise
        else:
            if answer.status == 202:
                return body["data"]["id"]
            # 503: nothing is stored, and it may work in a moment.
            if answer.status != 503 or wait is None:
                sys.exit(f"refused: {body['error']['message']} {body['error']['details']}")
        time.sleep(wait)


def follow(message):
    """Every status of a message, as it comes."""
    connection = Outboxd()
    connection.request("GET", f"/v1/events?follow=true&after=0&event=message.status_updated&message={message}")
    for line in connection.getresponse():
        if line.strip():  # an empty line says that outboxd is still there
            event = json.loads(line)
            if event["event"] == "message.status_updated":
                yield event["data"]


message = submit({"to": sys.argv[1], "template": {"name": "hello_world", "language": "en_US"}})
print(message)
for data in follow(message):
    if data["status"] in ("delivered", "read"):
        sys.exit(0)
    if data["status"] in ("failed", "cancelled"):
        sys.exit(f"not delivered: {data['errorCode']} {data['errorMessage']}")
