import Foundation
import OutboxJSON
import Testing

/// The sandbox as graph.facebook.com: numbers, templates, and the webhooks it can be told to post.
@Suite struct SandboxGraphTests {
    // MARK: Numbers

    @Test func aNumberTellsOnlyWhatIsAsked() throws {
        let lab = try SandboxLab("--tier", "2000")
        let fields = "status,quality_rating,throughput{level},whatsapp_business_manager_messaging_limit,health_status,x"
        let number = try #require(try lab.call("GET", "/v25.0/106?fields=\(fields)").json)
        #expect(
            number.members.map(\.name)
                == [
                    "status", "quality_rating", "throughput", "whatsapp_business_manager_messaging_limit",
                    "health_status", "id",
                ])
        #expect(number["id"]?.string == "106" && number["status"]?.string == "CONNECTED")
        #expect(number["quality_rating"]?.string == "GREEN")
        #expect(number[path: "throughput", "level"]?.string == "STANDARD")
        #expect(number["whatsapp_business_manager_messaging_limit"]?.string == "TIER_2K")
        #expect(number[path: "health_status", "can_send_message"]?.string == "AVAILABLE")
        let entity = number[path: "health_status", "entities"]?.list.first
        #expect(entity?["entity_type"]?.string == "PHONE_NUMBER" && entity?["id"]?.string == "106")

