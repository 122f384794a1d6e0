import Foundation
import OutboxJSON
import TestKit
import Testing

/// What CallMissed's clients are told when something is wrong.
@Suite(.serialized) struct CallMissedRefusalTests {
    @Test func everyRefusalIsInItsWords() throws {
        let client = try CallMissedClient.connected()
        let lab = client.lab
        let clients = [
            "admin": client, "read": try CallMissedClient(lab, "read"), "send": try CallMissedClient(lab, "send"),
        ]
        func refused(_ status: Int, _ method: String, _ path: String, _ body: String = "", as role: String = "admin")
            throws -> String
        {
            let answer = try #require(clients[role]).call(method, path, body)
            #expect(answer.status == status, "\(method) \(path): \(answer.status) \(answer.text)")
            #expect(CallMissedClient.names(answer.json) == ["detail"], "\(answer.text)")
            return answer.json?["detail"]?.string ?? ""
        }
        func wrong(_ method: String, _ path: String, _ body: String = "", at place: [String]) throws {
            let answer = try client.call(method, path, body)
            #expect(answer.status == 422, "\(method) \(path): \(answer.text)")
            let details = answer.json?["detail"]?.list ?? []
            #expect(
                !details.isEmpty
                    && details.allSatisfy { CallMissedClient.names($0) == ["type", "loc", "msg", "input"] })
            let places = details.map { $0["loc"]?.list.map { $0.string ?? $0.integer.map(String.init) ?? "" } ?? [] }
            #expect(places.contains(place), "\(places)")
        }
        let number = #""phone_number_id":"1234567890","to":"14155550100""#
        let text = #"{\#(number),"text":"hi"}"#
        // Scopes.
        #expect(try refused(403, "POST", "/messages", text, as: "read").contains("required scope: whatsapp:send"))
        #expect(try refused(403, "POST", "/campaigns", "{}", as: "send").contains("required scope: whatsapp:write"))
        #expect(try refused(403, "POST", "/media", "", as: "send").contains("required scope: whatsapp:write"))
        let stranger = try lab.call(
            "GET", "\(CallMissedClient.base)/accounts", headers: ["Authorization: Bearer cm_no"])
        #expect(stranger.status == 401 && CallMissedClient.names(stranger.json) == ["detail"])
        #expect(try clients["read"]?.call("GET", "/accounts").status == 200)

