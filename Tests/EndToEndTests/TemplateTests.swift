import Foundation
import OutboxJSON
import TestKit
import Testing

/// Templates made, changed, removed, synced and previewed, with the real programs.
@Suite struct TemplateTests {
    private static let line = #"{"phoneNumberId":"106","wabaId":"102","token":"t",\#(Lab.freely)}"#
    private static let draft =
        #"{"name":"order_shipped","language":"en_US","category":"UTILITY","components":[{"type":"BODY","text":"Dear {{1}}, it left.","example":{"body_text":[["Ann"]]}}]}"#
    private static let place = "/v1/lines/main/templates"

    private func lab(_ sandbox: String...) throws -> Lab {
        let lab = try Lab(sandbox: sandbox, line: Self.line)
        #expect(
            try eventually {
                try lab.call("GET", "/v1/lines/main/health").json?["data"]?["templatesReadAt"]?.string != nil
            })
        return lab
    }

    private func status(_ lab: Lab) throws -> String? {
        try lab.call("GET", "\(Self.place)/order_shipped/en_US").json?["data"]?["status"]?.string
    }

    private func submit(_ lab: Lab) throws -> (status: Int, text: String) {
        let message =
            #"{"line":"main","to":"14155550100","template":{"name":"order_shipped","language":"en_US","components":[{"type":"body","parameters":[{"type":"text","text":"Ann"}]}]}}"#
        let answer = try lab.call("POST", "/v1/messages", message)
        return (answer.status, answer.text)
    }

    @Test func aTemplateIsMadeReviewedAndSent() throws {
        let lab = try lab("--approve-after", "200")
        let made = try lab.call("POST", Self.place, Self.draft)
        #expect(made.status == 201 && made.json?["data"]?["status"]?.string == "PENDING", "\(made.text)")
        // The verdict comes by webhook.
        #expect(try eventually { try status(lab) == "APPROVED" })
        let events = try lab.call("GET", "/v1/events?event=template.updated").text
        #expect(events.contains("PENDING") && events.contains("APPROVED"), "\(events)")
        let sent = try submit(lab)
        #expect(sent.status == 202, "\(sent.text)")
        #expect(try lab.call("GET", "/v1/events?event=operator.change").text.contains("template.created"))
        let again = try lab.call("POST", Self.place, Self.draft)
        #expect(again.status == 400 && again.text.contains("META_REFUSED") && again.text.contains("template edit"))
    }

    @Test func aRejectedTemplateIsNotSentAndMayBeChanged() throws {
        let lab = try lab("--approve-after", "-1")
        #expect(try lab.call("POST", Self.place, Self.draft).status == 201)
        #expect(try submit(lab).text.contains("PENDING with Meta"))
        try lab.sandbox("PUT", "templates/700001", #"{"status":"REJECTED","reason":"INVALID_FORMAT"}"#)
        #expect(try eventually { try status(lab) == "REJECTED" })
        #expect(try lab.call("GET", "/v1/events?event=template.updated").text.contains("INVALID_FORMAT"))
        let change =
            #"{"components":[{"type":"BODY","text":"Dear {{1}}, it is on its way.","example":{"body_text":[["Ann"]]}}]}"#
        let one = "\(Self.place)/order_shipped/en_US"
        let changed = try lab.call("PUT", one, change)
        #expect(changed.status == 200 && changed.text.contains("on its way"), "\(changed.text)")
        #expect(try status(lab) == "PENDING")
        let refused = try lab.call("PUT", one, change)
        #expect(refused.status == 400 && refused.text.contains("META_REFUSED"), "one under review is left alone")
        #expect(try lab.call("DELETE", one).text.contains(#""languages":["en_US"]"#))
        #expect(try lab.call("GET", one).status == 404)
    }

    @Test func aLostAnswerIsToldAsUnknownAndSettled() throws {
        let lab = try lab("--approve-after", "-1")
        for fault in ["lose-answer", "truncate", "reset", "garbage"] {
            try lab.setFaults("\(fault)/message_templates")
            let lost = try lab.call("POST", Self.place, Self.draft)
            #expect(lost.status == 502 && lost.text.contains("is unknown"), "\(fault): \(lost.text)")
            try lab.setFaults()
            #expect(try lab.call("POST", "/v1/lines/main/template-sync").status == 200)
            #expect(try status(lab) == "PENDING", "\(fault)")
            #expect(try lab.call("DELETE", "\(Self.place)/order_shipped").status == 200)
        }
        try lab.setFaults("error=131000/message_templates")
        let failed = try lab.call("POST", Self.place, Self.draft)
        #expect(failed.status == 502 && !failed.text.contains("is unknown"), "\(failed.text)")
        try lab.setFaults("error=2388019/message_templates")
        #expect(try lab.call("POST", Self.place, Self.draft).text.contains("as many templates as it may"))
        try lab.setFaults("throttle=5/message_templates")
        #expect(try lab.call("POST", Self.place, Self.draft).status == 429)
    }

    @Test func listsComeInPagesAndBySelection() throws {
        let lab = try lab()
        let templates = (0..<205).map {
            #"{"id":"9\#($0)","name":"t\#($0)","language":"\#($0 % 2 == 0 ? "en_US" : "de")","status":"\#($0 % 5 == 0 ? "PAUSED" : "APPROVED")","category":"UTILITY","components":[{"type":"BODY","text":"Number \#($0) for Ann"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Stop\#($0)"}]}]}"#
        }
        try lab.sandbox("PUT", "templates", #"{"templates":[\#(templates.joined(separator: ","))]}"#)
        let sync = try lab.call("POST", "/v1/lines/main/template-sync").json?["data"]
        #expect(sync?["total"]?.integer == 205 && sync?["changes"]?.list.count == 207)
        func all(_ query: String, limit: Int) throws -> [String] {
            var names: [String] = []
            var cursor: String?
            repeat {
                let after = cursor.map { "&cursor=\($0)" } ?? ""
                let page = try lab.call("GET", "\(Self.place)?limit=\(limit)\(query)\(after)").json
                let data = page?["data"]?.list ?? []
                #expect(data.count <= limit)
                names += data.compactMap { $0["name"]?.string }
                cursor = page?["meta"]?["pagination"]?["cursor"]?.string
            } while cursor != nil && names.count < 1000
            return names
        }
        #expect(Set(try all("", limit: 100)).count == 205)
        #expect(try all("", limit: 7).count == 205)
        #expect(try all("&language=de", limit: 50).count == 102)
        #expect(try all("&status=paused", limit: 10).count == 41)
        #expect(try all("&status=PAUSED,APPROVED&category=utility", limit: 200).count == 205)
        #expect(try all("&name=t7", limit: 20) == ["t7"])
        #expect(try all("&q=NUMBER%207%20FOR", limit: 20) == ["t7"])
        #expect(try all("&q=stop20", limit: 2).count == 6)
        #expect(try all("&q=nowhere", limit: 20).isEmpty)
        #expect(try lab.call("GET", "\(Self.place)?cursor=x").status == 400)
        let text = try lab.ctl("template", "ls", "main", "--status", "PAUSED").text
        #expect(text.split(separator: "\n").count == 41)
    }

    /// What is refused before it goes is what Meta's stand-in, by a reading of its own, would refuse; and the other way.
    @Test func whatIsRefusedIsWhatWouldBeRefused() throws {
        let lab = try lab("--approve-after", "-1")
        let meta = try SandboxLab("--approve-after", "-1")
        let long = String(repeating: "x", count: 1025)
        let body = #"{"type":"BODY","text":"Hi"}"#
        let components: [(String, isRight: Bool)] = [
            (body, true),
            (#"{"type":"BODY","text":"a {{1}} b","example":{"body_text":[["c"]]}}"#, true),
            (#"{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},\#(body)"#, true),
            (#"\#(body),{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"}]}"#, true),
            (#"{"type":"FOOTER","text":"x"}"#, false),
            (#"{"type":"BODY","text":"\#(long)"}"#, false),
            (#"{"type":"BODY","text":"{{1}} b","example":{"body_text":[["c"]]}}"#, false),
            (#"{"type":"BODY","text":"a {{1}} b"}"#, false),
            (#"{"type":"BODY","text":"a {{x}} b","example":{"body_text":[["c"]]}}"#, false),
            (#"{"type":"HEADER","format":"IMAGE"},\#(body)"#, false),
            (#"{"type":"HEADER","format":"SOUND"},\#(body)"#, false),
            (#"\#(body),{"type":"FOOTER","text":"a {{1}} b"}"#, false),
            (#"\#(body),{"type":"BUTTONS","buttons":[]}"#, false),
            (#"\#(body),{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE"}]}"#, false),
            (#"\#(body),{"type":"BUTTONS","buttons":[{"type":"URL","text":"x","url":"https://a/{{1}}"}]}"#, false),
            (#"\#(body),\#(body)"#, false),
        ]
        for (index, entry) in components.enumerated() {
            func draft(_ more: String) -> String {
                #"{"name":"t\#(index)","language":"en_US","category":"UTILITY"\#(more),"components":[\#(entry.0)]}"#
            }
            let ours = try lab.call("POST", Self.place, draft(#","dryRun":true"#))
            let theirs = try meta.call("POST", "/v25.0/102/message_templates", draft(""))
            #expect((ours.status == 200) == entry.isRight, "\(entry.0): \(ours.text)")
            #expect((theirs.status == 200) == entry.isRight, "\(entry.0): \(theirs.code ?? 0)")
        }
    }

    @Test func theToolDoesItAll() throws {
        let lab = try lab("--approve-after", "0")
        let file = lab.folder.file("draft.json")
        try Data(Self.draft.utf8).write(to: URL(fileURLWithPath: file))
        #expect(try lab.ctl("template", "create", "main", file, "--dry-run").text.contains("may go to Meta"))
        let made = try lab.ctl("template", "create", "main", file)
        #expect(made.status == 0 && made.text.contains("order_shipped/en_US is PENDING"), "\(made.text)")
        #expect(
            try eventually { try lab.ctl("template", "ls", "main").text.contains("order_shipped\ten_US\tAPPROVED") })
        let half = try lab.ctl("template", "preview", "main", "order_shipped", "en_US")
        #expect(half.status == 8 && half.text.contains("{{1}}") && half.text.contains("missing: "), "\(half.text)")
        let whole = try lab.ctl("template", "preview", "main", "order_shipped", "en_US", "-p", "Bo")
        #expect(whole.status == 0 && whole.text.contains("Dear Bo, it left."))
        #expect(try lab.ctl("template", "show", "main", "order_shipped", "en_US").text.contains("body_text"))
        try Data(#"{"components":[{"type":"BODY","text":"Bye"}]}"#.utf8).write(to: URL(fileURLWithPath: file))
        #expect(try lab.ctl("template", "edit", "main", "order_shipped", "en_US", file).status == 0)
        #expect(try lab.ctl("template", "sync", "main").text.contains("templates, "))
        #expect(try lab.ctl("template", "rm", "main", "order_shipped").status == 64)
        #expect(try lab.ctl("template", "rm", "main", "order_shipped", "--all-languages").text.contains("en_US"))
        try Data("{".utf8).write(to: URL(fileURLWithPath: file))
        #expect(try lab.ctl("template", "create", "main", file).status == 64)
    }
}
