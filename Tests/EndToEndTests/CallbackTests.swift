import Foundation
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

@Suite struct CallbackTests {
    private func subscribe(_ lab: Lab, _ url: String, _ fields: String = "") throws -> JSONValue {
        let answer = try lab.call("POST", "/v1/subscriptions", #"{"url":"\#(url)"\#(fields)}"#)
        #expect(answer.status == 201, "\(answer.text)")
        return try #require(answer.json?["data"])
    }

    /// Standard Webhooks' own words: "{id}.{timestamp}.{body}".
    private func isSigned(_ call: CallbackEar.Call, _ secret: String?) throws -> Bool {
        let secret = try #require(secret.flatMap { CallbackSecret(text: $0) })
        let signed = Array("\(call.id).\(call.timestamp).".utf8) + call.body
        return call.signatures.contains("v1,\(Base64.text(hmacSHA256(key: secret.bytes, signed)))")
    }

    @Test func aMessagesStoryIsToldSignedAndInOrder() throws {
        let lab = try Lab()
        let ear = try CallbackEar()
        let made = try subscribe(lab, ear.url)
        let secret = made["secret"]?.string
        #expect(secret?.hasPrefix("whsec_") == true)
        let id = try lab.submit(#","metadata":{"order":7}"#)
        let told = ["queued", "processing", "sent", "delivered", "read"]
        func statuses() -> [String] {
            ear.calls.compactMap(\.json).filter { $0[path: "data", "messageId"]?.string == id }
                .compactMap { $0[path: "data", "status"]?.string }
        }
        #expect(eventually { statuses().count >= told.count })
        #expect(statuses() == told)
        for call in ear.calls {
            #expect(try isSigned(call, secret))
            #expect(call.json?["id"]?.string == call.id)
        }
        let last = try #require(ear.calls.last?.json?["data"])
        #expect(last["readAt"]?.string != nil && last[path: "metadata", "order"]?.integer == 7)
        #expect(Set(ear.calls.map(\.id)).count == ear.calls.count)

        // Shown once, and nowhere else than in its file.
        let text = try #require(secret)
        #expect(try !lab.call("GET", "/v1/subscriptions").text.contains(text))
        let journal = try #require(lab.daemon).words
        #expect(!journal.contains(text))
        let database = try Data(contentsOf: URL(fileURLWithPath: "\(lab.state)/outboxd.db"))
        #expect(database.range(of: Data(text.dropFirst(6).utf8)) == nil)
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(lab.state)/secrets")
        #expect(files.count { $0.hasPrefix("subscription.") } == 1)
        #expect(try lab.call("DELETE", "/v1/subscriptions/1").status == 204)
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(lab.state)/secrets")
        #expect(!left.contains { $0.hasPrefix("subscription.") })
    }

    @Test func aRotationHasNoGap() throws {
        let lab = try Lab()
        let ear = try CallbackEar()
        let old = try subscribe(lab, ear.url)["secret"]?.string
        let rotated = try lab.call("POST", "/v1/subscriptions/1/rotate")
        let new = rotated.json?[path: "data", "secret"]?.string
        #expect(rotated.status == 200 && new != old)
        #expect(try lab.call("POST", "/v1/subscriptions/1/rotate").status == 409)
        let first = try lab.submit()
        try lab.wait(first, for: "read")
        #expect(eventually { ear.calls.count >= 5 })
        for call in ear.calls {
            #expect(call.signatures.count == 2)
            let both = try isSigned(call, old) && isSigned(call, new)
            #expect(both)
        }
        let count = ear.calls.count
        #expect(try lab.call("DELETE", "/v1/subscriptions/1/old-secret").status == 204)
        #expect(try lab.call("DELETE", "/v1/subscriptions/1/old-secret").status == 404)
        try lab.wait(try lab.submit(to: "14155550101"), for: "read")
        #expect(eventually { ear.calls.count >= count + 5 })
        for call in ear.calls[count...] {
            let alone = try isSigned(call, new) && !isSigned(call, old)
            #expect(call.signatures.count == 1 && alone)
        }
    }

    @Test func aSecretAKillLeftIsRemovedAtTheNextStart() throws {
        let lab = try Lab()
        let ear = try CallbackEar()
        let made = try subscribe(lab, ear.url)
        let left = "\(lab.state)/secrets/subscription.0123456789abcdef"
        try Data("whsec_x\n".utf8).write(to: URL(fileURLWithPath: left))
        lab.killDaemon()
        try lab.startDaemon()
        #expect(!FileManager.default.fileExists(atPath: left))
        // The one in use signs on.
        #expect(try lab.call("POST", "/v1/subscriptions/1/test").json?[path: "data", "delivered"]?.bool == true)
        let call = try #require(ear.calls.last)
        #expect(try isSigned(call, made["secret"]?.string))
    }

    /// A dead endpoint and a killed daemon: afterwards everything was told, and in order.
    @Test func killsAndADeadEndpointLoseNothing() throws {
        let line = #"{"phoneNumberId":"106","token":"t","onUnknown":"resend","unknownGraceSeconds":1,\#(Lab.freely)}"#
        let lab = try Lab(line: line)
        let dead = try CallbackEar()
        let port = dead.port
        _ = try subscribe(lab, dead.url)
        dead.end()
        var ids: [String] = []
        for number in 0..<6 {
            ids.append(try lab.submit(to: "1415555\(1000 + number)"))
            if number % 3 == 2 {
                lab.killDaemon()
                try lab.startDaemon()
            }
        }
        let ear = try CallbackEar(port: port)
        func story(_ id: String) -> [Int64] {
            ear.calls.filter { $0.json?[path: "data", "messageId"]?.string == id }.map(\.sequence)
        }
        /// What its timeline holds, but for what is its own history alone.
        func isTold(_ id: String) throws -> Bool {
            let message = try lab.message(id)
            let timeline = message["timeline"]?.list.filter { $0["event"]?.string != "noted" } ?? []
            let isOut = ["sent", "delivered", "read"].contains(message["status"]?.string)
            return isOut && Set(story(id)).count == timeline.count
        }
        let complete = try eventually(within: 120) { try ids.allSatisfy(isTold) }
        let state = try lab.call("GET", "/v1/subscriptions").text
        #expect(complete, "\(state)")
        for id in ids {
            let story = story(id)
            #expect(story == story.sorted(), "\(story)")
        }
    }

    @Test func theCommandsWork() throws {
        let lab = try Lab()
        let ear = try CallbackEar()
        let added = try lab.ctl("webhook", "add", ear.url, "--events", "message.status_updated", "--line", "main")
        #expect(added.status == 0 && added.text.contains("whsec_"), "\(added.text)")
        let tested = try lab.ctl("webhook", "test", "1")
        #expect(tested.status == 0 && tested.text.contains("HTTP 204"), "\(tested.text)")
        #expect(ear.calls.first?.json?["event"]?.string == "test")
        try lab.wait(try lab.submit(), for: "read")
        #expect(eventually { ear.calls.count >= 6 })
        let delivered = try eventually {
            try lab.ctl("webhook", "deliveries", "1", "--status", "delivered").text.split(separator: "\n").count == 5
        }
        #expect(delivered)
        let replayed = try lab.ctl("webhook", "replay", "1", "--from", "1")
        #expect(replayed.status == 0 && replayed.text.contains("5 events"), "\(replayed.text)")
        #expect(eventually { ear.calls.count >= 11 })
        let again = Dictionary(grouping: ear.calls.dropFirst(), by: \.id)
        #expect(again.count == 5 && again.values.allSatisfy { $0.count == 2 })

        ear.answer { _ in HTTPResponse(status: 410) }
        _ = try lab.submit(to: "14155550109")
        let ended = try eventually { try lab.ctl("webhook", "ls").text.contains("410") }
        #expect(ended)
        #expect(try lab.ctl("status").text.contains("subscription 1 is inactive"))
        #expect(try lab.ctl("webhook", "test", "1").status == 5)
        ear.answer { _ in HTTPResponse(status: 200, body: [UInt8](repeating: 0x61, count: 200_000)) }
        #expect(try lab.ctl("webhook", "set", "1", "--active", "yes").status == 0)
        // The answer's length does not matter.
        let all = try eventually {
            try lab.call("GET", "/v1/subscriptions/1").json?[path: "data", "waiting"]?.integer == 0
                && lab.ctl("webhook", "deliveries", "1", "--status", "delivered").text.split(separator: "\n").count
                    == 10
        }
        #expect(all)
        #expect(try lab.ctl("webhook", "rm", "1").status == 0)
        #expect(try lab.ctl("webhook", "rm", "1").status == 4)
        #expect(try lab.ctl("webhook", "ls").text.isEmpty)
    }

    @Test func whatIsWrongIsNamed() throws {
        let lab = try Lab()
        func refusal(_ body: String) throws -> (Int, String?) {
            let answer = try lab.call("POST", "/v1/subscriptions", body)
            return (answer.status, answer.json?[path: "error", "details"]?.list.first?["field"]?.string)
        }
        for (body, field) in [
            (#"{}"#, "url"), (#"{"url":"http://example.com/"}"#, "url"),
            (#"{"url":"https://u:p@example.com/"}"#, "url"),
            (#"{"url":"https://example.com/","line":"nowhere"}"#, "line"),
            (#"{"url":"https://example.com/","events":["message.eaten"]}"#, "events"),
            (#"{"url":"https://example.com/","secret":"whsec_AAAA"}"#, "secret"),
            (#"{"url":"https://example.com/","after":999999}"#, "after"),
            (#"{"url":"https://example.com/","colour":"red"}"#, "colour"),
        ] {
            let (status, named) = try refusal(body)
            #expect(status == 400 && named == field, "\(body): \(status) \(named ?? "-")")
        }
        // What came of nothing leaves no secret behind.
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(lab.state)/secrets")
        #expect(!files.contains { $0.hasPrefix("subscription.") })
        #expect(try lab.call("GET", "/v1/subscriptions/7").status == 404)
        #expect(try lab.call("GET", "/v1/subscriptions/7/deliveries").status == 404)
        #expect(try lab.call("POST", "/v1/subscriptions/7/test").status == 404)
        #expect(try lab.call("POST", "/v1/subscriptions/7/rotate").status == 404)
        #expect(try lab.call("POST", "/v1/subscriptions/7/replay", #"{"from":1}"#).status == 404)
        #expect(try lab.call("PUT", "/v1/subscriptions/x", #"{"url":"https://example.com/"}"#).status == 404)
    }
}
