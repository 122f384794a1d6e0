"""Calls about campaigns, opt-outs and caps."""

import outboxd


def campaigns(call, message, hello, later):
    """Made, launched, held and ended; `message` is the id of something else."""
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
        call("GET", f"/v1/campaigns/{message}{target}", expected=404)
    call("POST", f"/v1/campaigns/{message}/launch", expected=404)


def marketing(call, state, number):
    """Who wants none, and how much there may be."""
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
