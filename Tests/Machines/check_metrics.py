"""GET /metrics is OpenMetrics as Prometheus's own parser reads it, while messages flow, and counts what happened.

usage: check_metrics.py PROGRAMS
"""

import hashlib
import hmac
import http.client
import json
import pathlib
import re
import sys
import threading
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families

import outboxd

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MESSAGES = 400
MONITORING = pathlib.Path(__file__).resolve().parents[2] / "systemd" / "monitoring"
MANUAL = MONITORING.parents[1] / "Sources" / "Manual"


class Scrape:
    """One answer: values by sample name and labels."""

    def __init__(self, text):
        self.kinds = {}
        self.values = {}
        for family in text_string_to_metric_families(text):
            assert family.documentation, family.name
            for sample in family.samples:
                place = (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value))
                assert place not in self.values, ("twice", place)
                self.values[place] = sample.value
                self.kinds[place] = family.type

    def __call__(self, name, **labels):
        return self.values.get((name, frozenset(labels.items())))

    def assert_follows(self, before):
        """What counts never falls."""
        for place, value in before.values.items():
            if self.kinds.get(place) in ("counter", "histogram") and place in self.values:
                assert self.values[place] >= value, (place, value, self.values[place])


def scrape(path):
    status, headers, text = outboxd.exchange(path, "GET", "/metrics")
    assert status == 200 and headers["content-type"] == TYPE, (status, headers)
    return Scrape(text.decode())


def main():
    with outboxd.machine(sys.argv[1]) as machine:
        names = check(machine)
        over_tcp(machine)
        monitoring(names)


