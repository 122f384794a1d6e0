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
import answers_organization
import answers_links
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


def templates(call, port):
    """Templates made, looked at, changed and removed."""
    place = "/v1/lines/main/templates"
    draft = {
        "name": "order_shipped", "language": "en_US", "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW"]}},
            {"type": "BODY", "text": "Dear {{1}}, it left.", "example": {"body_text": [["Ann"]]}},
            {"type": "BUTTONS", "buttons": [
                {"type": "URL", "text": "Track", "url": "https://a.example/{{1}}", "example": ["https://a.example/7"]},
            ]},
        ],
    }
    call("GET", place)
    call("GET", f"{place}?limit=1&status=APPROVED,PAUSED&category=UTILITY&q=hello")
    call("GET", f"{place}?colour=red", expected=400)
    call("GET", "/v1/lines/none/templates", expected=404)
    call("POST", place, {**draft, "name": "Order"}, 400)
    call("POST", place, {**draft, "dryRun": True})
    call("POST", place, draft, 201)
    call("POST", place, draft, 400)
    one = f"{place}/order_shipped/en_US"
    outboxd.until(lambda: call("GET", one)["status"] == "APPROVED")
    call("GET", f"{place}/order_shipped/de", expected=404)
    body = {"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}
    image = {"type": "header", "parameters": [{"type": "image", "image": {"id": "7"}}]}
    button = {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "7"}]}
    assert call("POST", f"{one}/preview", {"components": [image, body, button]})["complete"]
    assert not call("POST", f"{one}/preview")["complete"]
    call("POST", f"{one}/preview", {"components": 7}, 400)
    change = {"components": [{"type": "BODY", "text": "It left."}]}
    call("PUT", one, {**change, "dryRun": True})
    call("PUT", one, {"components": []}, 400)
    call("PUT", one, change)
    call("PUT", f"{place}/none/en_US", change, 404)
    call("POST", "/v1/lines/main/template-sync")
    call("DELETE", one)
    call("DELETE", one, expected=404)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["lose-answer/message_templates"]})
    call("POST", place, draft, 502)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})
    call("POST", "/v1/lines/main/template-sync")
    call("DELETE", f"{place}/order_shipped")


