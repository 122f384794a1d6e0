import Foundation
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// A program answers what people write, through the real daemon.
@Suite struct BotTests {
    private func bodies(_ lab: Lab) throws -> [JSONValue] {
        try lab.sandbox("GET", "ledger?limit=1000")?["data"]?.list.compactMap { $0["body"] } ?? []
    }

    private func texts(_ lab: Lab) throws -> [String] {
        try bodies(lab).compactMap { $0[path: "text", "body"]?.string }
    }

    private func write(_ lab: Lab, _ text: String, from: String = "14155550100") throws -> String {
        let answer = try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"\#(from)","text":"\#(text)"}"#)
        return try #require(answer?["id"]?.string)
    }

    @Test func aBotAnswersOnceThroughAKill() throws {
        // The window is kept: a reply lies inside it.
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t","pairLimit":false}"#)
        let ear = try CallbackEar()
        let made = try lab.call("POST", "/v1/subscriptions", #"{"url":"\#(ear.url)","events":["message.received"]}"#)
        let bot = try #require(made.json?[path: "data", "id"]?.integer)
        let linked = try lab.ctl("line", "add", "main", "--bot", "\(bot)", "--auto-reply", "on")
        #expect(linked.status == 0, "\(linked.text)")
        let line = try #require(try lab.call("GET", "/v1/lines/main").json?["data"])
        #expect(line["bot"]?.integer == bot && line[path: "autoReply", "enabled"]?.bool == true)
        #expect(line[path: "autoReply", "text"]?.isNull == true && line["pairLimit"]?.bool == false)

        ear.answer { call in
            let said = call.json?[path: "data", "text"]?.string ?? ""
            let body = said == "bad" ? #"{"reply":{"mesage":"x"}}"# : #"{"reply":{"message":"You said \#(said)"}}"#
            return HTTPResponse(status: 200, body: Array(body.utf8))
        }
        let wamid = try write(lab, "one")
        #expect(try eventually { try texts(lab) == ["You said one"] })
        #expect(try bodies(lab).first?[path: "context", "message_id"]?.string == wamid)
        _ = try write(lab, "two")
        lab.killDaemon()
        try lab.startDaemon()
        #expect(try eventually { try texts(lab).contains("You said two") })
        _ = try write(lab, "bad")
        func delivery() throws -> JSONValue? {
            try lab.call("GET", "/v1/subscriptions/\(bot)/deliveries?limit=1").json?["data"]?.list.first
        }
        #expect(try eventually { try delivery()?["error"]?.string?.hasPrefix("reply.mesage: is not known") ?? false })
        #expect(try delivery()?["status"]?.string == "delivered")
        let shown = try lab.call("GET", "/v1/subscriptions/\(bot)").json?["data"]
        #expect(shown?["lastError"]?.string?.hasPrefix("reply.mesage") == true && shown?["failures"]?.integer == 0)
        #expect(eventually { lab.daemon?.words.contains("a bot's reply was not sent: reply.mesage") ?? false })
        #expect(try texts(lab).sorted() == ["You said one", "You said two"])
    }

    @Test func aLineAnswersByItselfOnce() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t","pairLimit":false}"#)
        #expect(try lab.ctl("line", "add", "main", "--auto-reply", "Closed until nine").status == 0)
        for text in ["a", "b"] { _ = try write(lab, text) }
        _ = try write(lab, "c", from: "14155550101")
        #expect(try eventually { try texts(lab).count == 2 })
        #expect(try lab.ctl("line", "add", "main", "--auto-reply", "off").status == 0)
        let line = try #require(try lab.call("GET", "/v1/lines/main").json?["data"])
        #expect(line[path: "autoReply", "text"]?.string == "Closed until nine")
        #expect(line[path: "autoReply", "enabled"]?.bool == false && line["autoReplySeconds"]?.integer == 86_400)
        _ = try write(lab, "d", from: "14155550102")
        func received() throws -> Int {
            try lab.call("GET", "/v1/events?event=message.received").text.split(separator: "\n").count
        }
        #expect(try eventually { try received() == 4 })
        #expect(try texts(lab) == ["Closed until nine", "Closed until nine"])
        #expect(try lab.ctl("line", "add", "main", "--bot", "7").status != 0)
    }
}
