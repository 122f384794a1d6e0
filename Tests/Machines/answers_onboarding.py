"""Calls that connect numbers, and those about templates."""

import outboxd


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