def onboarding(call):
    """Numbers connected and looked at."""
    assert not call("POST", "/v1/lines/main/verify")["ready"]
    call("POST", "/v1/lines/main/subscribe")
    call("POST", "/v1/lines/main/register", {"pin": "123456"})
    call("POST", "/v1/lines/main/register", {"pin": "654321"}, 400)
    call("POST", "/v1/lines/main/register", {"pin": "12"}, 400)
    assert call("POST", "/v1/lines/main/verify")["ready"]
    call("POST", "/v1/lines/none/verify", expected=404)
    call("POST", "/v1/onboarding/numbers", {"line": "main"})
    call("POST", "/v1/onboarding/numbers", {"token": "t", "wabaId": "102"})
    call("POST", "/v1/onboarding/numbers", {}, 400)
    call("POST", "/v1/onboarding/numbers", {"line": "none"}, 404)
    signup = {"code": "c1", "appId": "7", "line": "signed", "phoneNumberId": "109", "wabaId": "102"}
    call("POST", "/v1/onboarding/exchange", signup, 201)
    call("POST", "/v1/onboarding/exchange", signup, 400)
    call("POST", "/v1/onboarding/exchange", {**signup, "code": "c2", "app": "none"}, 409)
    call("POST", "/v1/onboarding/exchange", {**signup, "code": "c3"})
    call("DELETE", "/v1/lines/signed", expected=204)


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
    templates(call, port)
    onboarding(call)
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

    # Campaigns.
    assert call("GET", "/v1/campaigns") == []
    spring = {"name": "spring", "line": "main", "template": hello}
    call("POST", "/v1/campaigns", {**spring, "quietHours": {"from": "9", "to": "10:00"}, "canary": {}}, 400)
    call("POST", "/v1/campaigns", {**spring, "template": {"name": "none", "language": "en_US"}}, 400)
    whole = {
        **spring, "quietHours": {"from": "03:00", "to": "03:01"}, "expiresAt": later,
        "canary": {"first": 1, "waitSeconds": 60, "abortAboveFailureShare": 0.5},
    }
    made = call("POST", "/v1/campaigns", whole, 201)["id"]
    one = f"/v1/campaigns/{made}"
    call("POST", f"{one}/launch", expected=409)
    people = [{"to": "14155550140"}, {"to": "14155550141", "timeZone": "America/Denver"}, {"to": "x"}, {"to": "14155550142", "variables": ["no"]}]
    added = call("POST", f"{one}/recipients", {"recipients": people})
    assert (added["added"], added["failedCount"]) == (2, 2), added
    call("POST", f"{one}/recipients", {"recipients": []}, 400)
    assert call("POST", f"{one}/recipients", b'{"to":"14155550140"}\n', headers={"Content-Type": "application/x-ndjson"})["duplicates"] == 1
    call("POST", f"{one}/recipients", b"x" * 300_000, 413, {"Content-Type": "application/x-ndjson"})
    call("GET", f"{one}/recipients?limit=1&status=pending")
    call("GET", f"{one}/recipients?status=none", expected=400)
    call("GET", f"{one}/forecast")
    call("POST", f"{one}/launch", {"startAt": "2020-01-01T00:00:00Z"}, 400)
    call("POST", f"{one}/pause", {"reason": "early"}, 409)
    call("POST", f"{one}/launch", {})
    outboxd.until(lambda: call("GET", f"{one}/recipients")[0]["status"] == "read")
    call("POST", f"{one}/recipients", {"recipients": people}, 409)
    outboxd.until(lambda: call("GET", one)["status"] == "completed")
    call("GET", f"{one}/report")
    call("GET", f"{one}/forecast", expected=409)
    other = f"/v1/campaigns/{call('POST', '/v1/campaigns', spring, 201)['id']}"
    call("POST", f"{other}/recipients", {"recipients": people})
    call("POST", f"{other}/launch", {"startAt": later})
    call("POST", f"{other}/pause", {"reason": "a test"})
    call("POST", f"{other}/resume", {})
    call("POST", f"{other}/cancel", {"reason": "enough"})
    call("POST", f"{other}/cancel", expected=409)
    assert len(call("GET", "/v1/campaigns?limit=1")) == 1
    for target in ["", "/report", "/forecast", "/recipients"]:
        call("GET", f"/v1/campaigns/{first}{target}", expected=404)
    call("POST", f"/v1/campaigns/{first}/launch", expected=404)

    # Marketing.
    call("PUT", "/v1/opt-outs/+1 415 555 0145".replace(" ", "%20"), {"reason": "by phone"}, 201)
    call("PUT", "/v1/opt-outs/14155550145")
    call("PUT", "/v1/opt-outs/nobody", expected=400)
    assert call("GET", "/v1/opt-outs?limit=5")[0]["recipient"] == "14155550145"
    call("GET", "/v1/opt-outs/14155550145")
    call("GET", "/v1/opt-outs/14155550146", expected=404)
    sale = {"line": "other", "to": "14155550145", "priority": "low", "template": {"name": "sale", "language": "en"}}
    call("PUT", "/v1/lines/loose", {**number, "phoneNumberId": "108", "wabaId": None, "optOutKeywords": ["STOP"]}, 201)
    call("POST", "/v1/messages", {**sale, "line": "loose"}, 409)
    call("DELETE", "/v1/opt-outs/14155550145", expected=204)
    call("DELETE", "/v1/opt-outs/14155550145", expected=404)
    call("PUT", "/v1/marketing-caps/account", {"messages": 1, "days": 7, "whenReached": "fail"})
    call("PUT", "/v1/marketing-caps/line:loose", {"messages": 3, "days": 30})
    call("PUT", "/v1/marketing-caps/line:none", {"messages": 3, "days": 30}, 404)
    call("PUT", "/v1/marketing-caps/account", {"messages": 0}, 400)
    state(call("POST", "/v1/messages", {**sale, "line": "loose"}, 202)["id"], "sent", "delivered", "read")
    call("POST", "/v1/messages", {**sale, "line": "loose"}, 429)
    assert len(call("GET", "/v1/marketing-caps")) == 2
    call("DELETE", "/v1/marketing-caps/account", expected=204)
    call("DELETE", "/v1/marketing-caps/account", expected=404)
    call("DELETE", "/v1/lines/loose", expected=204)

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

    # The API of WhatsAPI, for one account of its own.
    def asked(method, target, body=None, expected=200, headers=None):
        status, known, text = outboxd.exchange(path, method, target, body, {**mine, **(headers or {})})
        assert status == expected, (method, target, body, status, text)
        document.check(method, target, status, known, text)
        return json.loads(text).get("data")

    mine = {}
    mine = {"Authorization": "Bearer " + asked(
        "POST", "/auth/register", {"name": "Your Name", "email": "you@example.com"}, 201)["apiKey"]}
    asked("POST", "/auth/register", {"name": "Your Name", "email": "you@example.com"}, 403)
    assert asked("GET", "/auth/me")["byocConfigured"] is False
    asked("DELETE", "/auth/me/credentials")
    asked("POST", "/auth/me/credentials/verify", expected=400)
    asked("PUT", "/auth/me/credentials", {"whatsappAccessToken": "t"}, 400)
    asked("PUT", "/auth/me/credentials", {"whatsappAccessToken": "t", "whatsappPhoneNumberId": "1234567890"})
    asked("POST", "/auth/me/credentials/verify")
    asked("PUT", "/auth/me/webhook", {"url": "nowhere"}, 400)
    assert asked("PUT", "/auth/me/webhook", {"url": url})["webhookUrl"] == url
    assert asked("PUT", "/auth/me/webhook", {"url": url})["webhookUrl"] == url
    call("PUT", "/v1/accounts/your-name", {"plan": "pro", "label": "Your Name", "email": "you@example.com"})
    call("PUT", "/v1/accounts/nobody", {"plan": "pro"}, 404)
    call("PUT", "/v1/accounts/your-name", {"plan": "gold"}, 400)
    hosted = asked("POST", "/send-message", {"to": "14155550100", "template": hello, "metadata": {"a": 1}}, 202)["id"]
    asked("POST", "/send-message", {"to": "x"}, 400)
    asked("POST", "/messages/bulk", {"messages": [{"to": "14155550100", "message": "x", "dry_run": True}, {}]}, 202)
    asked("POST", "/messages/bulk", {}, 400)
    # Each of its calls counts for the plan.
    outboxd.until(lambda: call("GET", f"/v1/messages/{hosted}", headers={"Outboxd-Account": "your-name"})["readAt"])
    assert asked("GET", f"/messages/{hosted}")["status"] == "read"
    assert len(asked("GET", "/messages?limit=5&page=1")) == 2
    asked("GET", "/messages?status=gone", expected=400)
    asked("GET", "/messages/none", expected=404)
    asked("POST", f"/messages/{hosted}/retry", expected=409)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["error=131026:14155550119"]})
    refused = asked("POST", "/send-message", {"to": "14155550119", "template": hello}, 202)["id"]
    outboxd.until(lambda: call("GET", f"/v1/messages/{refused}", headers={"Outboxd-Account": "your-name"})["failedAt"])
    asked("POST", f"/messages/{refused}/retry", expected=202)
    outboxd.until(
        lambda: call("GET", f"/v1/messages/{refused}", headers={"Outboxd-Account": "your-name"})["status"] == "failed"
    )
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})
    asked("POST", "/messages/none/retry", expected=404)
    assert asked("GET", "/analytics/summary")["total"] == 2
    assert asked("GET", "/auth/me") == {
        "name": "Your Name", "email": "you@example.com", "plan": "pro", "messagesSent": 1, "byocConfigured": True,
        "webhookUrl": url}
    asked("DELETE", "/auth/me/webhook")
    asked("DELETE", "/auth/me/webhook")
    asked("DELETE", "/auth/me/credentials")
    asked("POST", "/billing/checkout", {"plan": "pro"}, 404)
    asked("GET", "/billing/portal", expected=404)
    mine = {"Authorization": "Bearer " + asked("POST", "/auth/me/rotate-key")["apiKey"]}
    asked("GET", "/auth/me")
    call("POST", "/auth/me/rotate-key", expected=401)

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
