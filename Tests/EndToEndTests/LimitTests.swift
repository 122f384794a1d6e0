import Foundation
import OutboxCore
import OutboxJSON
import TestKit
import Testing

/// Against a sandbox that keeps Meta's limits by a count of its own.
@Suite(.serialized) struct LimitTests {
    private let template = #""template":{"name":"hello_world","language":"en_US"}"#

    private func violations(_ lab: Lab) throws -> [String: Int64] {
        var found: [String: Int64] = [:]
        for (name, value) in try #require(try lab.sandbox("GET", "summary")?[path: "data", "violations"]).members {
            found[name] = value.integer ?? -1
        }
        return found
    }

    private static let none: [String: Int64] = ["tier": 0, "throughput": 0, "pair": 0, "window": 0, "duplicate": 0]

    private func accepted(_ lab: Lab) throws -> Int64 {
        try lab.sandbox("GET", "summary")?[path: "data", "accepted"]?.integer ?? -1
    }

    @Test func nothingIsEverTooMuchAlsoWhenKilled() throws {
        let lab = try Lab(
            sandbox: [
                "--tier", "50", "--messages-per-second", "100", "--pair-limit", "--window", "--fault",
                "error=131016@0.05", "--fault", "lose-answer@0.02",
            ], line: #"{"phoneNumberId":"106","token":"t","messagesPerSecond":80,"firstWaitSeconds":1}"#)
        #expect(try lab.call("PUT", "/v1/pools/main", #"{"tier":"TIER_50"}"#).status == 200)
        // Two hundred people, one of them with more than a burst; thirty have written.
        var lines: [String] = []
        for index in 0..<200 { lines.append(#"{"to":"1415555\#(1000 + index)",\#(template)}"#) }
        for _ in 0..<50 { lines.append(#"{"to":"14155551000",\#(template),"priority":"high"}"#) }
        let bulk = try lab.call(
            "POST", "/v1/messages/bulk", lines.joined(separator: "\n"), headers: ["Content-Type: application/x-ndjson"])
        #expect(bulk.json?[path: "data", "queued"]?.integer == 250, "\(bulk.text.prefix(300))")
        for index in 170..<200 {
            _ = try lab.sandbox(
                "POST", "inbound", #"{"phoneNumberId":"106","from":"1415555\#(1000 + index)","text":"hi"}"#)
        }
        for _ in 0..<4 {
            usleep(300_000)
            lab.killDaemon()
            try lab.startDaemon()
        }
        // 50 people in the tier, 30 in open windows; lost answers and kills may have counted somebody who got nothing.
        let settled = try eventually(within: 60) { () throws -> Bool in
            let pool = try lab.call("GET", "/v1/pools/main").json?["data"]
            let line = try lab.call("GET", "/v1/status").json?[path: "data", "messages"]
            let moving = (line?["retrying"]?.integer ?? 1)
            let arrived = try self.accepted(lab)
            // 50 people, 44 more to one of them, and 30 in open windows, but for the few nobody knows of.
            return pool?["used"]?.integer == 50 && moving == 0 && arrived >= 110
        }
        let waits = try lab.call("GET", "/v1/lines/main/why").text + lab.call("GET", "/v1/status").text
        let arrived = try accepted(lab)
        #expect(settled, "\(arrived) arrived; \(waits)")
        #expect(try violations(lab) == Self.none)
        let waiting = try #require(try lab.call("GET", "/v1/messages?to=14155551100").json?["data"]?.list.first)
        let id = try #require(waiting["id"]?.string)
        let why = try lab.call("GET", "/v1/messages/\(id)/why").json?["data"]
        #expect(waiting["status"]?.string == "queued" && waiting["gate"]?.string == "tier", "\(waiting)")
        #expect(why?["binding"]?.string == "tier" && why?["leavesAt"]?.string != nil)
        let text = try lab.ctl("why", id).text
        #expect(text.contains(" WAIT ") && text.contains("outboxctl pool show main"), "\(text)")
        // Whoever wants to know at once is told.
        let refused = try lab.call("POST", "/v1/messages", #"{"to":"14155559999","whenFull":"refuse",\#(template)}"#)
        #expect(refused.status == 429 && refused.json?[path: "error", "code"]?.string == "RATE_LIMITED")
        // The window of somebody who waits opens: that one leaves.
        _ = try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"14155551100","text":"hi"}"#)
        try lab.wait(id, for: "read")
        #expect(try violations(lab) == Self.none)
    }

    @Test func onePersonGetsABurstAndThenOneEverySixSeconds() throws {
        let lab = try Lab(
            sandbox: ["--pair-limit"],
            line: #"{"phoneNumberId":"106","token":"t","messagesPerSecond":1000}"#)
        for _ in 0..<60 { _ = try lab.call("POST", "/v1/messages", #"{"to":"14155551000",\#(template)}"#) }
        let all = try eventually { try self.accepted(lab) >= 46 }
        #expect(all)
        // The next one, and those behind it; every six seconds one of them is on its way for a moment.
        let waits = try eventually {
            let list = try lab.call("GET", "/v1/lines/main/why").json?[path: "data", "waiting"]?.list
            return list?.compactMap { $0["gate"]?.string }.sorted() == ["order", "pair"]
        }
        #expect(waits)
        let other = try lab.call("POST", "/v1/messages", #"{"to":"14155552000",\#(template)}"#).json
        try lab.wait(try #require(other?[path: "data", "id"]?.string), for: "read")
        #expect(try violations(lab) == Self.none)
    }

    @Test func freeFormNeedsAWindow() throws {
        let lab = try Lab(sandbox: ["--window"], line: #"{"phoneNumberId":"106","token":"t"}"#)
        let text = #"{"to":"14155551000","message":"hi"}"#
        let refused = try lab.call("POST", "/v1/messages", text)
        #expect(refused.status == 400 && refused.json?[path: "error", "code"]?.string == "63016", "\(refused.text)")
        let taken = try lab.call(
            "POST", "/v1/messages", #"{"to":"14155551000","message":"hi","closedWindow":"fail"}"#)
        let failed = try lab.wait(try #require(taken.json?[path: "data", "id"]?.string), for: "failed")
        #expect(failed["errorCode"]?.string == "131047")
        let unknown = try lab.call(
            "POST", "/v1/messages", #"{"to":"14155551000","message":"hi","closedWindow":"leave"}"#)
        #expect(unknown.status == 400 && unknown.text.contains(#"must be \"fail\""#), "\(unknown.text)")
        let fallback = try lab.call(
            "POST", "/v1/messages", #"{"to":"14155551000","message":"hi","fallback":{\#(template)}}"#)
        let sent = try lab.wait(try #require(fallback.json?[path: "data", "id"]?.string), for: "read")
        #expect(sent[path: "template", "name"]?.string == "hello_world")
        _ = try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"14155551000","text":"hi"}"#)
        let open = try eventually { try lab.call("POST", "/v1/messages", text).status == 202 }
        #expect(open)
        // What fails takes no place in the tier, and waits for none.
        let full = try lab.call("PUT", "/v1/pools/main", #"{"tier":"TIER_250","used":250}"#)
        #expect(full.status < 300, "\(full.text)")
        let outside = try lab.call(
            "POST", "/v1/messages",
            #"{"to":"14155551009","message":"hi","closedWindow":"fail","whenFull":"refuse"}"#)
        let ended = try lab.wait(
            try #require(outside.json?[path: "data", "id"]?.string, "\(outside.text)"), for: "failed")
        #expect(ended["errorCode"]?.string == "131047")
        #expect(try violations(lab) == Self.none)
    }

    @Test func pausesHoldAndSurviveARestart() throws {
        let lab = try Lab()
        #expect(try lab.ctl("pause", "--template", "hello_world", "--reason", "new prices", "--for", "2h").status == 0)
        let paused = try lab.call("POST", "/v1/messages", #"{"to":"14155551000",\#(template)}"#)
        let id = try #require(paused.json?[path: "data", "id"]?.string)
        let other = try lab.submit(to: "14155551001")
        try lab.wait(other, for: "read")
        #expect(try lab.message(id)["gate"]?.string == "pause")
        lab.killDaemon()
        try lab.startDaemon()
        let why = try lab.ctl("why", id).text
        #expect(why.contains("new prices") && why.contains("outboxctl resume 1"), "\(why)")
        #expect(try lab.ctl("pause", "--everything").status == 0)
        let held = try lab.submit(to: "14155551002")
        #expect(try lab.ctl("resume", "--template", "hello_world").status == 0)
        usleep(200_000)
        for one in [id, held] { #expect(try lab.message(one)["status"]?.string == "queued") }
        #expect(try lab.ctl("resume", "--all").status == 0)
        try lab.wait(id, for: "read")
        try lab.wait(held, for: "read")
        #expect(try lab.ctl("resume", "7").status == 4)
        #expect(try lab.ctl("pause").status == 64)
    }

    @Test func aLineMetaStopsWaitsAndGoesOn() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t",\#(Lab.freely)}"#)
        let healthy = try eventually {
            try lab.call("GET", "/v1/lines/main/health").json?[path: "data", "status"]?.string == "ONLINE"
        }
        #expect(healthy)
        _ = try lab.sandbox(
            "PUT", "numbers/106",
            #"{"quality_rating":"RED","whatsapp_business_manager_messaging_limit":"TIER_2K","health_status":{"can_send_message":"BLOCKED"}}"#
        )
        try lab.call("POST", "/v1/reload")
        let blocked = try eventually {
            try lab.call("GET", "/v1/lines/main/health").json?[path: "data", "canSendMessage"]?.string == "BLOCKED"
        }
        #expect(blocked)
        let health = try lab.call("GET", "/v1/lines/main/health").json?["data"]
        #expect(health?["qualityRating"]?.string == "RED" && health?["messagingLimitTier"]?.string == "TIER_2K")
        #expect(health?[path: "capabilities", "canSendMessages"]?.bool == false)
        #expect(try lab.call("GET", "/v1/pools/main").json?[path: "data", "tierLearned"]?.string == "TIER_2K")
        let id = try lab.submit()
        usleep(200_000)
        #expect(try lab.message(id)["status"]?.string == "queued")
        #expect(try lab.call("GET", "/v1/messages/\(id)/why").json?[path: "data", "binding"]?.string == "line")
        _ = try lab.sandbox("PUT", "numbers/106", #"{"health_status":{"can_send_message":"AVAILABLE"}}"#)
        try lab.call("POST", "/v1/reload")
        try lab.wait(id, for: "read")
        let line = #"{"phoneNumberId":"106","token":"t","whenStopped":"refuse",\#(Lab.freely)}"#
        #expect(try lab.call("PUT", "/v1/lines/main", line).status == 200)
        _ = try lab.sandbox("PUT", "numbers/106", #"{"status":"DISCONNECTED"}"#)
        try lab.call("POST", "/v1/reload")
        let refused = try eventually {
            try lab.call("POST", "/v1/messages", #"{"to":"14155551000","message":"hi"}"#).json?[path: "error", "code"]?
                .string == "LINE_STOPPED"
        }
        #expect(refused)
    }

    @Test func templatesAreCheckedAndAPausedOneHoldsOnlyItsOwn() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t","wabaId":"900",\#(Lab.freely)}"#)
        func list(_ status: String) throws {
            let body = #"{"type":"BODY","text":"Hello {{1}}, {{2}} is ready"}"#
            let plain = #"{"type":"BODY","text":"Hi"}"#
            let templates = [
                ("ready", status, "UTILITY", body), ("plain", "APPROVED", "MARKETING", plain),
                ("draft", "PENDING", "UTILITY", plain),
            ]
            .map { name, status, category, body in
                #"{"id":"\#(name)","name":"\#(name)","language":"en_US","status":"\#(status)","category":"\#(category)","components":[\#(body)]}"#
            }
            _ = try lab.sandbox("PUT", "templates", #"{"templates":[\#(templates.joined(separator: ","))]}"#)
        }
        try list("APPROVED")
        try lab.call("POST", "/v1/reload")
        let listed = try eventually {
            try lab.call("GET", "/v1/lines/main/templates").json?["data"]?.list.count == 3
        }
        #expect(listed)
        #expect(try lab.ctl("template", "ls", "main").text.contains("MARKETING"))
        func submit(_ template: String) throws -> (status: Int, field: String?, id: String?) {
            let answer = try lab.call("POST", "/v1/messages", #"{"to":"14155551000","template":\#(template)}"#)
            return (
                answer.status, answer.json?[path: "error", "details"]?.list.first?["field"]?.string,
                answer.json?[path: "data", "id"]?.string
            )
        }
        func filled(_ parameters: Int) -> String {
            let list = Array(repeating: #"{"type":"text","text":"x"}"#, count: parameters).joined(separator: ",")
            return #"{"name":"ready","language":"en_US","components":[{"type":"body","parameters":[\#(list)]}]}"#
        }
        #expect(try submit(#"{"name":"redy","language":"en_US"}"#).field == "template.name")
        #expect(try submit(#"{"name":"ready","language":"de"}"#).field == "template.language")
        #expect(try submit(#"{"name":"draft","language":"en_US"}"#).field == "template.name")
        #expect(try submit(filled(1)).field == "template.components[0].parameters")
        let good = try submit(filled(2))
        try lab.wait(try #require(good.id), for: "read")
        let event =
            #"{"field":"message_template_status_update","wabaId":"900","value":{"event":"STATUS","message_template_id":1,"message_template_name":"ready","message_template_language":"en-US","reason":"NONE"}}"#
        try list("PAUSED")
        _ = try lab.sandbox("POST", "event", event.replacingOccurrences(of: "STATUS", with: "PAUSED"))
        let held = try eventually {
            let id = try #require(try submit(filled(2)).id)
            usleep(100_000)
            return try lab.message(id)["gate"]?.string == "template"
        }
        #expect(held)
        let other = try submit(#"{"name":"plain","language":"en_US"}"#)
        try lab.wait(try #require(other.id), for: "read")
        try list("APPROVED")
        _ = try lab.sandbox("POST", "event", event.replacingOccurrences(of: "STATUS", with: "APPROVED"))
        let released = try eventually {
            try lab.call("GET", "/v1/lines/main/why").json?[path: "data", "waiting"]?.list.isEmpty == true
        }
        #expect(released)
    }
}
