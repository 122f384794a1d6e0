"""The calls of Aircall's WhatsApp Public API, for check_answers.py: each answered as the document has it."""

import json

import outboxd

PLACE = "/v1/numbers/air/messages/configuration"
PROXY = "/v1/messages/whatsapp/send"
NATIVE = "/v1/messages/send/whatsapp/native"


def check(document, path, url):
    """In an account of its own; `url` may be called."""

    def asked(method, target, body=None, expected=200, headers=None):
        status, known, text = outboxd.exchange(path, method, target, body, headers or own)
        assert status == expected, (method, target, body, status, text)
        document.check(method, target, status, known, text)
        return json.loads(text) if text else None

    own = {"Outboxd-Account": "air-shop"}
    nobody = {"Authorization": "Bearer sk_live_" + 48 * "0"}
    outboxd.data(path, "POST", "/v1/accounts", {"name": "air-shop", "plan": "enterprise"})
    line = {"phoneNumberId": "7770001", "wabaId": "7770002", "token": "t"}
    asked("PUT", "/v1/lines/air", line, 201)
    asked("PUT", "/v1/lines/bare", {"phoneNumberId": "7770003", "token": "t"}, 201)
    outboxd.until(lambda: asked("GET", "/v1/lines/air/health")["data"]["templatesReadAt"])
    draft = {"name": "air_hello", "language": "en_US", "category": "UTILITY", "components": [
        {"type": "BODY", "text": "Hello {{1}}, welcome.", "example": {"body_text": [["Ann"]]}}]}
    made = asked("POST", "/v1/lines/air/templates", draft, 201)["data"]["id"]
    pending = {"lineId": "air", "to": "14155550100", "templateParams": {"id": "air_hello/en_US"}}
    asked("POST", PROXY, pending, 400)

    asked("GET", PLACE, expected=404)
    asked("DELETE", PLACE, expected=404)
    asked("POST", PLACE, {"callbackUrl": "nowhere"}, 400)
    asked("POST", PLACE, {"callbackUrl": url}, 401, nobody)
    assert asked("POST", PLACE, {"callbackUrl": url}, 201)["token"]
    assert "token" not in asked("POST", "/v1/numbers/7770001/messages/configuration", {"callbackUrl": url})
    assert asked("GET", PLACE)["callbackUrl"] == url
    asked("GET", "/v1/numbers/none/messages/configuration", expected=404)

    assert asked("GET", "/v1/numbers/air/whatsapp_status")["status"] == "ONLINE"
    asked("GET", "/v1/numbers/none/whatsapp_status", expected=404)
    asked("GET", "/v1/numbers/air/whatsapp_status?x=1", expected=400)

    outboxd.until(lambda: [
        one for one in asked("GET", "/v1/numbers/air/templates?status=APPROVED&category=UTILITY&limit=200")["templates"]
        if one["id"] == made])
    asked("GET", "/v1/numbers/air/templates?token=x", expected=400)
    asked("GET", "/v1/numbers/bare/templates", expected=400)

    sent = {**pending, "templateParams": {"id": made, "body": [{"key": "{{1}}", "value": "Ann"}]}}
    key = {**own, "Idempotency-Key": "air-1"}
    first = asked("POST", PROXY, sent, headers=key)
    assert asked("POST", PROXY, sent, headers=key) == first
    asked("POST", PROXY, {**sent, "to": "14155550101"}, 409, key)
    asked("POST", PROXY, {"lineId": "air", "to": "14155550102", "text": "Hi"})
    asked("POST", PROXY, {"lineId": "air"}, 400)
    text = {"lineId": 7770001, "externalNumber": "+14155550102", "text": "Hi"}
    asked("POST", NATIVE, text, 400)
    asked("POST", NATIVE, text, 401, nobody)
    outboxd.data(path, "PUT", "/v1/accounts/air-shop", {"plan": "free"})
    # The plan is that of the caller's own account.
    asked("GET", PLACE)
    mine = outboxd.exchange(path, "POST", "/v1/keys", {"name": "a", "role": "admin"}, own)
    poor = {"Authorization": "Bearer " + json.loads(mine[2])["data"]["key"]}
    asked("POST", NATIVE, text, 403, poor)
    asked("GET", "/v1/numbers/air/whatsapp_status", expected=403, headers=poor)

    asked("DELETE", PLACE, expected=204)
    assert asked("POST", NATIVE, text)["status"] == "pending"
    asked("POST", NATIVE, {**text, "lineId": "bare"}, 400)
