import Foundation
import OutboxJSON
import TestKit
import Testing

/// A client of WhatsAPI, pointed at outboxd.
@Suite(.serialized) struct WhatsAPITests {
    private func keys(_ value: JSONValue?) -> Set<String> { Set(value?.members.map(\.name) ?? []) }

    @Test func anAccountFromRegistrationToItsFirstMessages() throws {
        let lab = try Lab(line: nil)
        let registered = try lab.call(
            "POST", "/auth/register", #"{"name":"Your Name","email":"you@example.com"}"#)
        #expect(registered.status == 200 || registered.status == 201, "\(registered.text)")
        #expect(registered.json?["success"]?.bool == true && registered.json?[path: "data", "plan"]?.string == "free")
        let key = try #require(registered.json?[path: "data", "apiKey"]?.string)
        #expect(key.wholeMatch(of: /sk_live_[0-9a-f]{48}/) != nil)
        // Names need not be unique.
        #expect(
            try lab.call("POST", "/auth/register", #"{"name":"Your Name","email":"you@example.com"}"#)
                .json?["success"]?.bool == true)
        let bearer = ["Authorization: Bearer \(key)"]
        // The plan free has 20 calls a minute.
        #expect(
            try lab.call(
                "PUT", "/v1/accounts/your-name", #"{"plan":"pro","label":"Your Name","email":"you@example.com"}"#
            ).status == 200)
        func call(_ method: String, _ path: String, _ body: String = "", _ more: [String] = [])
            throws -> (status: Int, json: JSONValue?, text: String)
        {
            try lab.call(method, path, body, headers: bearer + more)
        }
        var me = try call("GET", "/auth/me").json?["data"]
        #expect(keys(me) == ["name", "email", "plan", "messagesSent", "byocConfigured", "webhookUrl"])
        #expect(me?["name"]?.string == "Your Name" && me?["byocConfigured"]?.bool == false)
        #expect(me?["email"]?.string == "you@example.com" && me?["messagesSent"]?.integer == 0)

        let early = try call("POST", "/send-message", #"{"to":"14155552671","message":"hi"}"#)
        #expect(early.status == 400 && early.json?["success"]?.bool == false, "\(early.text)")
        let credentials = #"{"whatsappAccessToken":"EAAc...","whatsappPhoneNumberId":"1234567890"}"#
        #expect(try call("PUT", "/auth/me/credentials", credentials).status == 200)
        #expect(try call("POST", "/auth/me/credentials/verify").json?["success"]?.bool == true)
        me = try call("GET", "/auth/me").json?["data"]
        #expect(me?["byocConfigured"]?.bool == true)

        let text =
            #"{"to":"14155552671","template":{"name":"hello_world","language":"en_US"},"metadata":{"orderId":"1"}}"#
        let sent = try call("POST", "/send-message", text, ["Idempotency-Key: order-1"])
        #expect(sent.status == 202 && sent.json?["success"]?.bool == true, "\(sent.text)")
        #expect(keys(sent.json?["data"]) == ["id", "status", "scheduledFor"])
        let id = try #require(sent.json?[path: "data", "id"]?.string)
        let again = try call("POST", "/send-message", text, ["Idempotency-Key: order-1"])
        #expect(again.json?[path: "data", "id"]?.string == id)
        // As another language's client writes it.
        let spaced = text.replacing(":", with: ": ").replacing(",", with: ", ")
        let third = try call("POST", "/send-message", spaced, ["Idempotency-Key: order-1"])
        #expect(third.json?[path: "data", "id"]?.string == id, "\(third.text)")
        #expect(
            try call("POST", "/send-message", #"{"to":"14155552671","message":"x"}"#, ["Idempotency-Key: order-1"])
                .status == 409)
        #expect(
            try eventually { try call("GET", "/messages/\(id)").json?[path: "data", "status"]?.string == "read" })
        let message = try #require(try call("GET", "/messages/\(id)").json?["data"])
        let named = [
            "id", "to", "body", "status", "sentAt", "deliveredAt", "readAt", "failedAt", "errorMessage", "metadata",
        ]
        #expect(Set(named).isSubset(of: keys(message)))
        #expect(
            message["timeline"]?.list.map { $0["status"]?.string } == [
                "queued", "processing", "sent", "delivered", "read",
            ])
        #expect(message["timeline"]?.list.allSatisfy { keys($0) == ["status", "at"] } == true)

