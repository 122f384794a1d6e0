import Foundation
import OutboxCore
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// Every kind of message, from the socket to what Meta gets.
@Suite struct KindTests {
    private func ledger(_ lab: Lab) throws -> [JSONValue] {
        try lab.sandbox("GET", "ledger?limit=10000")?["data"]?.list ?? []
    }

    /// What the sandbox received for a message, once it was sent.
    private func received(_ lab: Lab, _ id: String) throws -> JSONValue {
        try lab.wait(id, for: "sent")
        let entry = try ledger(lab).last { $0["opaque"]?.string?.hasPrefix(id) ?? false }
        return try #require(entry?["body"])
    }

    private func text(_ value: JSONValue?) -> String { value.map { String(decoding: $0.raw, as: UTF8.self) } ?? "" }

    /// Statuses after sent do not come: a message rests where it can be looked at.
    private func quietLab(_ sandbox: String...) throws -> Lab {
        try Lab(sandbox: ["--delivered-after", "86400000"] + sandbox)
    }

    private func submit(_ lab: Lab, _ members: String) throws -> JSONValue {
        let answer = try lab.call("POST", "/v1/messages", #"{"to":"14155550100",\#(members)}"#)
        #expect(answer.status == 202, "\(answer.text)")
        return try #require(answer.json?["data"])
    }

    static let kinds: [(type: String, content: String)] = [
        ("text", #"{"body":"Hi https://a.example","preview_url":true}"#),
        ("image", #"{"link":"https://a.example/b.jpeg","caption":"C"}"#), ("image", #"{"id":"1479537139650973"}"#),
        ("video", #"{"id":"2","caption":"C"}"#), ("audio", #"{"link":"https://a.example/a.ogg"}"#),
        ("audio", #"{"id":"3","voice":true}"#),
        ("document", #"{"id":"4","filename":"invoice.pdf","caption":"C"}"#), ("sticker", #"{"id":"5"}"#),
        ("location", #"{"latitude":37.4847,"longitude":"-122.1484","name":"N","address":"A"}"#),
        (
            "contacts",
            #"[{"name":{"formatted_name":"Ann Lee","first_name":"Ann"},"phones":[{"phone":"+14155550101"}]}]"#
        ),
        ("reaction", #"{"message_id":"wamid.ABC","emoji":"👍"}"#),
        ("reaction", #"{"message_id":"wamid.ABC","emoji":""}"#),
        (
            "interactive",
            #"{"type":"button","header":{"type":"text","text":"H"},"body":{"text":"B"},"footer":{"text":"F"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}},{"type":"reply","reply":{"id":"n","title":"No"}}]}}"#
        ),
        (
            "interactive",
            #"{"type":"list","body":{"text":"B"},"action":{"button":"See","sections":[{"title":"S","rows":[{"id":"1","title":"T","description":"D"}]}]}}"#
        ),
        (
            "interactive",
            #"{"type":"cta_url","body":{"text":"B"},"action":{"name":"cta_url","parameters":{"display_text":"See","url":"https://a.example"}}}"#
        ),
        (
            "interactive",
            #"{"type":"flow","body":{"text":"B"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"1","flow_cta":"Go"}}}"#
        ),
        ("interactive", #"{"type":"location_request_message","body":{"text":"B"},"action":{"name":"send_location"}}"#),
        ("interactive", #"{"type":"product","action":{"catalog_id":"1","product_retailer_id":"2"}}"#),
        (
            "interactive",
            #"{"type":"product_list","header":{"type":"text","text":"H"},"body":{"text":"B"},"action":{"catalog_id":"1","sections":[{"title":"S","product_items":[{"product_retailer_id":"2"}]}]}}"#
        ),
        ("interactive", #"{"type":"catalog_message","body":{"text":"B"},"action":{"name":"catalog_message"}}"#),
    ]

    @Test func everyKindLeavesAsItCameAndIsShownSo() throws {
        let lab = try quietLab()
        for (type, content) in Self.kinds {
            let submitted = try submit(lab, #""type":"\#(type)","\#(type)":\#(content)"#)
            #expect(submitted["checked"] == nil, "\(type) \(content)")
            let id = try #require(submitted["id"]?.string)
            let body = try received(lab, id)
            #expect(body["type"]?.string == type && body["to"]?.string == "+14155550100")
            let sent = try #require(body[type])
            // A reaction is put together again, with Meta's id in front.
            #expect(text(sent) == content)
            let shown = try lab.message(id)
            #expect(shown["type"]?.string == type && shown["checked"] == nil)
            if type == "text" {
                #expect(shown["message"]?.string == "Hi https://a.example" && shown["previewUrl"]?.bool == true)
            } else {
                #expect(text(shown[type]) == content)
            }
        }
        let summary = try #require(try lab.sandbox("GET", "summary")?["data"])
        #expect(summary["accepted"]?.integer == Int64(Self.kinds.count))
    }

    @Test func aBulkTakesEveryKindAsArrayAndAsLines() throws {
        let lab = try quietLab()
        let items = Self.kinds.map { #"{"to":"14155550100","order":"any","\#($0.type)":\#($0.content)}"# }
        let array = try lab.call("POST", "/v1/messages/bulk", #"{"messages":[\#(items.joined(separator: ","))]}"#)
        #expect(array.json?[path: "data", "queued"]?.integer == Int64(items.count), "\(array.text)")
        let poll = #"{"to":"14155550100","type":"poll","poll":{"a":1}}"#
        let wrong = #"{"to":"14155550100","image":{"caption":"x"}}"#
        let lines = try lab.call(
            "POST", "/v1/messages/bulk", (items + [poll, wrong]).joined(separator: "\n"),
            headers: ["Content-Type: application/x-ndjson"])
        let data = lines.json?["data"]
        #expect(data?["queued"]?.integer == Int64(items.count + 1), "\(lines.text)")
        #expect(data?["uncheckedCount"]?.integer == 1)
        let details = data?["errors"]?.list.first?[path: "error", "details"]?.list
        #expect(details?.compactMap { $0["field"]?.string } == ["image.id"])
    }

    @Test func aKindThatIsNotKnownGoesAsItIsAndSaysSo() throws {
        let lab = try quietLab("--kind", "poll")
        let members = #""type":"poll","poll":{ "question" : "?" },"replyTo":"wamid.A""#
        let submitted = try submit(lab, members)
        #expect(submitted["checked"]?.bool == false)
        let id = try #require(submitted["id"]?.string)
        let body = try received(lab, id)
        #expect(text(body["poll"]) == #"{ "question" : "?" }"#)
        #expect(body[path: "context", "message_id"]?.string == "wamid.A")
        let shown = try lab.message(id)
        #expect(shown["checked"]?.bool == false && shown["type"]?.string == "poll")
        #expect(shown["replyTo"]?.string == "wamid.A")
        // Of what Meta does not know either it says so.
        let quiz = try #require(try submit(lab, #""type":"quiz","quiz":{"a":1}"#)["id"]?.string)
        #expect(try lab.wait(quiz, for: "failed")["errorCode"]?.string == "100")
        // A repeat is answered as the first time.
        for _ in 0..<2 {
            let answer = try lab.call(
                "POST", "/v1/messages", #"{"to":"14155550100","type":"poll","poll":{"a":1}}"#,
                headers: ["Idempotency-Key: poll"])
            #expect(answer.json?[path: "data", "checked"]?.bool == false)
        }
        let dry = try lab.call("POST", "/v1/messages", #"{"to":"14155550100",\#(members),"dryRun":true}"#)
        #expect(dry.status == 200 && dry.json?[path: "data", "checked"]?.bool == false)
    }

    @Test func whatMetaWouldRefuseIsRefusedAtOnce() throws {
        let lab = try quietLab()
        let answer = try lab.call(
            "POST", "/v1/messages",
            #"{"to":"1","interactive":{"type":"button","body":{"text":""},"action":{"buttons":[{"type":"reply","reply":{"id":"a","title":"\#(String(repeating: "x", count: 25))"}}]}}}"#
        )
        #expect(answer.status == 400)
        let details = answer.json?[path: "error", "details"]?.list ?? []
        #expect(
            details.compactMap { $0["field"]?.string } == [
                "to", "interactive.body.text", "interactive.action.buttons[0].reply.title",
            ], "\(answer.text)")
        #expect(details.last?["message"]?.string == "25 characters; Meta allows 20. Shorten it.")
        // Without the check it is stored, sent, and refused by Meta.
        let id = try #require(
            try submit(lab, #""image":{"id":"1","crop":true},"check":false"#)["id"]?.string)
        let failed = try lab.wait(id, for: "failed")
        #expect(failed["errorCode"]?.string == "100" && failed["checked"]?.bool == false)
    }

    // MARK: Other messages

    @Test func answersAndReactionsNameMessagesByAnyOfTheirIDs() throws {
        let lab = try quietLab()
        let first = try #require(try submit(lab, #""message":"one""#)["id"]?.string)
        let wamid = try #require(try lab.wait(first, for: "sent")["whatsappMessageId"]?.string)
        let answer = try #require(try submit(lab, #""message":"two","replyTo":"\#(first)""#)["id"]?.string)
        let sent = try received(lab, answer)
        #expect(sent[path: "context", "message_id"]?.string == wamid && text(sent["text"]) == #"{"body":"two"}"#)
        let shown = try lab.message(answer)
        #expect(shown["replyTo"]?.string == wamid && shown["message"]?.string == "two")

        let reaction = try #require(
            try submit(lab, #""reaction":{"emoji":"👍","message_id":"\#(first)"}"#)["id"]?.string)
        #expect(text(try received(lab, reaction)["reaction"]) == #"{"message_id":"\#(wamid)","emoji":"👍"}"#)

        let inbound = #"{"phoneNumberId":"106","from":"14155550100","text":"?","id":"wamid.IN1"}"#
        try lab.sandbox("POST", "inbound", inbound)
        var received: String?
        _ = try eventually {
            let event = try lab.call("GET", "/v1/events?event=message.received").text.split(separator: "\n").last
            received = try event.flatMap { try JSONParser().parse($0.utf8)[path: "data", "messageId"]?.string }
            return received != nil
        }
        let question = try #require(received)
        let reply = try #require(
            try submit(lab, #""image":{"id":"1"},"replyTo":"\#(question)""#)["id"]?.string)
        #expect(try self.received(lab, reply)[path: "context", "message_id"]?.string == "wamid.IN1")
    }

    @Test func aMessageThatCannotBeAnsweredIsNamed() throws {
        let lab = try quietLab()
        func refused(_ members: String) throws -> [String] {
            let answer = try lab.call("POST", "/v1/messages", #"{"to":"14155550100","line":"main",\#(members)}"#)
            #expect(answer.status == 400, "\(answer.text)")
            return answer.json?[path: "error", "details"]?.list.compactMap { $0["field"]?.string } ?? []
        }
        let later = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#)
        #expect(try refused(#""message":"x","replyTo":"\#(later)""#) == ["replyTo"])
        #expect(try refused(#""reaction":{"message_id":"\#(later)","emoji":"👍"}"#) == ["reaction.message_id"])
        #expect(try refused(#""message":"x","replyTo":"01a1fde1-218e-7000-82f6-e07a0b91ee61""#) == ["replyTo"])
        let second = #"{"phoneNumberId":"107","token":"t",\#(Lab.freely)}"#
        #expect(try lab.call("PUT", "/v1/lines/second", second).status == 201)
        let elsewhere = try lab.submit(line: "second")
        try lab.wait(elsewhere, for: "sent")
        #expect(try refused(#""message":"x","replyTo":"\#(elsewhere)""#) == ["replyTo"])
        #expect(try refused(#""message":"x","dryRun":true,"replyTo":"\#(elsewhere)""#) == ["replyTo"])
        let bulk = try lab.call(
            "POST", "/v1/messages/bulk",
            #"{"atomic":true,"messages":[{"to":"14155550100","line":"main","message":"x","replyTo":"\#(elsewhere)"}]}"#)
        #expect(
            bulk.json?[path: "error", "details"]?.list.compactMap { $0["field"]?.string } == ["messages[0].replyTo"],
            "\(bulk.text)")
    }

    @Test func onlyTemplatesPassAClosedWindow() throws {
        let lab = try Lab(
            sandbox: ["--delivered-after", "86400000"], line: #"{"phoneNumberId":"106","token":"t"}"#)
        for (type, content) in Self.kinds where type != "text" {
            let answer = try lab.call("POST", "/v1/messages", #"{"to":"14155550100","\#(type)":\#(content)}"#)
            #expect(answer.json?[path: "error", "code"]?.string == "63016", "\(type)")
            #expect(answer.json?[path: "error", "details"]?.list.first?["field"]?.string == type)
        }
        let fallback = #""fallback":{"template":{"name":"hello_world","language":"en_US"}}"#
        let id = try #require(try submit(lab, #""image":{"id":"1"},"replyTo":"wamid.A",\#(fallback)"#)["id"]?.string)
        let body = try received(lab, id)
        #expect(body["type"]?.string == "template" && body["context"] == nil)
        let detail = try lab.message(id)["timeline"]?.list.compactMap { $0["detail"] }.first { $0["fallback"] != nil }
        #expect(text(detail?["insteadOf"]) == #"{"id":"1"}"#)
        #expect(try lab.message(id)["type"]?.string == "template")
    }

    // MARK: User ids

    @Test func somebodyKnownByUserIDAloneIsWrittenTo() throws {
        let lab = try Lab(sandbox: ["--window"], line: #"{"phoneNumberId":"106","token":"t"}"#)
        let person = "US.13491208655302741918"
        func send(_ members: String) throws -> (status: Int, json: JSONValue?, text: String) {
            try lab.call("POST", "/v1/messages", #"{"to":"\#(person)",\#(members)}"#)
        }
        #expect(try send(#""message":"closed""#).json?[path: "error", "code"]?.string == "63016")
        try lab.sandbox(
            "POST", "inbound", #"{"phoneNumberId":"106","userId":"\#(person)","username":"ann","text":"Hello"}"#)
        var contact: JSONValue?
        _ = try eventually {
            contact = try lab.call("GET", "/v1/contacts").json?["data"]?.list.first
            return contact != nil
        }
        #expect(contact?["contactReplyTo"]?.string == person)
        let sent = try send(#""message":"Hi""#)
        let id = try #require(sent.json?[path: "data", "id"]?.string, "\(sent.text)")
        let message = try lab.wait(id, for: "read")
        #expect(message["to"]?.string == person)
        let body = try ledger(lab).last?["body"]
        #expect(body?["recipient"]?.string == person && body?["to"] == nil)
        #expect(try lab.call("GET", "/v1/messages?to=\(person)").json?["data"]?.list.count == 1)
        #expect(try lab.call("GET", "/v1/events?to=\(person)").text.contains(id))
        let conversation = try #require(
            try lab.call("GET", "/v1/conversations").json?["data"]?.list.first?["id"]?.string)
        let entries = try lab.call("GET", "/v1/conversations/\(conversation)/messages").json?["data"]?.list
        #expect(entries?.compactMap { $0["direction"]?.string } == ["outbound", "inbound"])
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "violations", "window"]?.integer == 0)
        // It is written to again after a restart, and from the command line.
        lab.killDaemon()
        try lab.startDaemon()
        let again = try lab.ctl("send", person, "again", "--wait=read")
        #expect(again.status == 0, "\(again.text)")
    }

    @Test func authenticationTemplatesWantANumber() throws {
        let lab = try Lab(line: nil)
        try lab.sandbox(
            "PUT", "templates",
            #"{"templates":[{"id":"1","name":"code","language":"en","status":"APPROVED","category":"AUTHENTICATION","components":[{"type":"BODY","text":"Your code"}]}]}"#
        )
        let line = #"{"phoneNumberId":"106","wabaId":"202","token":"t"}"#
        #expect(try lab.call("PUT", "/v1/lines/main", line).status == 201)
        func fields(_ to: String) throws -> [String] {
            let body = #"{"to":"\#(to)","template":{"name":"code","language":"en"}}"#
            let answer = try lab.call("POST", "/v1/messages", body).json
            return answer?[path: "error", "details"]?.list.compactMap { $0["field"]?.string } ?? []
        }
        #expect(
            try eventually { try !(lab.call("GET", "/v1/lines/main/templates").json?["data"]?.list.isEmpty ?? true) })
        #expect(try fields("US.1349") == ["to"])
        #expect(try fields("14155550100") == [])
    }

    // MARK: outboxctl

    @Test func outboxctlSendsEveryKind() throws {
        let lab = try quietLab()
        let list = lab.folder.file("list.json")
        try Data(#"{"button":"See","sections":[{"rows":[{"id":"1","title":"T"}]}]}"#.utf8)
            .write(to: URL(fileURLWithPath: list))
        let body = lab.folder.file("body.json")
        try Data(
            #"{"to":"14155550100","interactive":{"type":"catalog_message","body":{"text":"B"},"action":{"name":"catalog_message"}}}"#
                .utf8
        )
        .write(to: URL(fileURLWithPath: body))
        let to = "+14155550100"
        let sends: [([String], String, String)] = [
            (
                [to, "--image", "https://a.example/b.png", "--caption", "C"], "image",
                #"{"link":"https://a.example/b.png","caption":"C"}"#
            ),
            ([to, "--video", "12"], "video", #"{"id":"12"}"#), ([to, "--audio", "12"], "audio", #"{"id":"12"}"#),
            ([to, "--voice", "12"], "audio", #"{"voice":true,"id":"12"}"#),
            ([to, "--document", "12", "--filename", "a.pdf"], "document", #"{"id":"12","filename":"a.pdf"}"#),
            ([to, "--sticker", "12"], "sticker", #"{"id":"12"}"#),
            (
                [to, "--location", "-33.5, 151.25", "--name", "N"], "location",
                #"{"latitude":-33.5,"longitude":151.25,"name":"N"}"#
            ),
            (
                [to, "--contact", "Lee, Ann, +14155550101"], "contacts",
                #"[{"name":{"formatted_name":"Lee, Ann","first_name":"Lee, Ann"},"phones":[{"phone":"+14155550101"}]}]"#
            ),
            ([to, "--react", "👍", "--to-message", "wamid.A"], "reaction", #"{"message_id":"wamid.A","emoji":"👍"}"#),
            ([to, "--react=", "--to-message", "wamid.A"], "reaction", #"{"message_id":"wamid.A","emoji":""}"#),
            (
                [to, "B", "--buttons", "y=Yes", "--buttons", "n=No = no", "--header", "H", "--footer", "F"],
                "interactive",
                #"{"type":"button","header":{"type":"text","text":"H"},"body":{"text":"B"},"footer":{"text":"F"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}},{"type":"reply","reply":{"id":"n","title":"No = no"}}]}}"#
            ),
            (
                [to, "B", "--url-button", "See=https://a.example/?a=b"], "interactive",
                #"{"type":"cta_url","body":{"text":"B"},"action":{"name":"cta_url","parameters":{"display_text":"See","url":"https://a.example/?a=b"}}}"#
            ),
            (
                [to, "B", "--list", list], "interactive",
                #"{"type":"list","body":{"text":"B"},"action":{"button":"See","sections":[{"rows":[{"id":"1","title":"T"}]}]}}"#
            ),
            (
                ["--body", body], "interactive",
                #"{"type":"catalog_message","body":{"text":"B"},"action":{"name":"catalog_message"}}"#
            ),
            ([to, "x", "--preview", "--reply-to", "wamid.A"], "text", #"{"body":"x","preview_url":true}"#),
        ]
        for (arguments, type, content) in sends {
            let sent = try lab.ctl(list: ["send"] + arguments)
            #expect(sent.status == 0, "\(arguments): \(sent.text)")
            let body = try received(lab, String(sent.text.dropLast()))
            #expect(text(body[type]) == content, "\(arguments)")
            #expect((body[path: "context", "message_id"]?.string == "wamid.A") == arguments.contains("--reply-to"))
        }
    }

    @Test(arguments: [
        ["--image", "1", "--video", "1"], ["--caption", "x"], ["--image", "1", "text"], ["--image", "./a.png"],
        ["--react", "👍"], ["--react", "👍", "--to-message", "wamid.A", "--wait"], ["--buttons", "a=b"],
        ["x", "--buttons", "ab"], ["--location", "1"], ["--contact", "Ann"], ["--image", "1", "--template", "a"],
        ["--image", "1", "--preview"], ["--list", "/nowhere", "x"], ["x", "--filename", "a"],
    ]) func outboxctlRefusesWhatDoesNotGoTogether(_ options: [String]) throws {
        let folder = TemporaryFolder()
        let program = try Program(
            "outboxctl", ["send", "14155550100"] + options, environment: ["OUTBOXD_SOCKET": "/nowhere"],
            output: folder.file("log"))
        #expect(program.exitStatus() == 64, "\(program.words)")
    }
}
