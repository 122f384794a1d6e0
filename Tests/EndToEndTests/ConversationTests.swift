import Foundation
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// People write to us: what is kept, shown, marked as read, and caught up.
@Suite(.serialized) struct ConversationTests {
    private let kinds = [
        "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "button", "interactive",
        "reaction", "order", "system", "unsupported", "edit", "revoke", "hologram",
    ]

    private func inbound(_ lab: Lab, _ fields: String) throws -> String {
        let answer = try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106",\#(fields)}"#)
        return try #require(answer?["id"]?.string, "\(fields)")
    }

    private func data(_ lab: Lab, _ path: String) throws -> [JSONValue] {
        try lab.call("GET", path).json?["data"]?.list ?? []
    }

    @Test func everyKindArrivesAndBothSidesAreShown() throws {
        let lab = try Lab()
        for kind in kinds { _ = try inbound(lab, #""from":"14155550100","name":"Ann","type":"\#(kind)""#) }
        #expect(try eventually { try data(lab, "/v1/conversations").first?["messagesReceived"]?.integer == 17 })
        let id = try lab.submit()
        try lab.wait(id, for: "read")

        let conversation = try #require(try data(lab, "/v1/conversations?line=main").first)
        #expect(conversation["windowOpen"]?.bool == true && conversation["contactReplyTo"]?.string == "14155550100")
        let own = try #require(conversation["id"]?.string)
        #expect(try lab.call("GET", "/v1/conversations/\(own)").json?[path: "data", "id"]?.string == own)

        // Page by page: the one sent, and every one received.
        var messages: [JSONValue] = []
        var cursor = ""
        for _ in 0..<10 {
            let page = try lab.call("GET", "/v1/conversations/\(own)/messages?limit=5\(cursor)")
            #expect(page.status == 200, "\(page.text)")
            messages += page.json?["data"]?.list ?? []
            guard let next = page.json?[path: "meta", "pagination", "cursor"]?.string else { break }
            cursor = "&cursor=\(next)"
        }
        #expect(messages.count == 18 && messages.first?["id"]?.string == id)
        #expect(messages.first?["direction"]?.string == "outbound")
        #expect(Set(messages.dropFirst().compactMap { $0["type"]?.string }) == Set(kinds))
        #expect(messages.dropFirst().allSatisfy { $0["direction"]?.string == "inbound" })
        for message in messages.dropFirst() {
            let shown = try lab.message(try #require(message["id"]?.string))
            let type = try #require(shown["type"]?.string)
            #expect(shown[path: "payload", "type"]?.string == type && shown["content"]?.isNull == false)
            #expect(shown[path: "payloadContact", "wa_id"]?.string == "14155550100")
        }

        let told = try lab.call("GET", "/v1/events?event=message.received").text.split(separator: "\n")
            .map { try JSONParser().parse($0.utf8) }
        // Several webhooks are under way at a time: in the order in which they came.
        #expect(Set(told.compactMap { $0[path: "data", "type"]?.string }) == Set(kinds))
        #expect(told.allSatisfy { $0[path: "data", "conversationId"]?.string == own })
        #expect(
            told.compactMap { $0[path: "data", "messageId"]?.string }.reversed()
                == messages.dropFirst().compactMap { $0["id"]?.string })

        let contact = try #require(try data(lab, "/v1/contacts?phone=%2B14155550100").first)
        let contactID = try #require(contact["id"]?.string)
        #expect(contact["contactIdentifier"]?.string == contactID && contact["contactName"]?.string == "Ann")
        #expect(try data(lab, "/v1/contacts").count == 1)
        #expect(try data(lab, "/v1/conversations?contact=\(contactID)").count == 1)
        #expect(try data(lab, "/v1/messages?to=14155550100").count == 1)

        let list = try lab.ctl("conversation", "ls")
        #expect(list.status == 0 && list.text.contains(own) && list.text.contains("14155550100"), "\(list.text)")
        let show = try lab.ctl("conversation", "show", own, "-n", "200")
        #expect(show.status == 0 && show.text.split(separator: "\n").count == 18, "\(show.text)")
        #expect(try lab.ctl("contact", "show", contactID).text.contains("14155550100"))
        #expect(try lab.ctl("contact", "ls").text.contains("Ann"))
        #expect(try lab.ctl("show", try #require(messages.last?["id"]?.string)).status == 0)
        #expect(try lab.ctl("status").text.contains("17 messages"))
    }

    @Test func aPersonWithoutANumberIsAContact() throws {
        let lab = try Lab()
        _ = try inbound(lab, #""userId":"US.1349","username":"ann""#)
        #expect(try eventually { try data(lab, "/v1/contacts").count == 1 })
        let before = try #require(try data(lab, "/v1/contacts?userId=US.1349").first)
        #expect(before["contactPhone"]?.isNull == true && before["contactReplyTo"]?.string == "US.1349")
        #expect(try data(lab, "/v1/contacts?username=ann").count == 1)
        // The number is known now: the same person, who can be answered.
        _ = try inbound(lab, #""userId":"US.1349","from":"14155550100""#)
        #expect(try eventually { try data(lab, "/v1/contacts").first?["contactPhone"]?.string == "14155550100" })
        let after = try #require(try data(lab, "/v1/contacts").first)
        #expect(after["contactIdentifier"]?.string == before["contactIdentifier"]?.string)
        #expect(after["contactReplyTo"]?.string == "14155550100")
        #expect(try data(lab, "/v1/conversations").count == 1)
        #expect(try lab.call("GET", "/v1/contacts?phone=x").status == 400)
        #expect(try lab.call("GET", "/v1/contacts?colour=x").status == 400)
        #expect(try lab.call("GET", "/v1/contacts/\(UUID().uuidString)").status == 404)
    }

    // MARK: Read

    @Test func readIsToldToMetaWithTyping() throws {
        let lab = try Lab()
        let wamid = try inbound(lab, #""from":"14155550100""#)
        #expect(try eventually { try data(lab, "/v1/conversations").count == 1 })
        let conversation = try #require(try data(lab, "/v1/conversations").first?["id"]?.string)
        let id = try #require(try data(lab, "/v1/conversations/\(conversation)/messages").first?["id"]?.string)

        let answer = try lab.call("POST", "/v1/messages/\(id)/read", #"{"typing":true}"#)
        #expect(answer.status == 200 && answer.json?[path: "data", "typing"]?.bool == true, "\(answer.text)")
        let entry = try #require(try lab.sandbox("GET", "ledger")?["data"]?.list.first)
        #expect(entry["type"]?.string == "typing" && entry["to"]?.string == wamid)
        #expect(entry[path: "body", "typing_indicator", "type"]?.string == "text")
        #expect(try lab.message(id)["markedRead"]?.bool == true)
        let shown = try lab.call("GET", "/v1/conversations/\(conversation)").json?["data"]
        #expect(shown?["readUpTo"]?.string == id)
        #expect(try lab.ctl("read", id).status == 0)
        let summary = try lab.sandbox("GET", "summary")?["data"]
        #expect(summary?["markedRead"]?.integer == 2 && summary?["typing"]?.integer == 1)

        #expect(try lab.call("POST", "/v1/messages/\(id)/read", #"{"colour":1}"#).status == 400)
        let sent = try lab.submit()
        #expect(try lab.call("POST", "/v1/messages/\(sent)/read").status == 409)
        #expect(try lab.call("POST", "/v1/messages/\(UUID().uuidString)/read").status == 404)
    }

    @Test func whatMetaSaysToAMarkIsAnswered() throws {
        let lab = try Lab()
        // The sandbox knows nothing of this one.
        let body =
            #"{"entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"messages":[{"from":"14155550100","id":"wamid.1","timestamp":"1800000000","type":"text","text":{"body":"Hi"}}]}}]}]}"#
        #expect(try post(lab, body) == 200)
        #expect(try eventually { try data(lab, "/v1/conversations").count == 1 })
        let conversation = try #require(try data(lab, "/v1/conversations").first?["id"]?.string)
        let id = try #require(try data(lab, "/v1/conversations/\(conversation)/messages").first?["id"]?.string)
        let refused = try lab.call("POST", "/v1/messages/\(id)/read")
        #expect(refused.status == 400 && refused.json?[path: "error", "code"]?.string == "META_REFUSED")
        let details = refused.json?[path: "error", "details"]?.list ?? []
        #expect(details.first?["message"]?.string == "131009" && details.count == 2, "\(refused.text)")
        lab.sandboxProgram?.kill(SIGKILL)
        let lost = try lab.call("POST", "/v1/messages/\(id)/read")
        #expect(lost.status == 502 && lost.json?[path: "error", "code"]?.string == "META_UNREACHABLE", "\(lost.text)")
        #expect(try lab.message(id)["markedRead"]?.bool == false)
    }

    @Test func marksAreBoundedInNumber() throws {
        let lab = try Lab(sandbox: ["--latency", "600"])
        _ = try inbound(lab, #""from":"14155550100""#)
        #expect(try eventually { try data(lab, "/v1/conversations").count == 1 })
        let conversation = try #require(try data(lab, "/v1/conversations").first?["id"]?.string)
        let id = try #require(try data(lab, "/v1/conversations/\(conversation)/messages").first?["id"]?.string)
        let callers = (0..<80).map { _ in RawClient(lab.socket) }
        for caller in callers {
            caller.say("POST /v1/messages/\(id)/read HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        }
        // One goes away; nobody else is troubled by that.
        let statuses = callers.dropLast().compactMap { $0.hear()?.status }
        #expect(statuses.count == 79 && Set(statuses) == [200, 503], "\(statuses)")
        #expect(statuses.count { $0 == 503 } <= 16 && statuses.count { $0 == 200 } >= 63)
        #expect(try lab.message(id)["markedRead"]?.bool == true)
        // With its calls under way it ends in order.
        callers[0].say("POST /v1/messages/\(id)/read HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        #expect(
            try eventually { try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer ?? 0 >= 65 })
        #expect(lab.stopDaemon() == 0)
        #expect(callers[0].hear()?.status == 200)
    }

    // MARK: Intake

    private func post(_ lab: Lab, _ body: String, app: String = "default", secret: String? = nil) throws -> Int {
        let signature = webhookSignature(secret: secret ?? lab.secret, body: Array(body.utf8))
        return try lab.tryCall(
            "POST", "/webhooks/\(app)", body, headers: ["X-Hub-Signature-256: \(signature)"], socket: lab.webhookSocket
        ).status
    }

    @Test func aThousandUpdatesInThreeMegabytesAreAppliedOnce() throws {
        let lab = try Lab()
        let filler = String(repeating: "x", count: 2_850)
        let changes = (0..<1000).map { number in
            let message =
                #"{"from":"1415555\#(1000 + number / 4)","id":"wamid.\#(number)","timestamp":"\#(Int(Date().timeIntervalSince1970))","type":"text","text":{"body":"\#(number) \#(filler)"}}"#
            return
                #"{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"messages":[\#(message)]}}"#
        }
        let entries = stride(from: 0, to: 1000, by: 100).map {
            #"{"id":"1","changes":[\#(changes[$0..<$0 + 100].joined(separator: ","))]}"#
        }
        let body = #"{"object":"whatsapp_business_account","entry":[\#(entries.joined(separator: ","))]}"#
        #expect(body.utf8.count > 3_000_000 && body.utf8.count < 3 << 20)
        #expect(try post(lab, body) == 200)
        #expect(try post(lab, body) == 200)
        func webhooks(_ name: String) throws -> Int64? {
            try lab.call("GET", "/v1/status").json?[path: "data", "webhooks", name]?.integer
        }
        #expect(try eventually { try webhooks("repeatedMessages") == 1000 })
        #expect(try webhooks("messages") == 1000 && webhooks("received") == 2 && webhooks("unread") == 0)
        #expect(try data(lab, "/v1/contacts?limit=200").count == 200)
        let first = try #require(try data(lab, "/v1/contacts?phone=14155551000").first?["id"]?.string)
        #expect(try data(lab, "/v1/conversations?contact=\(first)").first?["messagesReceived"]?.integer == 4)
    }

    @Test func eachAppHasItsPathAndItsSecret() throws {
        let lab = try Lab()
        let secrets = lab.folder.file("state/secrets")
        try Data("shop-secret".utf8).write(to: URL(fileURLWithPath: "\(secrets)/app.shop.secret"))
        try Data("shop-token".utf8).write(to: URL(fileURLWithPath: "\(secrets)/app.shop.verify-token"))
        #expect(try lab.call("POST", "/v1/reload").status == 200)
        let body =
            #"{"entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"messages":[{"from":"14155550100","id":"wamid.1","timestamp":"1800000000","type":"text","text":{"body":"Hi"}}],"wonder":1}},{"field":"tomorrow","value":{}}]}]}"#
        #expect(try post(lab, body, app: "shop", secret: "shop-secret") == 200)
        #expect(try post(lab, body, app: "default") == 200)
        #expect(try post(lab, body, app: "shop") == 401)
        #expect(try post(lab, body, app: "default", secret: "shop-secret") == 401)
        #expect(try post(lab, body, app: "other") == 404)
        let verify = "hub.mode=subscribe&hub.challenge=42&hub.verify_token"
        func check(_ app: String, _ token: String) throws -> Int {
            try lab.tryCall("GET", "/webhooks/\(app)?\(verify)=\(token)", socket: lab.webhookSocket).status
        }
        #expect(try check("shop", "shop-token") == 200 && check("shop", "verify") == 403)
        #expect(try check("default", "verify") == 200)
        // Both tell the same: one message.
        func webhooks() throws -> JSONValue? { try lab.call("GET", "/v1/status").json?[path: "data", "webhooks"] }
        #expect(try eventually { try webhooks()?["repeatedMessages"]?.integer == 1 })
        #expect(try webhooks()?["messages"]?.integer == 1)
        #expect(try webhooks()?[path: "others", "tomorrow"]?.integer == 2)
        #expect(eventually { lab.daemon?.words.contains("without a right signature") ?? false })
    }

    // MARK: Catching up

    private func sentAndLost(_ lab: Lab, _ count: Int) throws -> [String] {
        #expect(try lab.sandbox("PUT", "webhooks", #"{"lost":true}"#)?["lost"]?.bool == true)
        let ids = try (0..<count).map { try lab.submit(to: "1415555010\($0)") }
        for id in ids { try lab.wait(id, for: "sent") }
        // Meta has told of sent, delivered and read; nobody heard.
        #expect(
            try eventually {
                let dropped = try lab.sandbox("GET", "summary")?[path: "data", "webhooksDropped"]?.integer ?? 0
                let waiting = try lab.sandbox("GET", "summary")?[path: "data", "webhooksWaiting"]?.integer
                return dropped > 0 && waiting == 0
            })
        for id in ids { #expect(try lab.message(id)["status"]?.string == "sent") }
        return ids
    }

    @Test func lostStatusesAreCaughtUpOnDemand() throws {
        let lab = try Lab()
        let ids = try sentAndLost(lab, 3)
        let asked = try lab.ctl("line", "catch-up", "main", "--since", "2h")
        #expect(asked.status == 0 && asked.text.contains("3 messages"), "\(asked.text)")
        for id in ids {
            let message = try lab.wait(id, for: "read")
            #expect(message["readAt"]?.isNull == false)
        }
        func progress() throws -> JSONValue? {
            try lab.call("GET", "/v1/lines/main/health").json?[path: "data", "catchUp"]
        }
        #expect(try eventually { try progress()?["finishedAt"]?.string != nil })
        let done = try progress()
        #expect(done?["total"]?.integer == 3 && done?["asked"]?.integer == 3 && done?["changed"]?.integer == 3)
        #expect(done?["problem"]?.isNull == true)
        // Three pages of history at most, two events each; nothing is left to ask about.
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "historyAsked"]?.integer == 6)
        let again = try lab.call("POST", "/v1/lines/main/catch-up")
        #expect(again.status == 202 && again.json?[path: "data", "asking"]?.integer == 0)
        #expect(try lab.call("POST", "/v1/lines/other/catch-up").status == 404)
        #expect(try lab.call("POST", "/v1/lines/main/catch-up", #"{"since":"2001-01-01T00:00:00Z"}"#).status == 400)
    }

    @Test func aLongAbsenceIsCaughtUpAtTheStart() throws {
        let lab = try Lab()
        let ids = try sentAndLost(lab, 2)
        // A short one is not.
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon()
        #expect(try lab.call("GET", "/v1/lines/main/health").json?[path: "data", "catchUp"] == nil)
        #expect(lab.stopDaemon() == 0)
        let program = try Program(
            "/usr/bin/sqlite3",
            [
                lab.folder.file("state/outboxd.db"),
                """
                UPDATE event SET at = at - 7200000; UPDATE limit_clock SET seen_wall = seen_wall - 7200000;
                UPDATE line_health SET read_at = read_at - 7200000;
                """,
            ], output: lab.folder.file("sqlite.log"))
        #expect(program.exitStatus() == 0, "\(program.words)")
        try lab.startDaemon()
        for id in ids { try lab.wait(id, for: "read") }
        #expect(eventually { lab.daemon?.words.contains("nobody listened to Meta since") ?? false })
    }

    @Test func aLineWithoutHistoryIsGivenUp() throws {
        let lab = try Lab()
        let ids = try sentAndLost(lab, 2)
        _ = try lab.sandbox("PUT", "numbers/106", #"{"message_history":false}"#)
        let answer = try lab.call("POST", "/v1/lines/main/catch-up", "{}")
        #expect(answer.json?[path: "data", "asking"]?.integer == 2, "\(answer.text)")
        func progress() throws -> JSONValue? {
            try lab.call("GET", "/v1/lines/main/health").json?[path: "data", "catchUp"]
        }
        #expect(try eventually { try progress()?["problem"]?.string?.hasPrefix("10: ") ?? false })
        #expect(try progress()?["asked"]?.integer == 0)
        #expect(try lab.message(ids[0])["status"]?.string == "sent")
        #expect(eventually { lab.daemon?.words.contains("catching up is given up") ?? false })
    }
}