def check(machine):
    path = machine.socket
    line = {"phoneNumberId": "106", "token": "t", "closedWindow": "leave", "onUnknown": "hold", "pairLimit": False}
    outboxd.data(path, "PUT", "/v1/lines/main", {**line, "messagesPerSecond": 10_000})
    outboxd.data(path, "PUT", "/v1/lines/quiet", {**line, "phoneNumberId": "107"})
    outboxd.data(path, "PUT", "/v1/pools/main", {"tier": "TIER_2K"})
    rules = ["error=131026:14155551000", "error=999999:14155551001", "drop:14155551002"]
    outboxd.sandbox(machine.sandbox, "PUT", "/sandbox/faults", {"rules": rules})
    endpoint = outboxd.Endpoint()
    hook = {"url": endpoint.url, "after": 0}
    subscription = str(outboxd.data(path, "POST", "/v1/subscriptions", hook)["id"])

    def send(number, **more):
        return outboxd.data(path, "POST", "/v1/messages", {"line": "main", "to": number, "message": "x", **more})["id"]

    # Scraped all the time while messages flow.
    scrapes, ended = [], threading.Event()

    def scrape_on():
        while not ended.is_set():
            scrapes.append(scrape(path))

    scraper = threading.Thread(target=scrape_on)
    scraper.start()
    try:
        for number in range(MESSAGES):
            send(f"1415556{number:04}")
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        send("14155557000", sendAt=soon)
        for number in ["14155551000", "14155551001", "14155551002"]:
            send(number)
        pause = outboxd.data(path, "POST", "/v1/pauses", {"template": "held"})["id"]
        held = [f"1415558{number:04}" for number in range(5)]
        for number in held:
            template = {"name": "held", "language": "en"}
            outboxd.data(path, "POST", "/v1/messages", {"line": "main", "to": number, "template": template})
        began = time.monotonic()
        outboxd.until(lambda: scrape(path)("outboxd_gate_messages", line="main", gate="pause") == len(held))
        time.sleep(1)
        held_for = time.monotonic() - began
        outboxd.data(path, "DELETE", f"/v1/pauses/{pause}")
        # As Meta would, once rightly signed and once not.
        for secret, status in [(machine.secret, 200), ("another", 401)]:
            body = json.dumps({"object": "whatsapp_business_account", "entry": []}).encode()
            signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers = {"X-Hub-Signature-256": signature}
            assert outboxd.exchange(machine.webhooks, "POST", "/webhooks/default", body, headers)[0] == status
        good = MESSAGES + 1 + len(held)

        def at_rest():
            last = scrape(path)
            return (
                last("outboxd_messages", line="main", state="read") == good
                and last("outboxd_unknown_outcomes", line="main") == 1
                and last("outboxd_callback_backlog_events", subscription=subscription) == 0
                and last("outboxd_messages", line="main", state="failed") == 2
            )

        outboxd.until(at_rest, 60)
    finally:
        ended.set()
        scraper.join()
    for before, after in zip(scrapes, scrapes[1:]):
        after.assert_follows(before)

    last = scrape(path)
    status = outboxd.data(path, "GET", "/v1/status")
    summary = outboxd.sandbox(machine.sandbox, "GET", "/sandbox/summary")["data"]
    total = good + 3
    for state in status["messages"]:
        counted = sum(last("outboxd_messages", line=line, state=state) for line in ["main", "quiet"])
        assert counted == status["messages"][state], (state, counted)

    def value(name, **labels):
        found = last(name, line="main", **labels)
        assert found is not None, (name, labels)
        return found

    assert value("outboxd_submissions_total") == total
    assert last("outboxd_submissions_total", line="quiet") == 0
    for state, count in [("read", good), ("sent", good), ("processing", total), ("failed", 2), ("scheduled", 1)]:
        found = value("outboxd_message_transitions_total", state=state)
        # A status may overtake the answer, and then goes past `sent`.
        assert found == count or (state == "sent" and 0 < found <= count), (state, found, count)
    assert value("outboxd_attempts_total", outcome="accepted") == good == summary["accepted"]
    assert value("outboxd_attempts_total", outcome="refused", code="131026") == 1
    attempts = {place: number for place, number in last.values.items() if place[0] == "outboxd_attempts_total"}
    assert any(("code", "other") in labels for _, labels in attempts), attempts
    assert sum(attempts.values()) == last("outboxd_send_duration_seconds_count") == summary["received"]
    assert last("outboxd_send_duration_seconds_sum") > 0
    assert last("outboxd_schedule_lateness_seconds_count") == 1
    assert last("outboxd_attempts_under_way") == 0
    assert value("outboxd_gate_deferrals_total", gate="pause") == len(held)
    waited = value("outboxd_gate_wait_seconds_total", gate="pause")
    assert len(held) * 1 <= waited <= len(held) * (held_for + 30), (waited, held_for)
    time.sleep(0.1)
    assert scrape(path)("outboxd_gate_wait_seconds_total", line="main", gate="pause") == waited
    assert value("outboxd_oldest_eligible_age_seconds") == 0
    assert value("outboxd_line_can_send") == 1 and value("outboxd_line_held") == 0
    assert last("outboxd_tier_people_used", pool="main") == outboxd.data(path, "GET", "/v1/pools/main")["used"] > 0
    assert last("outboxd_tier_people_limit", pool="main") == 2000
    assert last("outboxd_commit_duration_seconds_count") > 0 and last("outboxd_wal_size_bytes") > 0
    assert last("outboxd_database_size_bytes") > 0
    assert last("outboxd_webhook_calls_total", app="default", result="refused") == 1
    calls = last("outboxd_webhook_calls_total", app="default", result="stored")
    assert calls == status["webhooks"]["received"] > 1, (calls, status["webhooks"])
    assert last("outboxd_webhook_updates_total", kind="statuses") == status["webhooks"]["statuses"]
    told = last("outboxd_callback_events_total", result="delivered")
    logged = outboxd.exchange(path, "GET", "/v1/events?after=0")[2].splitlines()
    # Of what operators change only those hear who ask for it by name.
    assert told == sum(b'"event":"operator.change"' not in line for line in logged), (told, len(logged))
    assert last("outboxd_build_info", version=status["version"]) == 1

    # What waits and who listens.
    endpoint.answer = 500
    send("14155559000")
    outboxd.until(lambda: scrape(path)("outboxd_callback_backlog_events", subscription=subscription) > 0)
    assert scrape(path)("outboxd_event_followers") == 0
    follower = outboxd.UnixConnection(path)
    follower.request("GET", "/v1/events?follow=true")
    follower.getresponse()
    outboxd.until(lambda: scrape(path)("outboxd_event_followers") == 1)
    follower.close()
    outboxd.until(lambda: scrape(path)("outboxd_event_followers") == 0)
    outboxd.data(path, "POST", "/v1/pauses", {"line": "main"})
    send("14155559001")
    assert scrape(path)("outboxd_oldest_eligible_age_seconds", line="main") == 0
    print(f"metrics: {len(last.values)} values in {len(scrapes)} scrapes under load, {total} messages counted")
    return {name for name, _ in last.values}


def over_tcp(machine):
    """A port that systemd hands in tells the metrics to everybody, and nothing else."""

    def get(target, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", machine.metrics, timeout=30)
        connection.request(method, target)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    status, text = get("/metrics")
    assert status == 200 and Scrape(text)("outboxd_submissions_total", line="main")
    for target in ["/v1/status", "/v1/messages", "/healthz", "/openapi.json", "/"]:
        assert get(target)[0] == 404, target
    assert get("/v1/messages", "POST")[0] == 404 and get("/metrics", "POST")[0] == 405


def monitoring(names):
    """What the alerts and the dashboard ask for is there, and all that is there is in the manual."""
    for file in MONITORING.iterdir():
        asked = set(re.findall(r"\boutboxd_[a-z_]+", file.read_text()))
        assert asked <= names, (file.name, asked - names)
    page = (MANUAL / "outboxd-api.7").read_text()
    missing = {name for name in names if re.sub("_(bucket|count|sum)$", "", name) not in page}
    assert not missing, ("are not in the manual", missing)
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")


if __name__ == "__main__":
    main()
