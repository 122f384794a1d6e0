"""The calls about links for people without keys."""


def check(call):
    """Every answer they are described with; the line main is there."""
    onboarding = {"name": "Acme Corp", "redirectUrl": "https://myapp.com/callback"}
    permissions = {
        "readInbox": True, "readDetails": True, "markRead": True, "sendText": True, "sendMedia": True,
        "sendTemplates": True, "sendAdvanced": False,
    }
    inbox = {"phoneNumberId": "106", "name": "Support access", "permissions": permissions}
    for kind, body in (("onboarding", onboarding), ("shared-inbox", inbox)):
        place = f"/v1/{kind}-links"
        made = call("POST", place, body, 201)
        one = f"{place}/{made['id']}"
        call("POST", place, {**body, "name": ""}, 400)
        call("POST", place, {**body, "name": "x" * 300_000}, 413)
        call("GET", place)
        call("GET", f"{place}?page=2&limit=1")
        call("GET", f"{place}?page=0", expected=400)
        call("GET", one)
        call("GET", f"{place}/none", expected=404)
        call("POST", f"{place}/none/revoke", expected=404)
        call("DELETE", f"{place}/none", expected=404)
        if kind == "shared-inbox":
            call("POST", place, {**body, "phoneNumberId": made["phoneNumberId"]}, 201)
            call("POST", place, {**body, "phoneNumberId": "none"}, 400)
            call("PATCH", one, {"permissions": {"readInbox": True}, "expiresAt": "2035-01-01T00:00:00Z"})
            call("PATCH", one, {"permissions": {"fly": True}}, 400)
            call("PATCH", f"{place}/none", {}, 404)
            call("PUT", one, {"name": "Other", "permissions": permissions})
            call("PUT", one, {"name": "Other"}, 400)
            call("PUT", f"{place}/none", {}, 404)
            rotated = call("POST", f"{one}/rotate")
            assert rotated["publicUrl"] and rotated["publicUrl"] != made["publicUrl"]
            call("POST", f"{place}/none/rotate", expected=404)
        assert call("POST", f"{one}/revoke")["status"] == "revoked"
        assert call("DELETE", one)["status"] == "revoked"
        if kind == "shared-inbox":
            call("POST", f"{one}/rotate", expected=409)
