import Foundation
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// A client of CallMissed's WhatsApp API: numbers, their bots, messages and files.
@Suite(.serialized) struct CallMissedTests {
    private func sent(_ lab: Lab, _ answer: CallMissedClient.Answer) throws -> JSONValue {
        #expect(answer.status == 200, "\(answer.text)")
        #expect(CallMissedClient.names(answer.json) == ["wamid", "wamids", "contacts", "status"])
        let id = try #require(answer.json?["wamid"]?.string)
        #expect(answer.json?["wamids"]?.list.compactMap(\.string) == [id])
        #expect(answer.json?["contacts"]?.list.first?["wa_id"]?.string == CallMissedClient.person)
        try lab.wait(id, for: "read")
        let all = try lab.sandbox("GET", "ledger?limit=1000")?["data"]?.list ?? []
        return try #require(all.last?["body"])
    }

    @Test func everyKindOfMessageLeavesAndIsRead() throws {
        let client = try CallMissedClient.connected()
        let lab = client.lab
        let wamid = try client.write()
        let number = #""phone_number_id":"1234567890","to":"+\#(CallMissedClient.person)""#
        func send(_ path: String, _ fields: String) throws -> JSONValue {
            try sent(lab, try client.call("POST", "/messages\(path)", "{\(number),\(fields)}"))
        }
        let text = try send("", #""text":"Your order shipped: https://acme.example.com/t/1","preview_url":true"#)
        #expect(text[path: "text", "body"]?.string == "Your order shipped: https://acme.example.com/t/1")
        #expect(text[path: "text", "preview_url"]?.bool == true)
        let template = try send("/template", #""template":"hello_world","language":"en_US""#)
        #expect(template[path: "template", "name"]?.string == "hello_world")
        let other = try send("/template", #""template_name":"hello_world","components":[]"#)
        #expect(other[path: "template", "language", "code"]?.string == "en_US")

        let file = try client.upload(
            CallMissedClient.form(CallMissedClient.png, ["phone_number_id": "1234567890"], type: "image/png"))
        #expect(file.status == 200 && CallMissedClient.names(file.json) == ["media_id", "mime_type", "size_bytes"])
        #expect(file.json?["mime_type"]?.string == "image/png")
        #expect(file.json?["size_bytes"]?.integer == Int64(CallMissedClient.png.count))
        let media = try #require(file.json?["media_id"]?.string)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "uploads"]?.integer == 1)
        let image = try send("/media", #""type":"image","media_id":"\#(media)","caption":"Here""#)
        #expect(image[path: "image", "id"]?.string?.isEmpty == false)
        #expect(image[path: "image", "caption"]?.string == "Here" && image[path: "image", "media"] == nil)
        let link = "https://example.com/a.pdf"
        for given in [#""type":"document","media_id":"\#(link)""#, #""kind":"document","link":"\#(link)""#] {
            let document = try send("/media", #"\#(given),"filename":"a.pdf","caption":"Invoice""#)
            #expect(document[path: "document", "link"]?.string == link)
            #expect(document[path: "document", "filename"]?.string == "a.pdf")
        }
        let audio = try send("/media", #""type":"audio","media_id":"1079235482913746","caption":"x""#)
        #expect(audio[path: "audio", "id"]?.string == "1079235482913746" && audio[path: "audio", "caption"] == nil)

        let own =
            #"{"type":"button","body":{"text":"Home?"},"action":{"buttons":[{"type":"reply","reply":"#
            + #"{"id":"y","title":"Yes"}}]}}"#
        #expect(try send("/interactive", #""interactive":\#(own)"#)[path: "interactive", "type"]?.string == "button")
        let buttons = try send(
            "/interactive",
            #""interactive_type":"button","body_text":"Home?","footer_text":"Acme","buttons":[{"id":"y","title":"Yes"}]"#
        )
        let action = buttons[path: "interactive", "action"]
        #expect(action?["buttons"]?.list.first?[path: "reply", "id"]?.string == "y")
        #expect(buttons[path: "interactive", "footer", "text"]?.string == "Acme")
        let rows = #"[{"title":"Orders","rows":[{"id":"t","title":"Track","description":"Live"}]}]"#
        let list = try send(
            "/interactive",
            #""interactive_type":"list","body_text":"What?","button_text":"Pick","sections":\#(rows)"#)
        #expect(list[path: "interactive", "action", "button"]?.string == "Pick")
        let url = try send(
            "/interactive",
            #""interactive_type":"cta_url","body_text":"Ready","button_text":"View","button_url":"https://acme.example.com/""#
        )
        #expect(url[path: "interactive", "action", "parameters", "display_text"]?.string == "View")
        let flow = try send(
            "/interactive",
            #""interactive_type":"flow","body_text":"Book","flow_id":"1122","flow_cta":"Book a slot","flow_action":"#
                + #""navigate","flow_action_payload":{"screen":"PICK_DATE"},"flow_token":"booking-1""#)
        #expect(flow[path: "interactive", "action", "parameters", "flow_cta"]?.string == "Book a slot")

        let read = try client.call(
            "POST", "/messages/\(wamid)/read", #"{"phone_number_id":"1234567890","typing_indicator":true}"#)
        #expect(read.status == 200 && read.json?["success"]?.bool == true, "\(read.text)")
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "typing"]?.integer == 1)
        let event = try lab.call("GET", "/v1/events?event=message.received").text
        let received = try JSONParser().parse(Array(event.split(separator: "\n")[0].utf8))
        let id = try #require(received[path: "data", "messageId"]?.string)
        #expect(try client.call("POST", "/messages/\(id)/read").status == 200)
        #expect(try client.call("POST", "/messages/\(wamid)x/read").status == 404)

        // A repeat is queued once.
        let sender = try CallMissedClient(lab, "send")
        func repeated(_ text: String) throws -> CallMissedClient.Answer {
            try sender.call(
                "POST", "/messages", #"{\#(number),"text":"\#(text)"}"#, headers: ["Idempotency-Key: order-1"])
        }
        #expect(try repeated("once").json?["wamid"]?.string == repeated("once").json?["wamid"]?.string)
        #expect(try repeated("twice").status == 409)

        func funnelNow() throws -> JSONValue? { try client.call("GET", "/analytics/funnel?days=7").json }
        #expect(try eventually { try funnelNow()?["read_rate"]?.number == 1 }, "the last one is read")
        let funnel = try #require(try funnelNow())
        #expect(
            CallMissedClient.names(funnel) == [
                "days", "inbound", "outbound", "sent", "delivered", "read", "replied", "delivery_rate", "read_rate",
            ])
        #expect(funnel["inbound"]?.isNull == true)
        #expect(funnel["days"]?.integer == 7 && (funnel["read"]?.integer ?? 0) >= 12)
        let series = try #require(try client.call("GET", "/analytics/timeseries?days=3").json)
        #expect(series["points"]?.list.count == 3 && series["points"]?.list.last?["count"]?.integer ?? 0 >= 12)
        #expect(series["points"]?.list.first?["date"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\d/) != nil)
        #expect(series["points"]?.list.first?["event_type"]?.string == "messages")
        let costs = try #require(try client.call("GET", "/analytics/costs").json)
        let fields: Set = [
            "days", "llm_tokens", "llm_credits", "whatsapp_message_credits", "whatsapp_call_credits", "total_credits",
            "ledger_source",
        ]
        #expect(fields.isSubset(of: CallMissedClient.names(costs)) && costs["days"]?.integer == 30)
        #expect(costs["total_credits"]?.number == 0)
    }

    @Test func numbersBelongToAccountsAndHaveBots() throws {
        let client = try CallMissedClient.connected()
        let lab = client.lab
        let accounts = try #require(try client.call("GET", "/accounts").json?.list)
        #expect(accounts.count == 1 && accounts[0]["is_active"]?.bool == true)
        #expect(
            CallMissedClient.names(accounts.first) == [
                "id", "waba_id", "business_id", "name", "currency", "review_status", "account_status",
                "account_restriction_reason", "payment_setup_complete", "is_active", "created_at",
            ])
        let ear = try CallbackEar()
        ear.answer { call in
            let text = call.json?[path: "data", "text"]?.string ?? ""
            return HTTPResponse(status: 200, body: Array(#"{"reply":{"message":"You said \#(text)"}}"#.utf8))
        }
        let made = try lab.call("POST", "/v1/subscriptions", #"{"url":"\#(ear.url)","events":["message.received"]}"#)
        let subscription = try #require(made.json?[path: "data", "id"]?.integer)
        let number = try #require(try client.call("GET", "/phone_numbers").json?.list.first)
        let documented: Set = [
            "id", "account_id", "bot_id", "phone_number_id", "display_phone_number", "verified_name",
            "code_verification_status", "quality_rating", "messaging_limit_tier", "throughput_level",
            "registration_status", "registration_error", "name_status", "ai_autoreply_enabled", "is_active",
            "created_at",
        ]
        #expect(CallMissedClient.names(number) == documented.union(["line", "available_bots"]))
        #expect(number["bot_id"]?.isNull == true && number["ai_autoreply_enabled"]?.bool == true)
        #expect(number["account_id"]?.string == accounts[0]["id"]?.string)
        let bot = try #require(number["available_bots"]?.list.first?["id"]?.string)
        let digits = String(subscription)
        #expect(bot == "00000000-0000-8000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits)

        let phone = try #require(number["id"]?.string)
        #expect(phone.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        func texts() throws -> [String] {
            try lab.sandbox("GET", "ledger?limit=100")?["data"]?.list
                .compactMap { $0[path: "body", "text", "body"]?.string } ?? []
        }
        #expect(try lab.call("PUT", "/v1/lines/1234567890", try settings(lab, #""burst":7"#)).status == 200)
        // By each of its names.
        for name in [phone, "1234567890"] {
            let linked = try client.call("POST", "/phone_numbers/\(name)/link-bot", #"{"bot_id":"\#(bot)"}"#)
            #expect(linked.status == 200 && linked.json?["bot_id"]?.string == bot, "\(linked.text)")
        }
        _ = try client.write("one")
        #expect(try eventually { try texts() == ["You said one"] })
        let silent = try client.call("POST", "/phone_numbers/\(phone)/autoreply", #"{"enabled":false}"#)
        #expect(silent.status == 200 && silent.json?["ai_autoreply_enabled"]?.bool == false, "\(silent.text)")
        #expect(silent.json?["bot_id"]?.string == bot)
        let before = ear.calls.count
        _ = try client.write("two")
        #expect(eventually { ear.calls.count > before })
        #expect(try client.call("POST", "/phone_numbers/\(phone)/autoreply", #"{"enabled":true}"#).status == 200)
        _ = try client.write("three")
        #expect(try eventually { try texts() == ["You said one", "You said three"] })
        let unlinked = try client.call("POST", "/phone_numbers/\(phone)/link-bot", #"{"bot_id":null}"#)
        #expect(unlinked.json?["bot_id"]?.isNull == true)
        // Nothing else of the line has changed.
        let line = try #require(try lab.call("GET", "/v1/lines/1234567890").json?["data"])
        #expect(line["burst"]?.integer == 7 && line["bot"]?.isNull == true)
        #expect(line[path: "autoReply", "enabled"]?.bool == true)
    }

    private func settings(_ lab: Lab, _ change: String) throws -> String {
        let line = try #require(try lab.call("GET", "/v1/lines/1234567890").json?["data"])
        let kept = ["phoneNumberId", "wabaId", "tokenSecret"].compactMap { name in
            line[name].map { #""\#(name)":\#(String(decoding: $0.raw, as: UTF8.self))"# }
        }
        return "{\((kept + [change]).joined(separator: ","))}"
    }

    @Test func aCodeBecomesALine() throws {
        let lab = try Lab(line: nil)
        let client = try CallMissedClient(lab)
        try lab.sandbox("PUT", "numbers/1234567890", "{}")
        func exchange(_ fields: String) throws -> CallMissedClient.Answer {
            try client.call("POST", "/onboarding/exchange", #"{"phone_number_id":"1234567890",\#(fields)}"#)
        }
        let early = try exchange(#""code":"c0""#)
        #expect(early.status == 422 && early.json?["detail"]?.list.first?["loc"]?.list.last?.string == "app_id")
        let file = lab.folder.file("state/secrets/app.default.id")
        try Data("7".utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        #expect(try lab.call("POST", "/v1/reload").status == 200)
        // The document's two fields.
        let made = try exchange(#""code":"c1""#)
        #expect(made.status == 200 && made.json?["fully_provisioned"]?.bool == true, "\(made.text)")
        #expect(made.json?[path: "account", "waba_id"]?.string == "100000000000001")
        #expect(made.json?[path: "phone_number", "registration_status"]?.string != nil)
        let used = try exchange(#""code":"c1""#)
        #expect(used.status == 422 && used.json?["detail"]?.string?.isEmpty == false, "\(used.text)")
        // Another token, and a PIN.
        let again = try exchange(
            #""code":"c2","waba_id":"100000000000001","app_id":"7","pin":"123456","business_id":"1""#)
        #expect(again.status == 200 && again.json?["onboarding_error"]?.isNull == true, "\(again.text)")
        let wrong = try exchange(#""code":"c3","pin":"654321""#)
        #expect(wrong.status == 200 && wrong.json?["fully_provisioned"]?.bool == false)
        #expect(wrong.json?["onboarding_error"]?.string?.isEmpty == false)
        try lab.setFaults("error=10/subscribed_apps")
        let unheard = try exchange(#""code":"c4""#)
        #expect(unheard.json?["fully_provisioned"]?.bool == false && unheard.json?["onboarding_error"]?.string != nil)
        try lab.setFaults("lose-answer/access_token")
        #expect(try exchange(#""code":"c5""#).status == 502)
        // None of the token's accounts has it.
        try lab.setFaults()
        try lab.sandbox("PUT", "tokens/sandbox-token-c6", #"{"is_valid":false}"#)
        #expect(try exchange(#""code":"c6""#).status == 422)
    }

    @Test func aFileIsNeverWholeInMemory() throws {
        let client = try CallMissedClient.connected()
        let lab = client.lab
        let sender = try CallMissedClient(lab, "send")
        #expect(try client.upload(CallMissedClient.form(CallMissedClient.png, type: nil)).status == 200)
        func peakKilobytes() throws -> Int {
            let pid = try #require(lab.daemon?.pid)
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(Int(line.filter(\.isNumber)))
        }
        let before = try peakKilobytes()
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 64 << 20)
        let kept = try client.upload(CallMissedClient.form(text, type: "text/plain", named: "a.txt"))
        #expect(kept.status == 200 && kept.json?["size_bytes"]?.integer == Int64(text.count))
        #expect(try peakKilobytes() < before + 32_000 * memoryFactor)
        #expect(try sender.upload(CallMissedClient.form(text, type: "text/plain")).status == 403)
    }
}
