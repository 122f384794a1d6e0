"""The API of CallMissed, for one account of its own."""

import json

import outboxd

BASE = "/api/v1/whatsapp"
FORM = {"Content-Type": "multipart/form-data; boundary=B"}


def form(data, kind):
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: {kind}\r\n\r\n'
    number = '--B\r\nContent-Disposition: form-data; name="phone_number_id"\r\n\r\n1234567890\r\n'
    return number.encode() + head.encode() + data + b"\r\n--B--\r\n"


def check(path, port, document, call, url):
    call("POST", "/v1/accounts", {"name": "acme"}, 201)
    account = {"Outboxd-Account": "acme"}
    key = call("POST", "/v1/keys", {"name": "acme", "role": "admin", "prefix": "cm_"}, 201, account)["key"]
    reader = call("POST", "/v1/keys", {"name": "reader", "role": "read", "prefix": "cm_"}, 201, account)["key"]
    bot = call("POST", "/v1/subscriptions", {"url": url, "events": ["message.received"]}, 201, account)["id"]

    def asked(method, target, body=None, expected=200, headers=None, key=key):
        mine = {"Authorization": f"Bearer {key}", **(headers or {})}
        status, known, text = outboxd.exchange(path, method, BASE + target, body, mine)
        assert status == expected, (method, target, body, status, text)
        document.check(method, BASE + target, status, known, text)
        return json.loads(text) if text else None

    assert asked("GET", "/accounts") == [] and asked("GET", "/phone_numbers") == [] and asked("GET", "/templates") == []
    manual = {"waba_id": "102290129340398", "phone_number_id": "1234567890", "access_token": "t"}
    asked("POST", "/onboarding/manual", {}, 422)
    made = asked("POST", "/onboarding/manual", {**manual, "bot_id": f"00000000-0000-8000-8000-{bot:012}", "pin": "123456"})
    assert made["fully_provisioned"], made
    signup = {"code": "cm1", "phone_number_id": "1234567890"}
    asked("POST", "/onboarding/exchange", signup, 422)
    asked("POST", "/onboarding/exchange", {**signup, "app_id": "7", "waba_id": "102290129340398"})
    assert len(asked("GET", "/accounts")) == 1
    number = asked("GET", "/phone_numbers")[0]
    assert number["bot_id"] == number["available_bots"][0]["id"], number
    phone = f"/phone_numbers/{number['id']}"
    assert asked("POST", f"{phone}/link-bot", {"bot_id": None})["bot_id"] is None
    asked("POST", f"{phone}/link-bot", {"bot_id": number["id"]}, 404)
    assert asked("POST", f"{phone}/autoreply", {"enabled": False})["ai_autoreply_enabled"] is False
    asked("POST", f"{phone}/autoreply", {"enabled": 1}, 422)

    to = {"phone_number_id": "1234567890", "to": "+14155550100"}
    outboxd.until(lambda: asked("GET", "/templates"))
    asked("POST", "/messages", {**to, "text": "closed"}, 422)
    asked("POST", "/messages", {"to": "+14155550100", "text": "from whom"}, 400)
    asked("POST", "/messages", {**to, "text": "may I"}, 403, key=reader)
    asked("POST", "/messages", {**to, "text": "who am I"}, 401, key="cm_nobody")
    asked("POST", "/messages/template", {**to, "template": "hello_world", "language": "en_US"})
    asked("POST", "/messages/template", {**to, "phone_number_id": "77", "template": "hello_world"}, 404)
    text = {"phoneNumberId": "1234567890", "from": "14155550100", "text": "hello"}
    wamid = outboxd.sandbox(port, "POST", "/sandbox/inbound", text)["id"]
    outboxd.until(lambda: call("GET", "/v1/conversations", headers=account))
    repeat = {"Idempotency-Key": "cm"}
    asked("POST", "/messages", {**to, "text": "open", "preview_url": False}, headers=repeat)
    asked("POST", "/messages", {**to, "text": "again"}, 409, repeat)
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    media = asked("POST", "/media", form(png, "image/png"), headers=FORM)["media_id"]
    asked("POST", "/media", form(png + bytes(6 << 20), "image/png"), 413, FORM)
    asked("POST", "/media", form(b"none", "image/png"), 422, FORM)
    asked("POST", "/messages/media", {**to, "type": "image", "media_id": media})
    asked("POST", "/messages/media", {**to, "type": "image"}, 422)
    choice = {"interactive_type": "button", "body_text": "Home?"}
    asked("POST", "/messages/interactive", {**to, **choice, "buttons": [{"id": "y", "title": "Yes"}]})
    asked("POST", "/messages/interactive", {**to, **choice}, 400)
    asked("POST", f"/messages/{wamid}/read", {**{"phone_number_id": "1234567890"}, "typing_indicator": True})
    asked("POST", "/messages/wamid.none/read", expected=404)

    draft = {
        "name": "back_in_stock", "category": "UTILITY", "language": "en_US",
        "components": [{"type": "BODY", "text": "It is back."}],
    }
    template = asked("POST", "/templates", draft)["template"]["id"]
    asked("POST", "/templates", {**draft, "name": "Back"}, 400)
    assert len(asked("GET", "/templates?limit=1&status=APPROVED&waba_id=102290129340398")) == 1
    asked("GET", "/templates?limit=0", expected=422)
    asked("POST", "/templates/sync")
    asked("DELETE", f"/templates/{template}", expected=204)
    asked("DELETE", f"/templates/{template}", expected=404)

    april = {"name": "April", "template": "hello_world", "phone_number_id": "1234567890"}
    campaign = asked("POST", "/campaigns", {**april, "recipients": ["14155550101", "x"]}, 201)["id"]
    asked("POST", "/campaigns", {**april, "recipients": []}, 422)
    asked("POST", f"/campaigns/{campaign}/recipients", {"recipients": [{"to_phone": "+1 415 555-0102"}]})
    asked("POST", f"/campaigns/{campaign}/launch")
    asked("POST", f"/campaigns/{campaign}/launch", expected=409)
    outboxd.until(lambda: [one for one in asked("GET", "/campaigns?limit=100") if one["read"] == 2])
    asked("GET", "/campaigns?limit=101", expected=422)
    for report in ("funnel", "timeseries", "costs"):
        asked("GET", f"/analytics/{report}")
        asked("GET", f"/analytics/{report}?days=91", expected=422)
