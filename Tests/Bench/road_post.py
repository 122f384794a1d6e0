"""What a worker of a queue in Python does with a message: one POST over a kept-alive connection."""

import http.client
import os
from urllib.parse import urlsplit

URL = urlsplit(os.environ["BENCH_URL"])
_connections = {}


def body(number):
    return (
        f'{{"messaging_product":"whatsapp","recipient_type":"individual","to":"1415{number:07}","type":"template",'
        '"template":{"name":"order_ready","language":{"code":"en_US"},"components":[{"type":"body","parameters":'
        '[{"type":"text","text":"Sarah"},{"type":"text","text":"order 1042"}]}]}}'
    )


def post(words):
    connection = _connections.get(os.getpid())
    if connection is None:
        connection = _connections[os.getpid()] = http.client.HTTPConnection(URL.hostname, URL.port, timeout=30)
    connection.request(
        "POST", URL.path, words, {"Content-Type": "application/json", "Authorization": "Bearer token"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"answered with {answer.status}")
