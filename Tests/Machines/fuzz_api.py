"""Schemathesis makes up calls from outboxd's own /openapi.json, right ones and wrong ones, and looks for answers that
the document does not have, for wrong calls that are taken, and for errors of the server.

usage: fuzz_api.py PROGRAMS SECONDS [SEED]
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import outboxd

CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance",
]


def main():
    seed = sys.argv[3] if len(sys.argv) > 3 else str(int.from_bytes(os.urandom(4), "big"))
    with outboxd.machine(sys.argv[1]) as machine:
        fuzz(machine.socket, machine.sandbox, sys.argv[2], seed)


def fuzz(path, port, seconds, seed):
    line = {"phoneNumberId": "206", "wabaId": "202", "token": "t", "closedWindow": "leave"}
    outboxd.data(path, "PUT", "/v1/lines/fuzzed", line)
    message = outboxd.data(path, "POST", "/v1/messages", {"line": "fuzzed", "to": "14155550300", "message": "x"})
    outboxd.sandbox(port, "POST", "/sandbox/inbound", {"phoneNumberId": "206", "from": "14155550301", "text": "x"})
    people = outboxd.until(lambda: outboxd.data(path, "GET", "/v1/conversations?line=fuzzed"))[0]
    subscription = outboxd.data(path, "POST", "/v1/subscriptions", {"url": "http://127.0.0.1:9/"})
    outboxd.data(path, "PUT", "/v1/cursors/fuzzed", {"after": 1})
    known = {
        "messages": message["id"], "conversations": people["id"], "contacts": people["contactId"],
        "subscriptions": subscription["id"], "line": "fuzzed", "pool": "fuzzed", "name": "fuzzed", "kind": "events",
    }
    forwarder = outboxd.Forwarder(path)
    here = pathlib.Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                pathlib.Path(sys.executable).with_name("st"), "run", f"http://127.0.0.1:{forwarder.port}/openapi.json",
                "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-time", seconds,
                "--max-examples", "40", "--request-timeout", "20", "--seed", seed, "--no-shrink",
                "--continue-on-failure", "--warnings", "off", "--no-color", "--generation-database", "none",
                "--suppress-health-check", "all",
            ],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={
                **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(here), "OUTBOXD_SEED": seed,
                "OUTBOXD_KNOWN": ",".join(f"{name}={value}" for name, value in known.items()),
            },
        )
    if run.returncode != 0:
        print(run.stdout)
        sys.exit(f"Schemathesis found what is above; the seed was {seed}")
    for words in run.stdout.splitlines():
        if "generated" in words or "operations" in words.lower() or "test cases" in words.lower():
            print(f"OpenAPI: Schemathesis: {words.strip()}")
    status, _, _ = outboxd.exchange(path, "GET", "/healthz")
    assert status == 200


if __name__ == "__main__":
    main()
