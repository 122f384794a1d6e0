import Foundation
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// Accounts, keys and limits on the real daemon.
@Suite struct AccessTests {
    private func addKey(_ lab: Lab, _ name: String, _ role: String, account: String = "default") throws -> (
        id: String, text: String
    ) {
        let made = try lab.call(
            "POST", "/v1/keys", #"{"name":"\#(name)","role":"\#(role)"}"#, headers: ["Outboxd-Account: \(account)"])
        #expect(made.status == 201, "\(made.text)")
        let data = try #require(made.json?["data"])
        return (String(try #require(data["id"]?.integer)), try #require(data["key"]?.string))
    }

    /// Every route there is, with what belongs to somebody else.
    @Test func whatBelongsToAnotherAccountIsNotFound() throws {
        let pages = "127.0.0.1:\(try freePort())"
        let lab = try Lab(daemon: [
            "--pages", pages, "--public-url", "http://\(pages)", "--signup-app-id", "7", "--signup-config-id", "8",
        ])
        let message = try lab.submit()
        try lab.wait(message, for: "read")
        try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"14155550199","text":"hello"}"#)
        var conversation: JSONValue?
        _ = try eventually {
            conversation = try lab.call("GET", "/v1/conversations").json?["data"]?.elements.first { _ in true }
            return conversation != nil
        }
        let own = try #require(conversation)
        let pause = try lab.call("POST", "/v1/pauses", #"{"line":"main"}"#)
        let subscription = try lab.call("POST", "/v1/subscriptions", #"{"url":"http://127.0.0.1:9/"}"#)
        #expect(try lab.call("PUT", "/v1/cursors/c", #"{"after":1}"#).status == 201)
        let ownKey = try addKey(lab, "own", "admin")
        #expect(try lab.call("POST", "/v1/accounts", #"{"name":"shop"}"#).status == 201)
        let key = try addKey(lab, "all", "admin", account: "shop")
        let bearer = "Authorization: Bearer \(key.text)"
        let file = try lab.call("POST", "/v1/media?type=text/plain", "hello")
        let campaign = try lab.call(
            "POST", "/v1/campaigns", #"{"name":"own","line":"main","template":{"name":"t","language":"en"}}"#)
        #expect(campaign.status == 201, "\(campaign.text)")
        #expect(try lab.call("PUT", "/v1/opt-outs/14155550177", "{}").status < 300)
        #expect(try lab.call("PUT", "/v1/marketing-caps/line:main", #"{"messages":5,"days":7}"#).status < 300)
        let phone = try lab.call("GET", "/v1/phones")
        let webhook = try lab.call("POST", "/v1/outgoing-webhooks", #"{"url":"http://127.0.0.1:9/","events":["*"]}"#)
        #expect(webhook.status == 201, "\(webhook.text)")
        let onboarding = try lab.call("POST", "/v1/onboarding-links", #"{"name":"own"}"#)
        let inbox = try lab.call(
            "POST", "/v1/shared-inbox-links",
            #"{"phoneNumberId":"main","name":"own","permissions":{"readInbox":true}}"#)
        #expect(onboarding.status == 201 && inbox.status == 201, "\(onboarding.text) \(inbox.text)")
        let names = [
            "onboarding-links": onboarding.json?["data"]?["id"]?.string ?? "",
            "shared-inbox-links": inbox.json?["data"]?["id"]?.string ?? "",
            "campaigns": campaign.json?["data"]?["id"]?.string ?? "", "opt-outs": "14155550177",
            "marketing-caps": "line:main", "media": file.json?["data"]?["id"]?.string ?? "", "messages": message,
            "conversations": own["id"]?.string ?? "", "contacts": own["contactId"]?.string ?? "",
            "lines": "main", "numbers": "main", "pools": "main", "cursors": "c", "keys": ownKey.id,
            "pauses": String(pause.json?["data"]?["id"]?.integer ?? 0),
            "subscriptions": String(subscription.json?["data"]?["id"]?.integer ?? 0),
            "phone_numbers": "106", "templates": "1001",
            "phones": phone.json?["data"]?.elements.first { _ in true }?["id"]?.string ?? "",
            "outgoing-webhooks": webhook.json?["data"]?["id"]?.string ?? "",
        ]
        let bodies = [
            "resolve": #"{"as":"failed"}"#, "replay": #"{"from":1}"#, "pool": #"{"tier":"TIER_250"}"#,
            "move": #"{"line":"main"}"#, "recipients": #"{"recipients":[{"to":"14155550100"}]}"#,
            "{scope}": #"{"messages":5,"days":7}"#, "register": #"{"pin":"123456"}"#,
            "templates":
                #"{"name":"a","language":"en","category":"UTILITY","components":[{"type":"BODY","text":"Hi"}]}"#,
            "subscription": #"{"url":"http://127.0.0.1:9/"}"#,
            "configuration": #"{"callbackUrl":"http://127.0.0.1:9/"}"#,
            "link-bot": #"{"bot_id":null}"#, "autoreply": #"{"enabled":true}"#,
        ]
        // What there is one of, or what makes one's own.
        let others = ["retention", "accounts"]
        var tried = 0
        for place in Route.places where place.template.contains("{") {
            let parts = place.template.split(separator: "/").map(String.init)
            let kind = parts[0] == "v1" ? parts[1] : parts[0] == "api" ? parts[3] : parts[0]
            if others.contains(kind) { continue }
            let name = try #require(names[kind], "\(place.template) is tried with nothing")
            let path = "/" + parts.map { $0.hasPrefix("{") ? name : $0 }.joined(separator: "/")
            for (method, route) in place.methods {
                var body = method == "GET" || method == "DELETE" ? "" : bodies[parts.last ?? ""] ?? "{}"
                switch route("x") {
                // A line or cursor of that name would be one's own.
                case .putLine, .putCursor, .putOptOut: continue
                case .putPool: body = bodies["pool"] ?? ""
                case .putSubscription: body = bodies["subscription"] ?? ""
                case .markRead: body = ""
                default: break
                }
                let answer = try lab.call(method, path, body, headers: [bearer])
                #expect(answer.status == 404, "\(method) \(path): \(answer.status) \(answer.text)")
                tried += 1
            }
        }
        #expect(tried > 25)
        for path in [
            "messages", "conversations", "contacts", "lines", "pools", "pauses", "cursors", "subscriptions", "media",
            "campaigns", "opt-outs", "marketing-caps", "onboarding-links", "shared-inbox-links",
        ] {
            #expect(
                try lab.call("GET", "/v1/\(path)", headers: [bearer]).json?["data"]?.list.isEmpty == true, "\(path)")
        }
        let events = try lab.call("GET", "/v1/events", headers: [bearer]).text
        #expect(!events.contains(message) && !events.contains("main") && events.contains("key.added"))
        #expect(try lab.call("GET", "/v1/events?line=main", headers: [bearer]).status == 400)
        #expect(try lab.call("GET", "/v1/events?message=\(message)", headers: [bearer]).status == 404)
        #expect(try lab.call("GET", "/v1/events?cursor=c", headers: [bearer]).status == 400)
        #expect(try lab.call("POST", "/v1/pauses", #"{"line":"main"}"#, headers: [bearer]).status == 400)
        let draft = #"{"to":"14155550100","line":"main","message":"x"}"#
        #expect(try lab.call("POST", "/v1/messages", draft, headers: [bearer]).status >= 400)
        let status = try lab.call("GET", "/v1/status", headers: [bearer])
        #expect(status.json?["data"]?["lines"]?.list.isEmpty == true && !status.text.contains("refusedWebhooks"))
        for (method, path, body) in [
            ("GET", "/metrics", ""), ("POST", "/v1/reload", ""), ("POST", "/v1/accounts", #"{"name":"x"}"#),
            ("PUT", "/v1/retention/read", #"{"maxCount":1}"#), ("PUT", "/v1/accounts/shop", #"{"plan":"pro"}"#),
        ] {
            let answer = try lab.call(method, path, body, headers: [bearer])
            #expect(answer.status == 403 && answer.text.contains("in the account default"), "\(path): \(answer.text)")
        }
        // Lines of two accounts may have one name; a number is one account's.
        let line = #"{"phoneNumberId":"106","token":"t"}"#
        #expect(try lab.call("PUT", "/v1/lines/main", line, headers: [bearer]).status == 400)
        let stolen = #"{"phoneNumberId":"107","tokenSecret":"line.main.token"}"#
        #expect(try lab.call("PUT", "/v1/lines/second", stolen, headers: [bearer]).status == 400)
        let second = #"{"phoneNumberId":"107","token":"t2",\#(Lab.freely)}"#
        #expect(try lab.call("PUT", "/v1/lines/main", second, headers: [bearer]).status == 201)
        let tokens = try FileManager.default.contentsOfDirectory(atPath: "\(lab.state)/secrets")
        #expect(tokens.contains("line.main.token") && tokens.contains("account.shop.line.main.token"))
        let sent = try lab.call("POST", "/v1/messages", draft, headers: [bearer])
        let id = try #require(sent.json?["data"]?["id"]?.string)
        #expect(
            try eventually { try lab.call("GET", "/v1/messages/\(id)", headers: [bearer]).text.contains("\"read\"") })
        #expect(try lab.call("GET", "/v1/messages/\(id)").status == 404)
        #expect(try lab.call("GET", "/v1/messages/\(id)", headers: ["Outboxd-Account: shop"]).status == 200)
        #expect(try lab.call("DELETE", "/v1/lines/main", headers: [bearer]).status == 204)
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(lab.state)/secrets")
        #expect(left.contains("line.main.token") && !left.contains("account.shop.line.main.token"))
    }

    @Test func whoFollowsIsLetGoOfWithItsKey() throws {
        let lab = try Lab()
        for end in ["DELETE", "POST"] {
            let key = try addKey(lab, "follower-\(end)", "read")
            let log = lab.folder.file("follower-\(end)")
            let follower = try Program(
                "/usr/bin/curl",
                [
                    "-sN", "--unix-socket", lab.socket, "-H", "Authorization: Bearer \(key.text)",
                    "http://outboxd/v1/events?follow=true&after=0",
                ], output: log)
            #expect(eventually { follower.words.contains("key.added") })
            #expect(follower.isRunning)
            if end == "DELETE" {
                #expect(try lab.call("DELETE", "/v1/keys/\(key.id)").status == 204)
            } else {
                #expect(try lab.call("POST", "/v1/keys/\(key.id)/rotate", #"{"overlapSeconds":0}"#).status == 200)
            }
            #expect(follower.exitStatus() == 18, "the answer is broken off, and does not look like an end")
        }
    }

    @Test func keysOpenTheTCPSocketAndNothingElseDoes() throws {
        let port = try freePort()
        let lab = try Lab()
        let key = try addKey(lab, "till", "send")
        #expect(lab.stopDaemon() == 0)
        let program = try Program(
            "outboxd", lab.arguments + ["--listen", "127.0.0.1:\(port)"], output: lab.folder.file("tcp.log"))
        defer { program.kill(SIGTERM) }
        func tcp(_ method: String, _ path: String, _ body: String = "", _ headers: [String] = []) -> (
            status: Int, text: String
        ) {
            let request = OutgoingRequest(
                method: method, url: "http://127.0.0.1:\(port)\(path)", headers: headers, body: Array(body.utf8),
                timeout: .seconds(30), answerBytesMax: 1 << 20)
            guard case .answered(let status, _, let bytes) = callAndWait(request) else { return (0, "") }
            return (status, String(decoding: bytes, as: UTF8.self))
        }
        #expect(eventually { tcp("GET", "/healthz").status == 200 }, "\(program.words)")
        let bearer = "Authorization: Bearer \(key.text)"
        let message = #"{"to":"14155550100","message":"x"}"#
        #expect(tcp("POST", "/v1/messages", message).status == 401)
        #expect(tcp("POST", "/v1/messages", message, [bearer + "0"]).status == 401)
        #expect(tcp("POST", "/v1/messages", message, [bearer]).status == 202)
        let refused = tcp("POST", "/v1/reload", "", [bearer])
        #expect(refused.status == 403 && refused.text.contains("needs the role admin"))
        // On the Unix socket a key counts before the kernel's word.
        #expect(try lab.call("POST", "/v1/reload", headers: [bearer]).status == 403)
        let listed = try lab.call("GET", "/v1/keys")
        #expect(!listed.text.contains(key.text) && listed.text.contains("till"))
        #expect(try eventually { try !lab.call("GET", "/v1/keys").text.contains(#""lastUsedAt":null"#) })
        // Rotation: both count for a while.
        let rotated = try lab.call("POST", "/v1/keys/\(key.id)/rotate", #"{"overlapSeconds":600}"#)
        let second = try #require(rotated.json?["data"]?["key"]?.string)
        #expect(tcp("GET", "/v1/status", "", [bearer]).status == 200)
        #expect(tcp("GET", "/v1/status", "", ["Authorization: Bearer \(second)"]).status == 200)
        _ = try lab.call("POST", "/v1/keys/\(key.id)/rotate", #"{"overlapSeconds":0}"#)
        #expect(tcp("GET", "/v1/status", "", [bearer]).status == 401)
        #expect(tcp("GET", "/v1/status", "", ["Authorization: Bearer \(second)"]).status == 401)
        #expect(try lab.call("DELETE", "/v1/keys/\(key.id)").status == 409)
        let other = try addKey(lab, "other", "read")
        #expect(try lab.call("DELETE", "/v1/keys/\(key.id)").status == 204)
        #expect(tcp("GET", "/v1/status", "", ["Authorization: Bearer \(other.text)"]).status == 200)
        // Only hashes are kept, and nothing is said of the keys themselves.
        for file in [try Data(contentsOf: URL(fileURLWithPath: "\(lab.state)/outboxd.db")), Data(program.words.utf8)] {
            for text in [key.text, second, other.text] { #expect(file.range(of: Data(text.utf8)) == nil) }
        }
    }

    @Test func withoutAKeyTheTCPSocketIsNotOpened() throws {
        let lab = try Lab(line: nil)
        #expect(lab.stopDaemon() == 0)
        let program = try Program(
            "outboxd", lab.arguments + ["--listen", "127.0.0.1:\(try freePort())"], output: lab.folder.file("tcp.log"))
        #expect(program.exitStatus() == 78)
        #expect(program.words.contains("outboxctl key add"), "\(program.words)")
    }

    @Test(.enabled(if: getuid() == 0, "needs root to become somebody else"))
    func rolesAndAccountsFollowUsersAndGroups() throws {
        let lab = try Lab(
            daemon: [
                "--readers", "65534", "--senders", "@2", "--admins", "@3:shop", "--send-group", "daemon",
                "--rate-limit", "3",
            ])
        chmod(lab.folder.path, 0o755)
        func curl(_ identity: [String], _ arguments: String...) throws -> String {
            let program = try Program(
                "/usr/bin/setpriv", identity + ["curl", "-sS", "-i", "--unix-socket", lab.socket] + arguments,
                output: lab.folder.file("curl-\(UInt32.random(in: 0 ... .max)).log"))
            #expect(program.exitStatus() == 0)
            return program.words
        }
        let reader = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        let sender = ["--reuid=65533", "--regid=65534", "--groups=2"]
        let shop = ["--reuid=65532", "--regid=65534", "--groups=3"]
        #expect(try curl(reader, "http://x/v1/lines").hasPrefix("HTTP/1.1 200"))
        let refused = try curl(reader, "-d", "{}", "http://x/v1/messages")
        #expect(refused.hasPrefix("HTTP/1.1 403") && refused.contains("needs the role send; you have read"))
        #expect(
            try curl(sender, "-d", #"{"to":"14155550100","message":"x"}"#, "http://x/v1/messages").contains(" 202 "))
        #expect(try curl(shop, "http://x/v1/lines").contains("outboxctl account add shop"))
        #expect(try lab.ctl("account", "add", "shop").status == 0)
        let lines = try curl(shop, "http://x/v1/lines")
        #expect(lines.hasPrefix("HTTP/1.1 200") && !lines.contains("main"))
        #expect(try curl(shop, "-H", "Outboxd-Account: default", "http://x/v1/lines").hasPrefix("HTTP/1.1 403"))
        let counted = try curl(sender, "http://x/v1/status").lowercased()
        #expect(counted.hasPrefix("http/1.1 200") && counted.contains("x-ratelimit-limit: 3"))
        #expect(counted.contains("x-ratelimit-remaining: ") && counted.contains("x-ratelimit-reset: "))
        var last = ""
        let isRefused = try eventually {
            last = try curl(sender, "http://x/v1/status").lowercased()
            return last.hasPrefix("http/1.1 429")
        }
        #expect(isRefused && last.contains("retry-after: ") && last.contains("rate_limited"), "\(last)")
        #expect(last.contains("x-ratelimit-remaining: 0"))
        #expect(try curl(sender, "http://x/healthz").hasPrefix("HTTP/1.1 200"))
        #expect(try !lab.call("GET", "/v1/status").text.isEmpty)
    }

    @Test func whatOperatorsDoIsInTheLogWithItsReason() throws {
        let lab = try Lab()
        let paused = try lab.ctl("pause", "--line", "main", "--reason", "wrong price, 100 %")
        #expect(paused.status == 0, "\(paused.text)")
        #expect(try lab.ctl("retention", "set", "read", "--max-count", "9", "--reason", "über alles").status == 0)
        #expect(try lab.ctl("reload").status == 0)
        let events = try lab.call("GET", "/v1/events?event=operator.change").text
        #expect(events.contains(#""action":"line.added","line":"main""#))
        #expect(events.contains("wrong price, 100 %") && events.contains("über alles"))
        #expect(eventually { (try? lab.call("GET", "/v1/events").text.contains("settings.reloaded")) ?? false })
        #expect(try lab.call("POST", "/v1/reload", headers: ["Outboxd-Reason: %zz"]).status == 400)
        // A subscription to everything is told of messages, not of operators.
        let subscription = try lab.call("POST", "/v1/subscriptions", #"{"url":"http://127.0.0.1:9/"}"#)
        #expect(subscription.status == 201)
        let id = try #require(subscription.json?["data"]?["id"]?.integer)
        let deliveries = try lab.call("GET", "/v1/subscriptions/\(id)/deliveries")
        #expect(deliveries.json?["data"]?.list.isEmpty == true)
    }

    @Test func aFullQueueRefusesAndTakesAgain() throws {
        let lab = try Lab(daemon: ["--queue-max", "2"])
        let later = #","sendAt":"2099-01-01T00:00:00Z""#
        let first = try lab.submit(later)
        _ = try lab.submit(later)
        let full = try lab.call("POST", "/v1/messages", #"{"to":"14155550100","line":"main","message":"x"}"#)
        #expect(full.status == 429 && full.json?["error"]?["code"]?.string == "QUEUE_FULL")
        let bulk = try lab.call("POST", "/v1/messages/bulk", #"{"messages":[{"to":"14155550100","message":"x"}]}"#)
        #expect(bulk.status == 429 && bulk.text.contains("QUEUE_FULL"))
        #expect(try lab.call("POST", "/v1/messages/\(first)/cancel").status < 300)
        try lab.wait(try lab.submit(), for: "read")
    }
}

/// A port nobody has at the moment.
func freePort() throws -> UInt16 {
    let listener = try Listener.loopback(port: 0, tag: 0)
    defer { close(listener.descriptor) }
    return try #require(listener.port)
}