        let others =
            "display_phone_number,verified_name,code_verification_status,name_status,platform_type,account_mode"
        #expect(try lab.call("GET", "/v25.0/106?fields=\(others)").json?.members.map(\.name).count == 7)
        #expect(try lab.call("GET", "/v25.0/106?fields=status", token: nil).code == 190)
    }

    @Test func aNumberIsWhatItWasSetTo() throws {
        let lab = try SandboxLab()
        let health = #"{"can_send_message":"BLOCKED","entities":[{"entity_type":"WABA","n":1.10}]}"#
        let set = try lab.call(
            "PUT", "/sandbox/numbers/106",
            #"{"quality_rating":"RED","status":"DISCONNECTED","health_status":\#(health)}"#)
        #expect(set.status == 200)
        #expect(try lab.call("PUT", "/sandbox/numbers/106", #"{"status":"FLAGGED"}"#).status == 200)
        #expect(try lab.call("PUT", "/sandbox/numbers/106", "[]").status == 400)
        let fields = "status,quality_rating,health_status,whatsapp_business_manager_messaging_limit"
        let number = try #require(try lab.call("GET", "/v25.0/106?fields=\(fields)").json)
        #expect(number["status"]?.string == "FLAGGED" && number["quality_rating"]?.string == "RED")
        #expect(number["health_status"].map { String(decoding: $0.raw, as: UTF8.self) } == health)
        #expect(number["whatsapp_business_manager_messaging_limit"]?.string == "TIER_UNLIMITED")
        #expect(try lab.call("GET", "/v25.0/107?fields=status").json?["status"]?.string == "CONNECTED")
    }

    // MARK: Templates

    private static func template(_ name: String, _ status: String, body: String = "Hi") -> String {
        #"{"id":"7\#(name)","name":"\#(name)","language":"en_US","status":"\#(status)","category":"UTILITY","components":[{"type":"BODY","text":"\#(body)"}]}"#
    }

    private func set(_ lab: SandboxLab, _ templates: [String]) throws {
        let body = #"{"templates":[\#(templates.joined(separator: ","))]}"#
        #expect(try lab.call("PUT", "/sandbox/templates", body).status == 204)
    }

    @Test func templatesComeInPages() throws {
        let lab = try SandboxLab()
        let first = try lab.call("GET", "/v25.0/900/message_templates").json
        #expect(first?["data"]?.list.compactMap { $0["name"]?.string } == ["hello_world", "order_ready"])
        #expect(first?[path: "paging", "cursors", "after"] != nil && first?[path: "paging", "next"] == nil)

        try set(lab, (0..<7).map { Self.template("t\($0)", "APPROVED") })
        var page = try lab.call("GET", "/v25.0/900/message_templates?fields=name,status&limit=3").json
        var sizes: [Int] = []
        var names: [String] = []
        while let current = page {
            let data = current["data"]?.list ?? []
            #expect(data.allSatisfy { Set($0.members.map(\.name)) == ["id", "name", "status"] })
            names += data.compactMap { $0["name"]?.string }
            sizes.append(data.count)
            guard let next = current[path: "paging", "next"]?.string, sizes.count < 9 else { break }
            let after = try #require(current[path: "paging", "cursors", "after"]?.string)
            #expect(next.hasSuffix("after=\(after)"))
            page = try lab.call("GET", url: next).json
        }
        #expect(sizes == [3, 3, 1] && names == (0..<7).map { "t\($0)" })

        let found = try lab.call("GET", "/v25.0/900/message_templates?name=t4").json?["data"]?.list
        #expect(found?.count == 1 && found?.first?["components"]?.list.count == 1)
        #expect(try lab.call("GET", "/v25.0/900/message_templates?after=nonsense").code == 131_059)
        #expect(try lab.call("GET", "/v25.0/900/message_templates?limit=0").code == 100)
        #expect(try lab.call("PUT", "/sandbox/templates", #"{"templates":[{"id":"1","name":"x"}]}"#).status == 400)
        #expect(try lab.call("GET", "/v25.0/900/message_templates").json?["data"]?.list.count == 7)
    }

    @Test func onlyTemplatesThatExistAreSent() throws {
        let lab = try SandboxLab()
        #expect(try lab.sendTemplate("14155550001", name: "unheard_of").status == 200, "none were set")
        try set(
            lab,
            [
                Self.template("plain", "APPROVED"), Self.template("paused", "PAUSED"),
                Self.template("disabled", "DISABLED"), Self.template("pending", "PENDING"),
                Self.template("two", "APPROVED", body: "{{1}} and {{2}}, then {{1}}"),
                Self.template("named", "APPROVED", body: "Dear {{first_name}}"),
            ])
        let one = #"[{"type":"body","parameters":[{"type":"text","parameter_name":"first_name","text":"a"}]}]"#
        let two = #"[{"type":"body","parameters":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#
        func code(_ name: String, _ components: String = "[]", language: String = "en_US") throws -> Int64? {
            try lab.sendTemplate("14155550001", name: name, language: language, components: components).code
        }
        #expect(try lab.sendTemplate("14155550001", name: "unheard_of").status == 404)
        #expect(try code("unheard_of") == 132_001)
        #expect(try code("plain", language: "de") == 132_001)
        #expect(try code("pending") == 132_001)
        #expect(try code("paused") == 132_015)
        #expect(try code("disabled") == 132_016)
        #expect(try code("plain") == nil)
        #expect(try code("plain", one) == 132_000)
        #expect(try code("two", one) == 132_000)
        #expect(try code("two", two) == nil)
        #expect(try code("named", one) == nil)
        #expect(try lab.send("14155550001").status == 200)
    }

    // MARK: Webhooks

    @Test func anEventIsPostedAsGiven() throws {
        let lab = try SandboxLab()
        let value = #"{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"expiration":1.50}]}"#
        let event = #"{"field":"account_update","wabaId":"900","value":\#(value)}"#
        #expect(try lab.call("POST", "/sandbox/event", event).status == 202)
        #expect(eventually { !lab.hooks.changes.isEmpty })
        #expect(lab.hooks.entries.first?["id"]?.string == "900")
        let change = try #require(lab.hooks.changes.first)
        #expect(change["field"]?.string == "account_update")
        #expect(change["value"].map { String(decoding: $0.raw, as: UTF8.self) } == value)
        #expect(try lab.call("POST", "/sandbox/event", #"{"field":"x"}"#).status == 400)
    }

    @Test func anInboundMessageTellsWhenWhoAndWherefrom() throws {
        let lab = try SandboxLab()
        let referral = #"{"source_type":"ad","ctwa_clid":"c"}"#
        let written = Int(Date().timeIntervalSince1970) - 1000
        try lab.inbound("14155550001", #","timestamp":\#(written),"userId":"US.1","referral":\#(referral)"#)
        #expect(eventually { !lab.hooks.values.isEmpty })
        let value = try #require(lab.hooks.values.first)
        #expect(value[path: "metadata", "phone_number_id"]?.string == "106")
        let contact = value["contacts"]?.list.first
        #expect(contact?["wa_id"]?.string == "14155550001" && contact?["user_id"]?.string == "US.1")
        let message = value["messages"]?.list.first
        #expect(message?["from"]?.string == "14155550001" && message?["from_user_id"]?.string == "US.1")
        #expect(message?["timestamp"]?.string == String(written))
        #expect(message?["referral"].map { String(decoding: $0.raw, as: UTF8.self) } == referral)
        for wrong in [#""timestamp":"soon""#, #""timestamp":-1"#, #""referral":"ad""#] {
            let body = #"{"phoneNumberId":"106","from":"14155550001",\#(wrong)}"#
            #expect(try lab.call("POST", "/sandbox/inbound", body).status == 400, "\(wrong)")
        }
    }

    @Test func aHeldMessageIsSentLater() throws {
        let lab = try SandboxLab("--fault", "hold:14155550001")
        let start = Date()
        let held = try lab.sendTemplate("14155550001")
        let free = try lab.sendTemplate("14155550002")
        func state(_ answer: SandboxLab.Answer) -> String? {
            answer.json?["messages"]?.list.first?["message_status"]?.string
        }
        #expect(state(held) == "held_for_quality_assessment" && state(free) == "accepted")
        #expect(eventually { !lab.statuses(held.wamid).isEmpty })
        #expect(lab.statuses(held.wamid).first?["status"]?.string == "sent")
        #expect(Date().timeIntervalSince(start) >= 1)
    }
}