        let bulk = try call(
            "POST", "/messages/bulk",
            #"{"messages":[{"to":"14155552671","message":"Hi Alice","dry_run":true},{"to":"1","message":"Hi"}]}"#)
        #expect(bulk.status == 202, "\(bulk.text)")
        #expect(
            bulk.json?[path: "data", "totalMessages"]?.integer == 2
                && bulk.json?[path: "data", "failedCount"]?.integer == 1)
        let batch = try #require(bulk.json?[path: "data", "batchId"]?.string)
        #expect(
            try eventually {
                try call("GET", "/messages?batchId=\(batch)&status=delivered").json?["data"]?.list.count == 1
            })
        let listed = try call("GET", "/messages?batchId=\(batch)").json?["data"]?.list ?? []
        #expect(listed.count == 1 && listed[0]["body"]?.string == "Hi Alice" && listed[0]["simulated"]?.bool == true)

        let summary = try #require(try call("GET", "/analytics/summary").json?["data"])
        #expect(keys(summary) == ["total", "byStatus", "deliveryRate", "failureRate"])
        // What was simulated is not counted.
        #expect(summary["total"]?.integer == 1 && summary[path: "byStatus", "read"]?.integer == 1)

        let rotated = try call("POST", "/auth/me/rotate-key")
        let next = try #require(rotated.json?[path: "data", "apiKey"]?.string)
        #expect(try call("GET", "/auth/me").status == 401)
        #expect(try lab.call("GET", "/auth/me", headers: ["Authorization: Bearer \(next)"]).status == 200)
    }

    @Test func otherCredentialsLeaveTheLineAsItIs() throws {
        let line = """
            {"phoneNumberId":"106","token":"t","wabaId":"102","pool":"shared","messagesPerSecond":7,
             "optOutKeywords":["stop"],"closedWindow":"refuse"}
            """
        let lab = try Lab(line: nil)
        let made = try lab.call("PUT", "/v1/lines/main", line)
        #expect(made.status == 201, "\(made.text)")
        let before = try lab.call("GET", "/v1/lines").json?["data"]?.list.first
        let credentials = #"{"whatsappAccessToken":"EAAc...","whatsappPhoneNumberId":"106"}"#
        #expect(try lab.call("PUT", "/auth/me/credentials", credentials).status == 200)
        let after = try #require(try lab.call("GET", "/v1/lines").json?["data"]?.list.first)
        for (name, value) in before?.members.map({ ($0.name, $0.value) }) ?? [] where name != "updatedAt" {
            #expect(after[name].map { Array($0.raw) } == Array(value.raw), "\(name)")
        }
        #expect(after["pool"]?.string == "shared")
        let wrong = try lab.call(
            "PUT", "/auth/me/credentials", #"{"whatsappAccessToken":"t","whatsappPhoneNumberId":"1/2"}"#)
        #expect(wrong.status == 400 && wrong.text.contains("whatsappPhoneNumberId"), "\(wrong.text)")
    }

    @Test func anotherFormatsWebhookIsNotItsOwn() throws {
        let lab = try Lab()
        let own = #"{"url":"http://127.0.0.1:9/","events":["message.status_updated"],"format":"organization"}"#
        #expect(try lab.call("POST", "/v1/subscriptions", own).status == 201)
        let url = #"{"url":"http://127.0.0.1:9/webhooks/whatsapi"}"#
        #expect(try lab.call("PUT", "/auth/me/webhook", url).status == 200)
        let all = try lab.call("GET", "/v1/subscriptions").json?["data"]?.list ?? []
        #expect(all.map { $0["format"]?.string } == ["organization", "outboxd"])
        let changed = try lab.call("PUT", "/v1/subscriptions/1", url)
        #expect(changed.status == 400 && changed.text.contains("\"format\""), "\(changed.text)")
    }

    @Test func aSimulatedMessageGoesThroughEveryStatusAndNotToMeta() throws {
        let lab = try Lab()
        let answer = try lab.call("POST", "/send-message", #"{"to":"14155552671","message":"hi","dry_run":true}"#)
        let id = try #require(answer.json?[path: "data", "id"]?.string, "\(answer.text)")
        try lab.wait(id, for: "delivered")
        #expect(try lab.sandbox("GET", "ledger")?["data"]?.list.isEmpty == true)
        let timeline = try lab.call("GET", "/messages/\(id)").json?[path: "data", "timeline"]?.list
        #expect(timeline?.map { $0["status"]?.string } == ["queued", "processing", "sent", "delivered"])
    }

    @Test func everyRefusalIsInItsWords() throws {
        let lab = try Lab()
        func refused(_ status: Int, _ method: String, _ path: String, _ body: String = "", _ headers: [String] = [])
            throws
        {
            let answer = try lab.call(method, path, body, headers: headers)
            #expect(answer.status == status, "\(method) \(path): \(answer.text)")
            #expect(
                answer.json?["success"]?.bool == false && answer.json?["error"]?.string?.isEmpty == false,
                "\(answer.text)")
            #expect((answer.json?["details"] != nil) == (status == 400), "\(answer.text)")
        }
        try refused(400, "POST", "/send-message", "{}")
        try refused(
            400, "POST", "/send-message", #"{"to":"14155552671","message":"x","sendAt":"2020-01-01T00:00:00Z"}"#)
        try refused(400, "POST", "/send-message", "[1]")
        try refused(401, "POST", "/send-message", "", ["Authorization: Bearer sk_live_x"])
        try refused(404, "GET", "/messages/9dd15ee1-3d3c-44e1-9dd2-8ec6547e7e20")
        let id = try lab.submit()
        try lab.wait(id, for: "read")
        try refused(409, "POST", "/messages/\(id)/retry")
        try refused(404, "GET", "/billing/portal")
        try refused(404, "POST", "/billing/checkout", #"{"plan":"pro"}"#)
        try refused(400, "POST", "/auth/register", #"{"name":"x"}"#)
        try refused(401, "POST", "/auth/me/rotate-key")
        try refused(400, "GET", "/messages?status=lost")
        try refused(400, "GET", "/auth/me?x=1")
        try lab.setFaults("error=131000")
        _ = try lab.call("PUT", "/v1/accounts/default", #"{"plan":"free"}"#)
        let many =
            #"{"messages":[\#((0..<101).map { _ in #"{"to":"14155552671","message":"x"}"# }.joined(separator: ","))]}"#
        try refused(400, "POST", "/messages/bulk", many)
        // 20 calls a minute, some of which are used.
        #expect(
            try eventually(within: 20) {
                let answer = try lab.call("GET", "/messages?limit=1")
                return answer.status == 429 && answer.json?["success"]?.bool == false
            })
    }
}
