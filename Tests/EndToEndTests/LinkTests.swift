import Foundation
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// A lab whose daemon serves the pages of links.
private final class LinkLab {
    let lab: Lab
    let port: UInt16

    init(line: String? = #"{"phoneNumberId":"106","wabaId":"102","token":"t",\#(Lab.freely)}"#) throws {
        port = try freePort()
        let address = "127.0.0.1:\(port)"
        lab = try Lab(
            daemon: [
                "--pages", address, "--public-url", "http://\(address)/", "--signup-app-id", "7", "--signup-config-id",
                "8",
            ], line: line)
    }

    struct Answer {
        var status = 0
        var headers: [HTTPHeader] = []
        var text = ""
        var json: JSONValue? { try? JSONParser().parse(Array(text.utf8)) }
        var code: String? { json?[path: "error", "code"]?.string }
    }

    /// As the page itself calls; `headers` in place of those a browser sends.
    func page(_ method: String, _ path: String, _ body: String = "", headers: [String]? = nil) -> Answer {
        let usual = ["Origin: http://127.0.0.1:\(port)", "Content-Type: application/json"]
        let request = OutgoingRequest(
            method: method, url: "http://127.0.0.1:\(port)\(path)", headers: headers ?? usual, body: Array(body.utf8),
            timeout: .seconds(60), answerBytesMax: 32 << 20)
        guard case .answered(let status, let headers, let bytes) = callAndWait(request) else { return Answer() }
        return Answer(status: status, headers: headers, text: String(decoding: bytes, as: UTF8.self))
    }

    func path(_ address: String?) throws -> String {
        let base = "http://127.0.0.1:\(port)"
        let address = try #require(address)
        #expect(address.hasPrefix(base + "/"))
        return String(address.dropFirst(base.utf8.count))
    }

    static let permissions = [
        "readInbox", "readDetails", "markRead", "sendText", "sendMedia", "sendTemplates", "sendAdvanced",
    ]