        #expect(try refused(400, "POST", "/messages", "{").contains("JSON"))
        #expect(
            try refused(400, "POST", "/messages", #"{"to":"14155550100","text":"hi"}"#)
                == "Either phone_id (UUID) or phone_number_id (Meta) is required")
        #expect(try refused(422, "POST", "/messages", text).contains("24-hour customer service window is closed"))
        for (kind, lacking) in [
            ("button", "buttons"), ("list", "sections"), ("cta_url", "button_url"), ("flow", "flow_cta"),
        ] {
            let body = #"{\#(number),"interactive_type":"\#(kind)","body_text":"x"}"#
            #expect(try refused(400, "POST", "/messages/interactive", body).contains(lacking))
        }
        _ = try refused(404, "POST", "/messages", text.replacing("1234567890", with: "77"))
        _ = try refused(404, "POST", "/phone_numbers/77/link-bot", #"{"bot_id":null}"#)
        _ = try refused(
            404, "POST", "/phone_numbers/1234567890/link-bot", #"{"bot_id":"0a1b2c3d-4e5f-4a7b-8c9d-0e1f2a3b4c5d"}"#)
        _ = try refused(
            404, "POST", "/phone_numbers/1234567890/link-bot", #"{"bot_id":"00000000-0000-8000-8000-000000000099"}"#)
        _ = try refused(404, "DELETE", "/templates/3f9a1c20-7d8e-4b1a-9c2f-5e6a7b8c9d0e")
        _ = try refused(404, "POST", "/campaigns/3f9a1c20-7d8e-4b1a-9c2f-5e6a7b8c9d0e/launch")
        _ = try refused(404, "POST", "/messages/wamid.none/read", "{}")
        _ = try refused(400, "GET", "/templates?category=NEWS")
        _ = try refused(404, "GET", "/nowhere")
        _ = try refused(405, "PUT", "/accounts")

        try wrong("POST", "/messages", "[]", at: ["body"])
        try wrong("POST", "/messages", "{\(number)}", at: ["body", "text"])
        try wrong("POST", "/messages", text.replacing("14155550100", with: "+91"), at: ["body", "to"])
        try wrong("POST", "/messages", text.replacing("hi", with: ""), at: ["body", "text"])
        try wrong("POST", "/messages", #"{\#(number),"text":"hi","colour":1}"#, at: ["body", "colour"])
        try wrong("POST", "/messages/template", "{\(number)}", at: ["body", "template"])
        try wrong(
            "POST", "/messages/template", #"{\#(number),"template":"hello_world","components":[7]}"#,
            at: ["body", "components", "0"])
        try wrong("POST", "/messages/template", #"{\#(number),"template":"Big"}"#, at: ["body", "template"])
        try wrong("POST", "/messages/media", #"{\#(number),"type":"film","media_id":"1"}"#, at: ["body", "type"])
        try wrong("POST", "/messages/media", #"{\#(number),"type":"image"}"#, at: ["body", "media_id"])
        try wrong("POST", "/messages/media", #"{\#(number),"type":"image","link":"ftp://x"}"#, at: ["body", "link"])
        try wrong("POST", "/messages/interactive", "{\(number)}", at: ["body", "interactive"])
        try wrong(
            "POST", "/messages/interactive", #"{\#(number),"interactive":{"type":"button"}}"#,
            at: ["body", "interactive", "body"])
        try wrong("POST", "/phone_numbers/1234567890/link-bot", "{}", at: ["body", "bot_id"])
        try wrong("POST", "/phone_numbers/1234567890/autoreply", #"{"enabled":"no"}"#, at: ["body", "enabled"])
        try wrong("POST", "/onboarding/manual", "{}", at: ["body", "access_token"])
        try wrong("POST", "/onboarding/exchange", "{}", at: ["body", "code"])
        try wrong("POST", "/campaigns", "{}", at: ["body", "name"])
        for report in ["funnel", "timeseries", "costs"] {
            for days in ["0", "91", "x"] {
                try wrong("GET", "/analytics/\(report)?days=\(days)", at: ["query", "days"])
            }
            try wrong("GET", "/analytics/\(report)?line=main", at: ["query", "line"])
        }
        try wrong("GET", "/campaigns?limit=101", at: ["query", "limit"])

        // Files.
        let vast = [UInt8](repeating: 0, count: 6 << 20)
        #expect(try client.upload(CallMissedClient.form(CallMissedClient.png + vast, type: "image/png")).status == 413)
        #expect(try client.upload(CallMissedClient.form(Array("no".utf8), type: "image/png")).status == 422)
        let nowhere = try client.upload(
            CallMissedClient.form(CallMissedClient.png, ["phone_id": "77"], type: "image/png"))
        #expect(nowhere.status == 404 && CallMissedClient.names(nowhere.json) == ["detail"])
        #expect(try client.upload(Array("--B--\r\n".utf8)).status == 422)
        _ = try wrong("POST", "/media", "{}", at: ["body", "file"])
        #expect(try lab.call("GET", "/v1/media").json?["data"]?.list.isEmpty == true)

        // What Meta says.
        try lab.sandbox("PUT", "tokens/bad", #"{"is_valid":false}"#)
        let connection = #"{"waba_id":"102","phone_number_id":"109","access_token":"bad"}"#
        #expect(try !refused(422, "POST", "/onboarding/manual", connection).isEmpty)
        #expect(try lab.call("GET", "/v1/lines/109").status == 404)
        #expect(try lab.call("POST", "/v1/accounts", #"{"name":"shop"}"#).status == 201)
        let taken = try lab.call(
            "POST", "\(CallMissedClient.base)/onboarding/manual",
            #"{"waba_id":"102","phone_number_id":"1234567890","access_token":"t"}"#,
            headers: ["Outboxd-Account: shop"])
        #expect(taken.status == 409 && taken.text.contains("another account"), "\(taken.text)")
        #expect(try lab.call("PUT", "/v1/opt-outs/14155550177", "{}").status < 300)
        let body = #"{"type":"BODY","text":"All is cheaper today."}"#
        let sale = #"{"name":"sale","category":"MARKETING","language":"en_US","components":[\#(body)]}"#
        try lab.setFaults("lose-answer/message_templates")
        _ = try refused(502, "POST", "/templates", sale.replacing("\"sale\"", with: "\"lost\""))
        try lab.setFaults()
        #expect(try client.call("POST", "/templates", sale).status == 200)
        #expect(
            try eventually {
                try client.call("GET", "/templates?status=APPROVED").json?.list.contains {
                    $0["name"]?.string == "sale"
                }
                    ?? false
            })
        let marketing = #"{"phone_number_id":"1234567890","to":"14155550177","template":"sale","language":"en_US"}"#
        #expect(try refused(409, "POST", "/messages/template", marketing).hasPrefix("recipient_opted_out: "))

        // 20 calls a minute, some of which are used.
        _ = try lab.call("PUT", "/v1/accounts/default", #"{"plan":"free"}"#)
        #expect(
            try eventually(within: 20) {
                let answer = try client.call("GET", "/campaigns?limit=1")
                return answer.status == 429 && CallMissedClient.names(answer.json) == ["detail"]
            })
    }
}
