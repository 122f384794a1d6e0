"""Everything a running outboxd answers is as its /openapi.json says, and nothing besides.

Makes every call of the document answer as asked at least once, and many refusals, and compares each answer with the
document's schema for it, in which members that it does not name are not allowed.

usage: check_answers.py PROGRAMS
"""

import copy
import json
import sys
import time
import urllib.parse

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import answers_aircall
import answers_callmissed
import answers_campaigns
import answers_links
import answers_onboarding
import answers_organization
import answers_whatsapi
import outboxd


def closed(schema):
    """The same with objects that hold only what they name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


class Document:
    def __init__(self, document):
        self.document = document
        strict = copy.deepcopy(document)
        strict["components"] = closed(document["components"])
        self.registry = Registry().with_resource("urn:openapi", Resource(strict, DRAFT202012))
        self.answered = {
            (method.upper(), template): set() for template, item in document["paths"].items() for method in item
        }

    def template(self, path):
        parts = path.split("/")
        for template in self.document["paths"]:
            names = template.split("/")
            if len(names) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(names, parts)):
                return template
        raise AssertionError(f"the document has no {path}")

    def check(self, method, target, status, headers, text):
        template = self.template(urllib.parse.urlsplit(target).path)
        operation = self.document["paths"][template][method.lower()]
        place = (method, target, status, text[:500])
        answer = operation["responses"].get(str(status))
        assert answer is not None, ("is not in the document", place)
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].split("/")[-1]]
        self.answered[method, template].add(status)
        if "content" not in answer:
            assert not text, ("has a body", place)
            return
        kind = headers["content-type"].split(";")[0]
        assert kind in answer["content"] or "*/*" in answer["content"], ("has another type", kind, place)
        if kind == "application/json":
            schema = closed(rooted(answer["content"][kind]["schema"]))
            validator = jsonschema.Draft202012Validator(
                schema, registry=self.registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            )
            errors = sorted(validator.iter_errors(json.loads(text)), key=lambda error: list(error.path))
            words = [f"{list(error.absolute_path)}: {error.message}"[:600] for error in errors[:5]]
            words += [context.message[:300] for error in errors[:1] for context in error.context or []]
            assert not errors, ("is not as the document says", words, place)

    def schema(self, name):
        return jsonschema.Draft202012Validator(
            closed(rooted({"$ref": f"#/components/schemas/{name}"})), registry=self.registry,
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )


def rooted(schema):
    """The same with references into the whole document."""
    return json.loads(json.dumps(schema).replace('"#/', '"urn:openapi#/'))


def main():
    with outboxd.machine(sys.argv[1]) as machine:
        check(machine.socket, machine.sandbox)


def check(path, port):
    document = Document(json.loads(outboxd.exchange(path, "GET", "/openapi.json")[2]))
    endpoint = outboxd.Endpoint()
    url = endpoint.url

    def call(method, target, body=None, expected=200, headers=None):
        status, known, text = outboxd.exchange(path, method, target, body, headers)
        assert status == expected, (method, target, body, status, text)
        document.check(method, target, status, known, text)
        if known.get("content-type", "").startswith("application/json"):
            return json.loads(text).get("data")
        return text

    def state(message, *wanted):
        return outboxd.until(lambda: (found := call("GET", f"/v1/messages/{message}"))["status"] in wanted and found)

    number = {"phoneNumberId": "106", "wabaId": "102", "token": "t"}
    hello = {"name": "hello_world", "language": "en_US"}

    # Nothing is there yet.
    nothing = ["messages", "lines", "pools", "pauses", "cursors", "subscriptions", "conversations", "contacts", "media"]
    for target in nothing:
        assert call("GET", f"/v1/{target}") == []
    for target in ["/healthz", "/metrics", "/openapi.json", "/llms.txt", "/v1/status", "/v1/retention"]:
        call("GET", target)
    call("POST", "/v1/messages", {"to": "14155550100", "message": "no line"}, 400)

    # Lines and pools.
    call("PUT", "/v1/lines/main", {**number, "closedWindow": "leave", "unknownGraceSeconds": 1}, 201)
    call("PUT", "/v1/lines/main", {**number, "closedWindow": "leave", "onUnknown": "hold"})
    call("PUT", "/v1/lines/other", {**number, "phoneNumberId": "107", "maxAgeSeconds": 60, "pool": "small"}, 201)
    call("PUT", "/v1/lines/other", {"phoneNumberId": 7}, 400)
    call("PUT", "/v1/lines/main", {**number, "bot": 99}, 400)
    call("PUT", "/v1/lines/main", {**number, "autoReply": {"enabled": 1}}, 400)
    call("PUT", "/v1/lines/third", {**number}, 400)
    call("GET", "/v1/lines")
    call("GET", "/v1/lines/other")
    call("GET", "/v1/lines/none", expected=404)
    outboxd.until(lambda: call("GET", "/v1/lines/main/health")["templatesReadAt"])
    answers_onboarding.templates(call, port)
    answers_onboarding.onboarding(call)
    answers_links.check(call)
    call("GET", "/v1/pools")
    call("PUT", "/v1/pools/small", {"tier": "TIER_50", "used": 50, "keptForHigh": 10})
    call("GET", "/v1/pools/small")
    call("PUT", "/v1/pools/none", {"tier": "TIER_50"}, 404)

    # Messages on their way.
    first = call("POST", "/v1/messages", {"line": "main", "to": "+1 415 555 0100", "message": "h\u00e9"}, 202)["id"]
    key = {"Idempotency-Key": "k1"}
    order = {"line": "main", "to": "14155550101", "template": hello, "metadata": {"order": [1]}}
    second = call("POST", "/v1/messages", order, 202, key)["id"]
    assert call("POST", "/v1/messages", order, 202, key)["id"] == second
    call("POST", "/v1/messages", {**order, "to": "14155550102"}, 409, key)
    assert state(first, "read")["timeline"] and state(second, "read")
    call("POST", "/v1/messages", {**order, "dryRun": True})
    call("POST", "/v1/messages", {**order, "line": "other", "whenFull": "refuse"}, 429)
    call("POST", "/v1/messages", {"line": "other", "to": "14155550103", "message": "closed"}, 400)
    waiting = call("POST", "/v1/messages", {**order, "line": "other"}, 202)["id"]
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    scheduled = call("POST", "/v1/messages", {**order, "sendAt": later, "onUnknown": "resend"}, 202)["id"]
    image = {"line": "main", "to": "14155550100", "image": {"id": "7"}, "replyTo": "wamid.A", "sendAt": later}
    poll = {"line": "main", "to": "14155550100", "type": "poll", "poll": {"question": "?"}, "sendAt": later}
    for message in [image, poll]:
        call("GET", "/v1/messages/" + call("POST", "/v1/messages", message, 202)["id"])
    assert call("POST", "/v1/messages", {**poll, "dryRun": True})["checked"] is False
    assert call("POST", "/v1/messages/bulk", {"messages": [image, poll]}, 202)["uncheckedCount"] == 1
    call("GET", f"/v1/messages/{scheduled}")
    for message in [first, waiting, scheduled]:
        call("GET", f"/v1/messages/{message}/why")
    call("GET", f"/v1/messages/{first}x/why", expected=404)
    call("GET", "/v1/lines/other/why")
    call("POST", f"/v1/messages/{waiting}/cancel", expected=202)
    call("POST", f"/v1/messages/{waiting}/cancel", expected=409)
    call("POST", f"/v1/messages/{first}/cancel", expected=409)
    call("POST", f"/v1/messages/{waiting}/retry", expected=409)

    # Failures.
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["error=131026:14155550110", "drop:14155550111"]})
    failed = call("POST", "/v1/messages", {"line": "main", "to": "14155550110", "message": "x"}, 202)["id"]
    state(failed, "failed")
    call("POST", f"/v1/messages/{failed}/retry", expected=202)
    lost = call("POST", "/v1/messages", {"line": "main", "to": "14155550111", "message": "x"}, 202)["id"]
    outboxd.until(lambda: call("GET", f"/v1/messages/{lost}")["gate"] == "outcome_unknown")
    call("GET", f"/v1/messages/{lost}/why")
    call("GET", "/v1/lines/main/why")
    call("POST", f"/v1/messages/{lost}/resolve", {"as": "gone"}, 400)
    call("POST", f"/v1/messages/{lost}/resolve", {"as": "sent", "whatsappMessageId": "wamid.x"}, 202)
    call("POST", f"/v1/messages/{lost}/resolve", {"as": "sent"}, 409)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})

    # Bulks.
    batch = call("POST", "/v1/messages/bulk", {"messages": [order, {"to": "x"}]}, 202)["batchId"]
    call("POST", "/v1/messages/bulk", {"messages": [order], "dryRun": True})
    call("POST", "/v1/messages/bulk", {"messages": [order, {}], "atomic": True}, 400)
    ndjson = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "k2"}
    lines = b"\n".join(json.dumps({**order, "to": f"1415555{n:04}"}).encode() for n in range(200, 260)) + b"\n{\n"
    call("POST", "/v1/messages/bulk", lines, 202, ndjson)
    call("POST", "/v1/messages/bulk", lines, 202, ndjson)
    call("POST", "/v1/messages/bulk", b"x" * 300_000, 413, {"Content-Type": "application/x-ndjson"})
    call("POST", "/v1/messages", b"x" * 300_000, 413)
    call("GET", f"/v1/messages?batchId={batch}&status=queued,read,sent,delivered,processing&limit=1")
    call("GET", "/v1/messages?limit=50&page=1&to=14155550100&line=main&since=2020-01-01T00:00:00Z")
    call("GET", "/v1/messages?gate=due_time")
    call("GET", "/v1/messages?status=lost", expected=400)

    # Pauses.
    for pause in [
        {"everything": True, "seconds": 60, "reason": "a test"}, {"line": "other"}, {"template": "spring_sale"},
        {"batchId": batch, "line": "main"}, {"priority": "low", "until": later},
    ]:
        call("POST", "/v1/pauses", pause, 201)
    call("POST", "/v1/pauses", {"line": "other", "everything": True}, 400)
    call("GET", "/v1/lines/main/why")
    for pause in call("GET", "/v1/pauses"):
        call("DELETE", f"/v1/pauses/{pause['id']}", expected=204)
    call("DELETE", "/v1/pauses/7000000", expected=404)

    answers_campaigns.campaigns(call, first, hello, later)
    answers_campaigns.marketing(call, state, number)

    # People.
    outboxd.sandbox(port, "POST", "/sandbox/inbound", {"phoneNumberId": "106", "from": "14155550120", "text": "hello"})
    conversation = outboxd.until(lambda: call("GET", "/v1/conversations"))[0]
    call("GET", f"/v1/conversations?line=main&contact={conversation['contactId']}")
    call("GET", f"/v1/conversations/{conversation['id']}")
    call("GET", f"/v1/conversations/{second}", expected=404)
    inbound = call("GET", f"/v1/conversations/{conversation['id']}/messages")[0]
    call("POST", "/v1/messages", {"line": "main", "to": conversation["contactReplyTo"], "message": "hi"}, 202)
    assert len(call("GET", f"/v1/conversations/{conversation['id']}/messages")) == 2
    call("GET", f"/v1/messages/{inbound['id']}")
    call("POST", f"/v1/messages/{inbound['id']}/read", {"typing": True})
    call("POST", f"/v1/messages/{first}/read", expected=409)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["error=131000"]})
    status, known, text = outboxd.exchange(path, "POST", f"/v1/messages/{inbound['id']}/read")
    document.check("POST", f"/v1/messages/{inbound['id']}/read", status, known, text)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})
    call("GET", "/v1/conversations?page=1&limit=1")
    call("GET", "/v1/conversations?page=1&cursor=x", expected=400)
    call("GET", f"/v1/conversations/{conversation['id']}/messages?page=2&limit=1")
    assert call("GET", "/v1/lines/main/messages?page=1")
    assert call("GET", "/v1/lines/main/messages?limit=1")
    call("GET", "/v1/lines/main/messages?page=0", expected=400)
    call("GET", "/v1/lines/none/messages", expected=404)
    call("GET", "/v1/lines/main/health?refresh=true")
    call("GET", "/v1/lines/main/health?refresh=1", expected=400)
    call("GET", "/v1/contacts?phone=14155550120")
    call("GET", "/v1/contacts?phone=14155550120&userId=US.1", expected=400)
    call("GET", f"/v1/contacts/{conversation['contactId']}")

    # The log.
    validator = document.schema("EventOrGap")
    shapes = {
        "message.received": "Received", "line.updated": "LineUpdated", "template.updated": "TemplateUpdated",
        "account.updated": None, "contact.updated": None, "operator.change": "OperatorChange",
    }
    for deed in ["started", "paused", "resumed", "aborted", "completed", "cancelled"]:
        shapes[f"campaign.{deed}"] = "CampaignEvent"
    seen = set()
    for line in call("GET", "/v1/events?after=0").splitlines():
        event = json.loads(line)
        validator.validate(event)
        shape = shapes.get(event["event"], "StatusUpdated")
        if shape:
            document.schema(shape).validate(event["data"])
        seen.add(event["event"])
    assert {"message.received", "message.status_updated", "message.outcome_unknown"} <= seen, seen
    assert b"event: message.received" in call("GET", "/v1/events?after=0", headers={"Accept": "text/event-stream"})
    call("GET", "/v1/events?after=999999999", expected=400)
    call("GET", f"/v1/events?message={first}&event=message.status_updated&limit=2&follow=false")
    call("GET", f"/v1/events?message={first}x", expected=404)
    call("PUT", "/v1/cursors/mine", {"after": 1}, 201)
    call("PUT", "/v1/cursors/mine", {"after": 0, "rewind": True})
    call("PUT", "/v1/cursors/mine", {}, 400)
    call("GET", "/v1/cursors")
    call("GET", "/v1/cursors/mine")
    call("DELETE", "/v1/cursors/mine", expected=204)
    call("DELETE", "/v1/cursors/mine", expected=404)

    # Subscriptions.
    made = call("POST", "/v1/subscriptions", {"url": url, "after": 0}, 201)
    one = f"/v1/subscriptions/{made['id']}"
    outboxd.until(lambda: call("GET", one)["behind"] == 0)
    call("GET", "/v1/subscriptions")
    call("PUT", one, {"url": url, "events": ["message.received"], "line": "main"})
    answers = {"bot": made["id"], "autoReply": {"enabled": False, "text": "Closed"}, "autoReplySeconds": 60}
    linked = call("PUT", "/v1/lines/main", {**number, "closedWindow": "leave", "onUnknown": "hold", **answers})
    assert {name: linked[name] for name in answers} == answers
    call("PUT", one, {"url": "ftp://x"}, 400)
    call("GET", f"{one}/deliveries?limit=5&status=delivered")
    call("POST", f"{one}/replay", {"from": 1, "to": 3}, 202)
    call("POST", f"{one}/replay", {}, 400)
    assert call("POST", f"{one}/test")["delivered"]
    endpoint.answer = 500
    assert not call("POST", f"{one}/test")["delivered"]
    outboxd.sandbox(port, "POST", "/sandbox/inbound", {"phoneNumberId": "106", "from": "14155550121", "text": "more"})
    outboxd.until(lambda: call("GET", one)["lastError"])
    call("GET", f"{one}/deliveries?status=waiting")
    call("POST", f"{one}/rotate")
    call("POST", f"{one}/rotate", expected=409)
    call("DELETE", f"{one}/old-secret", expected=204)
    call("DELETE", f"{one}/old-secret", expected=404)
    call("GET", "/v1/status")
    call("DELETE", one, expected=204)
    call("GET", one, expected=404)

    # Who may do what.
    call("POST", "/v1/accounts", {"name": "shop"}, 201)
    call("POST", "/v1/accounts", {"name": "shop"}, 409)
    call("POST", "/v1/accounts", {"name": "a b"}, 400)
    call("GET", "/v1/accounts")
    key = call("POST", "/v1/keys", {"name": "till", "role": "read"}, 201)
    call("POST", "/v1/keys", {"name": "till", "role": "read"}, 409)
    call("POST", "/v1/keys", {"name": "till"}, 400)
    call("POST", f"/v1/keys/{key['id']}/rotate", {"overlapSeconds": 60})
    call("POST", f"/v1/keys/{key['id']}/rotate", {"overlapSeconds": -1}, 400)
    call("POST", "/v1/keys/9999/rotate", {}, 404)
    bearer = {"Authorization": f"Bearer {key['key']}"}
    call("GET", "/v1/status", headers=bearer)
    call("GET", "/v1/keys", headers=bearer, expected=403)
    call("GET", "/v1/keys")
    call("DELETE", f"/v1/keys/{key['id']}", expected=204)
    call("DELETE", f"/v1/keys/{key['id']}", expected=404)
    other = {"Outboxd-Account": "shop"}
    assert "connections" not in call("GET", "/v1/status", headers=other)
    call("GET", f"/v1/messages/{first}", headers=other, expected=404)

    answers_whatsapi.check(path, port, document, call, url)
    answers_aircall.check(document, path, url)
    answers_callmissed.check(path, port, document, call, url)
    answers_organization.organization(call, port, url)

    # Files.
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    kind = {"Content-Type": "image/png"}
    file = call("POST", "/v1/media?filename=a.png", png, 201, kind)
    assert call("POST", "/v1/media", png, 200, kind)["id"] == file["id"]
    assert call("POST", "/v1/media?line=main", png, 200, kind)["uploads"][0]["status"] == "done"
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["media-error=100"]})
    assert call("POST", "/v1/media?line=main", png + b"1", 202, kind)["uploads"][0]["status"] == "refused"
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["media-http=502"]})
    photo = {"line": "main", "to": "14155550177", "image": {"media": call("POST", "/v1/media", png + b"2", 201, kind)["id"]}}
    waiting = call("POST", "/v1/messages", photo, 202)["id"]
    outboxd.until(lambda: call("GET", f"/v1/messages/{waiting}")["gate"] == "media")
    call("GET", f"/v1/messages/{waiting}/why")
    call("DELETE", f"/v1/media/{photo['image']['media']}", expected=409)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})
    call("POST", f"/v1/messages/{waiting}/cancel", expected=202)
    call("POST", "/v1/messages", {**photo, "image": {"media": first}}, 400)
    call("POST", "/v1/media", b"no image", 400, kind)
    call("POST", "/v1/media", png + bytes(6 << 20), 413, kind)
    call("GET", "/v1/media")
    call("GET", "/v1/media?limit=1")
    call("GET", "/v1/media?cursor=x", expected=400)
    assert call("GET", f"/v1/media/{file['id']}") == png
    call("GET", "/v1/media/77", expected=404)
    call("DELETE", f"/v1/media/{file['id']}", expected=204)
    call("DELETE", f"/v1/media/{file['id']}", expected=404)

    # The process.
    call("PUT", "/v1/retention/read", {"maxAgeSeconds": 86400, "maxCount": 1000})
    call("PUT", "/v1/retention/none", {}, 404)
    call("POST", "/v1/reload")
    call("GET", "/v1/queue")
    for report in ("summary", "funnel", "timeseries", "breakdown", "failures", "costs"):
        call("GET", f"/v1/analytics/{report}?days=2&line=main")
        call("GET", f"/v1/analytics/{report}?days=0", expected=400)
        call("GET", f"/v1/analytics/{report}?line=none", expected=404)
    call("GET", "/v1/analytics/timeseries?by=hour&template=hello")
    call("GET", "/v1/analytics/breakdown?by=template")
    call("GET", "/v1/analytics/breakdown?by=campaign")
    call("GET", "/v1/analytics/summary?campaign=none", expected=404)
    call("GET", "/v1/doctor")
    call("POST", "/v1/erasures", {"to": "14155559999"})
    call("POST", "/v1/erasures", {"to": "nobody"}, 400)
    call("POST", "/v1/erasures", {"to": "14155559999", "userId": "US.1"}, 400)
    call("POST", f"/v1/messages/{scheduled}/move", {"line": "other", "dryRun": True}, 202)
    call("POST", f"/v1/messages/{scheduled}/move", {"line": "nowhere"}, 400)
    call("POST", "/v1/backup")
    call("POST", "/v1/lines/main/catch-up", {"since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, 202)
    outboxd.until(lambda: "catchUp" in call("GET", "/v1/lines/main/health"))
    call("DELETE", "/v1/lines/other", expected=204)
    call("DELETE", "/v1/lines/other", expected=404)
    call("DELETE", "/v1/lines/main", expected=409)
    call("POST", f"/v1/messages/{scheduled}/cancel", expected=202)

    for (method, template), statuses in document.answered.items():
        good = {int(status) for status in document.document["paths"][template][method.lower()]["responses"]}
        missing = {status for status in good if status < 300} - statuses
        assert not missing, (method, template, "was never answered with", missing)
    count = sum(len(statuses) for statuses in document.answered.values())
    print(f"OpenAPI: {len(document.answered)} operations, {count} kinds of answers are as described")


if __name__ == "__main__":
    main()