    /// Its id and its path.
    func inbox(_ permissions: [String] = LinkLab.permissions, line: String = "main", more: String = "") throws
        -> (id: String, path: String)
    {
        let given = permissions.map { "\"\($0)\":true" }.joined(separator: ",")
        let made = try lab.call(
            "POST", "/v1/shared-inbox-links",
            #"{"phoneNumberId":"\#(line)","name":"Support access","permissions":{\#(given)}\#(more)}"#)
        #expect(made.status == 201, "\(made.text)")
        return (
            try #require(made.json?[path: "data", "id"]?.string),
            try path(made.json?[path: "data", "publicUrl"]?.string)
        )
    }

    /// A person who wrote: the ids of conversation and message.
    func written(_ number: String = "106", from: String = "14155550199", _ more: String = #""text":"hello""#) throws
        -> (conversation: String, message: String)
    {
        let before = try lab.call("GET", "/v1/conversations").json?["data"]?.list.count ?? 0
        try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"\#(number)","from":"\#(from)",\#(more)}"#)
        var conversation = ""
        #expect(
            try eventually {
                let all = try lab.call("GET", "/v1/conversations").json?["data"]?.list ?? []
                conversation = all.first?["id"]?.string ?? ""
                return all.count > before
            })
        let messages = try lab.call("GET", "/v1/conversations/\(conversation)/messages").json?["data"]?.list
        return (conversation, try #require(messages?.first?["id"]?.string))
    }
}

/// Links for people without keys, and what their pages may ask for.
@Suite(.serialized) struct LinkTests {
    private func keys(_ value: JSONValue?) -> Set<String> { Set(value?.members.map(\.name) ?? []) }

    @Test func anOnboardingLinkConnectsANumberOnce() throws {
        let links = try LinkLab(line: nil)
        let lab = links.lab
        try lab.sandbox("PUT", "numbers/106", #"{"display_phone_number":"+1 555-010-0106"}"#)
        let made = try lab.call(
            "POST", "/v1/onboarding-links", #"{"name":"Acme Corp","redirectUrl":"https://myapp.com/callback"}"#)
        #expect(made.status == 201, "\(made.text)")
        let link = try #require(made.json?["data"])
        let id = try #require(link["id"]?.string)
        let path = try links.path(link["hostedUrl"]?.string)
        #expect(path.wholeMatch(of: /\/onboard\/[0-9a-f]{64}/) != nil)
        #expect(link["status"]?.string == "active" && link["redirectUrl"]?.string == "https://myapp.com/callback")
        let listed = try lab.call("GET", "/v1/onboarding-links").json
        #expect(listed?["data"]?.list.count == 1 && listed?[path: "meta", "pagination", "total"]?.integer == 1)
        #expect(keys(listed?[path: "meta", "pagination"]) == ["page", "limit", "total", "hasMore"])
        #expect(listed?["data"]?.list.first?["hostedUrl"]?.isNull == true)
        #expect(keys(listed?["data"]?.list.first) == keys(link))
        #expect(try lab.call("GET", "/v1/onboarding-links/\(id)").json?[path: "data", "id"]?.string == id)

        let page = links.page("GET", path, headers: [])
        #expect(page.status == 200 && page.text.contains("connect.facebook.net"))
        func header(_ name: String) -> String { page.headers.first { $0.name == name }?.value ?? "" }
        #expect(header("cache-control") == "no-store" && header("referrer-policy") == "no-referrer")
        #expect(header("content-security-policy").contains("script-src 'sha256-"))
        #expect(header("content-security-policy").contains("frame-ancestors 'none'"))
        let told = links.page("GET", path + "/link", headers: []).json?["data"]
        #expect(told?["name"]?.string == "Acme Corp" && told?["appId"]?.string == "7")
        #expect(told?["configId"]?.string == "8")

        let signup = #"{"code":"c1","phoneNumberId":"106","wabaId":"102"}"#
        #expect(links.page("POST", path + "/connect", "{}").code == "VALIDATION_ERROR")
        // A number that the token may not use.
        let foreign = links.page("POST", path + "/connect", signup.replacing("106", with: "999"))
        #expect(foreign.status == 403 && foreign.code == "FORBIDDEN", "\(foreign.text)")
        #expect(try lab.call("GET", "/v1/lines").json?["data"]?.list.isEmpty == true)
        let done = links.page("POST", path + "/connect", signup.replacing("c1", with: "c2"))
        #expect(done.status == 200, "\(done.text)")
        let key = try #require(done.json?[path: "data", "apiKey"]?.string)
        #expect(key.wholeMatch(of: /sk_org_[0-9a-f]{48}/) != nil)
        #expect(done.json?[path: "data", "redirectUrl"]?.string == "https://myapp.com/callback")
        #expect(links.page("GET", path, headers: []).status == 404)
        #expect(links.page("POST", path + "/connect", signup.replacing("c1", with: "c3")).code == "NOT_FOUND")

        let line = try lab.call("GET", "/v1/lines/acme-corp").json?["data"]
        #expect(line?["phoneNumberId"]?.string == "106" && line?["wabaId"]?.string == "102")
        let over = try lab.call("GET", "/v1/onboarding-links/\(id)").json?["data"]
        #expect(over?["status"]?.string == "completed" && over?["phoneNumberId"]?.string?.count == 36)
        #expect(over?["phoneNumberId"]?.string == done.json?[path: "data", "phoneNumberId"]?.string)
        // The key may send, in that account, and no more.
        let bearer = ["Authorization: Bearer \(key)"]
        #expect(try lab.call("GET", "/v1/lines", headers: bearer).status == 200)
        #expect(try lab.call("GET", "/v1/keys", headers: bearer).status == 403)
        let events = try lab.call("GET", "/v1/events?event=operator.change").text
        #expect(events.contains("onboarding_link.added") && events.contains("onboarding_link.completed"))
        #expect(events.contains("line.added") && events.contains("onboarding link Acme Corp"))
        let token = String(path.suffix(64))
        #expect(!events.contains(token) && !events.contains(key))
        let words = lab.daemon?.words ?? ""
        #expect(!words.contains(token) && !words.contains(key) && !words.contains("sandbox-token"))
    }

    @Test func aLinkEndsWhenItIsRevokedOrItsTimeIsOver() throws {
        let links = try LinkLab()
        let lab = links.lab
        let made = try lab.call("POST", "/v1/onboarding-links", #"{"name":"Acme"}"#).json?["data"]
        let id = try #require(made?["id"]?.string)
        let path = try links.path(made?["hostedUrl"]?.string)
        #expect(links.page("GET", path + "/link").status == 200)
        #expect(
            try lab.call("POST", "/v1/onboarding-links/\(id)/revoke").json?[path: "data", "status"]?.string == "revoked"
        )
        #expect(links.page("GET", path + "/link").status == 404)
        #expect(try lab.call("DELETE", "/v1/onboarding-links/\(id)").status == 200)

        let (inbox, place) = try links.inbox()
        #expect(links.page("GET", place).status == 200 && links.page("GET", place + "/link").status == 200)
        let rotated = try lab.call("POST", "/v1/shared-inbox-links/\(inbox)/rotate")
        let next = try links.path(rotated.json?[path: "data", "publicUrl"]?.string)
        #expect(next != place && links.page("GET", place).status == 404 && links.page("GET", next).status == 200)
        let changed = try lab.call(
            "PATCH", "/v1/shared-inbox-links/\(inbox)", #"{"permissions":{"readInbox":true},"name":"Other"}"#)
        #expect(changed.status == 200 && changed.json?[path: "data", "publicUrl"]?.isNull == true, "\(changed.text)")
        #expect(links.page("GET", next + "/link").json?[path: "data", "permissions", "sendText"]?.bool == false)
        // After a crash all is as it was.
        lab.killDaemon()
        try lab.startDaemon()
        #expect(links.page("GET", next + "/link").json?[path: "data", "name"]?.string == "Other")
        #expect(links.page("GET", place).status == 404 && links.page("GET", path).status == 404)
        let soon = ISO8601DateFormatter().string(from: Date().addingTimeInterval(2))
        let whole = #"{"name":"Support","permissions":{"readInbox":true},"expiresAt":"\#(soon)"}"#
        #expect(try lab.call("PUT", "/v1/shared-inbox-links/\(inbox)", whole).status == 200)
        #expect(eventually { links.page("GET", next).status == 404 })
        #expect(
            try lab.call("GET", "/v1/shared-inbox-links/\(inbox)").json?[path: "data", "status"]?.string == "expired")
        #expect(
            try lab.call("PATCH", "/v1/shared-inbox-links/\(inbox)", #"{"expiresAt":null}"#).json?[
                path: "data", "status"]?.string == "active")
        #expect(links.page("GET", next).status == 200)
        #expect(
            try lab.call("DELETE", "/v1/shared-inbox-links/\(inbox)").json?[path: "data", "status"]?.string
                == "revoked")
        #expect(links.page("GET", next).status == 404)
        #expect(try lab.call("POST", "/v1/shared-inbox-links/\(inbox)/rotate").status == 409)

        // With its line a link is gone.
        let (third, way) = try links.inbox()
        #expect(try lab.call("DELETE", "/v1/lines/main").status == 204)
        #expect(links.page("GET", way).status == 404)
        #expect(try lab.call("GET", "/v1/shared-inbox-links/\(third)").status == 404)
        let events = try lab.call("GET", "/v1/events?event=operator.change").text
        for action in ["added", "changed", "rotated", "revoked"] {
            #expect(events.contains("shared_inbox_link.\(action)"), "\(action)")
        }
    }

    @Test func everyPermissionIsAskedFor() throws {
        let links = try LinkLab()
        let lab = links.lab
        let (conversation, message) = try links.written()
        try lab.sandbox("PUT", "faults", #"{"rules":[]}"#)
        let thread = "/conversations/\(conversation)/messages"
        let template = #"{"template":{"name":"hello_world","language":"en_US"}}"#
        let calls: [(permission: String, method: String, path: String, body: String)] = [
            ("readInbox", "GET", "/conversations", ""), ("readDetails", "GET", thread, ""),
            ("markRead", "POST", "/messages/\(message)/read", "{}"),
            ("sendText", "POST", thread, #"{"text":"Hello!"}"#), ("sendTemplates", "POST", thread, template),
            ("sendTemplates", "GET", "/templates", ""),
            ("sendAdvanced", "POST", thread, #"{"advanced":{"location":{"latitude":52.5,"longitude":13.4}}}"#),
        ]
        let all = try links.inbox().path
        for (permission, method, path, body) in calls {
            let others = LinkLab.permissions.filter { $0 != permission }
            let (id, without) = try links.inbox(others)
            let refused = links.page(method, without + path, body)
            #expect(refused.status == 403 && refused.code == "FORBIDDEN", "\(permission): \(refused.text)")
            #expect(refused.text.contains(permission))
            let allowed = links.page(method, all + path, body)
            #expect(allowed.status == 200, "\(permission): \(allowed.status) \(allowed.text)")
            #expect(try lab.call("DELETE", "/v1/shared-inbox-links/\(id)").status == 200)
        }
        // A file on its way to the person.
        let (_, mute) = try links.inbox(LinkLab.permissions.filter { $0 != "sendMedia" })
        let upload = ["Origin: http://127.0.0.1:\(links.port)", "Content-Type: text/plain"]
        #expect(links.page("POST", mute + "/files?filename=a.txt", "hello", headers: upload).status == 403)
        let kept = links.page("POST", all + "/files?filename=a.txt", "hello", headers: upload)
        #expect(kept.status == 201 && kept.json?[path: "data", "kind"]?.string == "document", "\(kept.text)")
        let file = kept.json?[path: "data", "id"]?.string ?? ""
        let media = #"{"media":{"kind":"document","id":"\#(file)","caption":"Read it","filename":"a.txt"}}"#
        #expect(links.page("POST", mute + thread, media).status == 403)
        let sent = links.page("POST", all + thread, media)
        #expect(sent.status == 200, "\(sent.text)")
        let id = try #require(sent.json?[path: "data", "id"]?.string)
        try lab.wait(id, for: "read")
        #expect(links.page("GET", all + "/messages/\(id)/file", headers: []).text == "hello")
        let (_, blind) = try links.inbox(LinkLab.permissions.filter { $0 != "readDetails" })
        #expect(links.page("GET", blind + "/messages/\(id)/file", headers: []).status == 403)
        #expect(links.page("GET", blind + "/conversations").json?["data"]?.list.first?["phone"]?.isNull == true)
        let seen = links.page("GET", all + thread).json?["data"]?.list ?? []
        #expect(seen.count == 5 && seen.contains { $0["text"]?.string == "Hello!" })
        #expect(seen.contains { $0["caption"]?.string == "Read it" && $0["hasFile"]?.bool == true })
        // What was sent says by which link.
        let own = try lab.message(id)
        #expect(own["line"]?.string == "main" && own[path: "metadata", "sharedInboxLink"]?.string?.count == 36)
    }

    @Test func anotherLineIsNotFound() throws {
        let links = try LinkLab()
        let lab = links.lab
        #expect(
            try lab.call("PUT", "/v1/lines/second", #"{"phoneNumberId":"107","token":"t",\#(Lab.freely)}"#).status
                == 201)
        let (conversation, message) = try links.written("107", from: "14155550111")
        let all = try links.inbox().path
        #expect(links.page("GET", all + "/conversations").json?["data"]?.list.isEmpty == true)
        #expect(links.page("GET", all + "/conversations/\(conversation)/messages").code == "NOT_FOUND")
        #expect(links.page("POST", all + "/conversations/\(conversation)/messages", #"{"text":"x"}"#).status == 404)
        #expect(links.page("POST", all + "/messages/\(message)/read", "{}").status == 404)
        #expect(links.page("GET", all + "/messages/\(message)/file").status == 404)
        #expect(try lab.call("GET", "/v1/messages/\(message)").json?[path: "data", "markedRead"]?.bool == false)
        let second = try links.inbox(line: "second").path
        #expect(links.page("GET", second + "/conversations/\(conversation)/messages").status == 200)
        // No file of Meta's or of another server's is named.
        for media in [#""id":"123""#, #""id":"123","link":"https://a.example/""#, #""link":"https://a.example/""#] {
            let body = #"{"media":{"kind":"image",\#(media)}}"#
            #expect(links.page("POST", second + "/conversations/\(conversation)/messages", body).status == 400)
        }
        let more = #"{"text":"x","to":"14155550100"}"#
        #expect(links.page("POST", second + "/conversations/\(conversation)/messages", more).status == 400)
    }

    @Test func onlyThePageItselfMayAskAndNothingElseIsThere() throws {
        let links = try LinkLab()
        let (conversation, _) = try links.written()
        let all = try links.inbox().path
        let thread = "\(all)/conversations/\(conversation)/messages"
        let text = #"{"text":"x"}"#
        let json = "Content-Type: application/json"
        let own = "Origin: http://127.0.0.1:\(links.port)"
        for headers in [
            [json], [json, "Origin: null"], [json, "Origin: https://evil.example"],
            [json, own, "Sec-Fetch-Site: cross-site"],
        ] {
            let refused = links.page("POST", thread, text, headers: headers)
            #expect(refused.status == 403 && refused.code == "FORBIDDEN", "\(headers): \(refused.text)")
        }
        #expect(links.page("GET", thread, headers: ["Sec-Fetch-Site: cross-site"]).status == 403)
        // The page itself is opened from anywhere.
        #expect(links.page("GET", all, headers: ["Sec-Fetch-Site: cross-site"]).status == 200)
        #expect(links.page("POST", thread, text, headers: [own, "Content-Type: text/plain"]).status == 415)
        let long = "{\"text\":\"\(String(repeating: "x", count: 100 << 10))\"}"
        #expect(links.page("POST", thread, long).status == 413)
        #expect(links.page("POST", all + "/files", String(repeating: "x", count: (16 << 20) + 1)).status == 413)
        for path in [
            "/", "/v1/status", "/healthz", "/metrics", "/openapi.json", "/inbox", "/inbox/x", "/onboard/x/link",
        ] {
            #expect(links.page("GET", path).status == 404, "\(path)")
        }
        #expect(links.page("DELETE", all).status == 405)
        // A token of the one kind is none of the other.
        #expect(links.page("GET", all.replacing("/inbox/", with: "/onboard/")).status == 404)
        #expect(links.page("GET", thread + "?cursor=x").code == "VALIDATION_ERROR")
        #expect(links.page("GET", thread + "?limit=1").code == "VALIDATION_ERROR")
        var statuses: Set<Int> = []
        for _ in 0..<400 where !statuses.contains(429) { statuses.insert(links.page("GET", all + "/link").status) }
        #expect(statuses == [200, 429])
    }

    @Test func withoutTheSettingsNoLinkIsMade() throws {
        let lab = try Lab()
        let bodies = [
            "onboarding": #"{"name":"Acme Corp"}"#,
            "shared-inbox": #"{"phoneNumberId":"main","name":"x","permissions":{"readInbox":true}}"#,
        ]
        for (kind, body) in bodies {
            let refused = try lab.call("POST", "/v1/\(kind)-links", body)
            #expect(refused.status == 409 && refused.text.contains("public-url"), "\(refused.text)")
            #expect(keys(refused.json?["error"]) == ["message", "code"])
            let wrong = try lab.call("POST", "/v1/\(kind)-links", #"{"name":7,"colour":"red"}"#)
            #expect(wrong.status == 400 && wrong.json?[path: "error", "code"]?.string == "VALIDATION_ERROR")
            #expect(wrong.text.contains("colour") && keys(wrong.json?["error"]) == ["message", "code"])
            let list = try lab.call("GET", "/v1/\(kind)-links?limit=201")
            #expect(list.json?[path: "error", "code"]?.string == "VALIDATION_ERROR")
            let key = try lab.call("GET", "/v1/\(kind)-links", headers: ["Authorization: Bearer sk_org_x"])
            #expect(key.status == 401 && key.json?[path: "error", "code"]?.string == "UNAUTHORIZED")
            let none = try lab.call("GET", "/v1/\(kind)-links/9dd15ee1-3d3c-44e1-9dd2-8ec6547e7e20")
            #expect(none.status == 404 && none.json?[path: "error", "code"]?.string == "NOT_FOUND")
        }
        let redirect = #"{"name":"x","redirectUrl":"http://myapp.com/callback"}"#
        #expect(try lab.call("POST", "/v1/onboarding-links", redirect).text.contains("redirectUrl"))
    }
}
