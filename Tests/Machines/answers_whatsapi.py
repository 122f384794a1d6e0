"""The API of WhatsAPI, for one account of its own."""

import json

import outboxd


def check(path, port, document, call, url):
    """Every answer it is described with."""
    hello = {"name": "hello_world", "language": "en_US"}

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
