"""Calls of the API with organisation keys."""

import outboxd


def organization(call, port, url):
    """Phones, what is written over them, and webhooks; the line main sends from the number 106."""
    phone = next(phone for phone in call("GET", "/v1/phones") if phone["metaPhoneNumberId"] == "106")
    call("GET", "/v1/phones?page=2&limit=1")
    call("GET", "/v1/phones?page=0", expected=400)
    place = f"/v1/phones/{phone['id']}"
    assert call("GET", "/v1/phones/106") == call("GET", place) == call("GET", "/v1/phones/main")
    call("GET", "/v1/phones/none", expected=404)
    assert call("GET", f"{place}/health")["capabilities"]["canReceiveMessages"]
    call("GET", "/v1/phones/none/health", expected=404)
    text = {"type": "text", "to": "5491155551234", "text": "Hello!"}
    sent = call("POST", f"{place}/messages", text, 202)["id"]
    call("POST", f"{place}/messages", {"type": "text", "to": "x"}, 400)
    call("POST", f"{place}/messages", b"x" * 300_000, 413)
    call("POST", "/v1/phones/none/messages", text, 404)
    key = {"Idempotency-Key": "organization"}
    call("POST", f"{place}/messages", text, 202, key)
    call("POST", f"{place}/messages", {**text, "text": "Bye!"}, 409, key)
    news = {"phoneNumberId": "106", "userId": "AR.ABC123", "username": "customer.name", "text": "hi"}
    outboxd.sandbox(port, "POST", "/sandbox/inbound", news)

    def known():
        return [one for one in call("GET", f"{place}/conversations") if one["contactIdentifier"] == "AR.ABC123"]

    conversation = outboxd.until(known)[0]
    one = f"{place}/conversations/{conversation['id']}"
    assert call("GET", one)["contactPhone"] is None
    call("GET", f"{place}/conversations/{sent}", expected=404)
    call("GET", f"{place}/conversations?limit=0", expected=400)
    assert call("GET", f"{one}/messages?limit=1")[0]["text"] == "hi"
    call("GET", f"{place}/conversations/{sent}/messages", expected=404)
    call("POST", f"{place}/messages", {**text, "to": conversation["contactReplyTo"]}, 202)
    assert {message["direction"] for message in call("GET", f"{place}/messages")} == {"inbound", "outbound"}
    call("GET", f"{place}/messages?limit=201", expected=400)
    call("GET", "/v1/phones/none/messages", expected=404)

    place = "/v1/outgoing-webhooks"
    assert call("GET", place) == []
    wish = {"url": url, "events": ["message.received", "message.sent"], "secret": "whsec_your_secret_key"}
    call("POST", place, {**wish, "events": ["none"]}, 400)
    made = call("POST", place, wish, 201)
    assert made["secret"] == wish["secret"] and len(call("GET", place)) == 1
    call("GET", f"{place}?page=x", expected=400)
    one = f"{place}/{made['id']}"
    assert call("GET", one)["events"] == wish["events"]
    assert call("PATCH", one, {"events": ["*"]})["events"] == ["*"]
    assert not call("PUT", one, {"isActive": False})["isActive"]
    call("PUT", one, {"isActive": 7}, 400)
    call("PATCH", one, {"secret": "short"}, 400)
    call("POST", f"{one}/test")
    call("DELETE", one)
    for method in ["GET", "PUT", "PATCH", "DELETE"]:
        call(method, one, {} if method.startswith("P") else None, 404)
    call("POST", f"{one}/test", expected=404)
