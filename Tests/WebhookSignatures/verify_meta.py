"""Meta's X-Hub-Signature-256 by Python's own HMAC, in both directions.

usage: verify_meta.py WEBHOOK_SOCKET APP SECRET SANDBOX_PROGRAM

Signed calls are taken by the daemon on WEBHOOK_SOCKET, and no other; calls of the sandbox carry a right signature.
"""

import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Python"))
from unix_http import UnixConnection  # noqa: E402


def signature(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(path, app, body, header):
    connection = UnixConnection(path)
    headers = {"Content-Type": "application/json"}
    if header is not None:
        headers["X-Hub-Signature-256"] = header
    connection.request("POST", f"/webhooks/{app}", body=body, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def check_daemon(path, app, secret):
    dice = random.Random(7)
    taken = refused = 0
    for number in range(150):
        text = "".join(chr(dice.choice([dice.randrange(32, 127), dice.randrange(0xA0, 0x2FFF), 0x1F600])) for _ in range(40))
        update = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "x", "value": text}]}]}
        # Meta may escape what is not ASCII: the signature is over the bytes as they come.
        body = json.dumps(update, ensure_ascii=number % 2 == 0).encode()
        right = signature(secret, body)
        assert post(path, app, body, right) == 200, f"body {number} was refused"
        taken += 1
        changed = bytearray(body)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        for wrong_body, header in [
            (bytes(changed), right),
            (body, signature(secret + "x", body)),
            (body, right[:-1]),
            (body, right.replace("sha256=", "sha1=")),
            (body, None),
        ][number % 5 :: 5]:
            assert post(path, app, wrong_body, header) == 401, f"body {number}: {header} was taken"
            refused += 1
    print(f"{taken} calls signed by Python were taken, {refused} others refused")


def check_sandbox(program, secret):
    heard = []

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(hmac.compare_digest(self.headers["X-Hub-Signature-256"], signature(secret, body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        port_file = os.path.join(folder, "port")
        sandbox = subprocess.Popen(
            [program, "--port", "0", "--port-file", port_file, "--app-secret", secret,
             "--webhook-url", f"http://127.0.0.1:{server.server_port}/webhooks/default"])
        try:
            end = time.monotonic() + 60
            while not (os.path.exists(port_file) and open(port_file).read().endswith("\n")):
                assert time.monotonic() < end, "the sandbox did not start"
                time.sleep(0.05)
            port = int(open(port_file).read())
            for number in range(50):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                person = {"phoneNumberId": "106", "from": "14155550100", "text": f"Grüße {number} 😀"}
                connection.request("POST", "/sandbox/inbound", body=json.dumps(person))
                assert connection.getresponse().status in (200, 201, 202, 204), "the sandbox took no message"
                connection.close()
            while len(heard) < 50:
                assert time.monotonic() < end, f"only {len(heard)} calls came"
                time.sleep(0.05)
        finally:
            sandbox.terminate()
            sandbox.wait()
    server.shutdown()
    assert all(heard), "a call of the sandbox is signed wrongly"
    print(f"{len(heard)} calls of the sandbox verified by Python")


if __name__ == "__main__":
    _, socket_path, app_name, app_secret, sandbox_program = sys.argv
    check_daemon(socket_path, app_name, app_secret)
    check_sandbox(sandbox_program, app_secret)
