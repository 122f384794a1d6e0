import Foundation
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// The real programs: from the socket to Meta's stand-in and back.
@Suite(.serialized) struct RoadTests {
    @Test func aMessageIsFollowedToRead() throws {
        let lab = try Lab()
        let id = try lab.submit(#","metadata":{"orderId":"17","n":1.10}"#, to: "+1 (415) 555-2671")
        let message = try lab.wait(id, for: "read")
        #expect(message["to"]?.string == "14155552671")
        #expect(message["message"]?.string == "hi")
        #expect(message["metadata"].map { String(decoding: $0.raw, as: UTF8.self) } == #"{"orderId":"17","n":1.10}"#)
        #expect(message["attempts"]?.integer == 1 && message["errorCode"]?.isNull == true)
        let timeline = message["timeline"]?.list.filter { $0["event"]?.string != "noted" } ?? []
        #expect(timeline.compactMap { $0["status"]?.string } == ["queued", "processing", "sent", "delivered", "read"])
        let entry = try #require(try lab.sandbox("GET", "ledger")?["data"]?.list.first)
        #expect(entry["to"]?.string == "+14155552671")
        #expect(entry["opaque"]?.string == "\(id).1")
        #expect(entry[path: "body", "text", "body"]?.string == "hi")
        #expect(entry["phoneNumberId"]?.string == "106")
    }

    @Test func aTemplateLeavesAsMetaWantsIt() throws {
        let lab = try Lab()
        let answer = try lab.call(
            "POST", "/v1/messages",
            #"{"to":"14155550100","template":{"name":"order_ready","language":"en_US","components":[{"type":"body","parameters":[{"type":"text","text":"Sarah \u00e9 \"q\""}]}]}}"#
        )
        #expect(answer.status == 202)
        let id = try #require(answer.json?[path: "data", "id"]?.string)
        let message = try lab.wait(id, for: "read")
        #expect(message[path: "template", "language"]?.string == "en_US")
        let body = try #require(try lab.sandbox("GET", "ledger")?["data"]?.list.first?["body"])
        #expect(body["type"]?.string == "template")
        #expect(body[path: "template", "language", "code"]?.string == "en_US")
        let parameter = body[path: "template", "components"]?.list.first?["parameters"]?.list.first
        #expect(parameter?["text"]?.string == "Sarah é \"q\"")
    }

    @Test func everyWrongFieldIsNamedAtOnce() throws {
        let lab = try Lab()
        let answer = try lab.call(
            "POST", "/v1/messages",
            #"{"to":"12","message":"","template":{},"sendAt":"yesterday","expiresAt":"2020-01-01T00:00:00Z","priority":"urgent","metadata":[],"dryRun":1,"colour":"red","to":"3"}"#
        )
        #expect(answer.status == 400)
        #expect(answer.json?[path: "error", "code"]?.string == "VALIDATION_ERROR")
        let fields = answer.json?[path: "error", "details"]?.list.compactMap { $0["field"]?.string } ?? []
        #expect(
            Set(fields)
                == ["to", "template", "sendAt", "expiresAt", "priority", "metadata", "dryRun", "colour"])
        #expect(try lab.call("POST", "/v1/messages", "{").status == 400)
        #expect(try lab.call("POST", "/v1/messages", "").status == 400)
        #expect(try lab.call("GET", "/v1/messages").json?["data"]?.list.isEmpty == true)
    }

    @Test func aDryRunStoresNothing() throws {
        let lab = try Lab()
        let answer = try lab.call("POST", "/v1/messages", #"{"to":"14155550100","message":"x","dryRun":true}"#)
        #expect(answer.status == 200)
        #expect(answer.json?[path: "data", "estimate", "ahead"]?.integer == 0)
        let wrong = try lab.call(
            "POST", "/v1/messages", #"{"to":"14155550100","message":"x","line":"no","dryRun":true}"#)
        #expect(wrong.status == 400)
        #expect(try lab.call("GET", "/v1/messages").json?["data"]?.list.isEmpty == true)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 0)
    }

    @Test func aParameterThatWouldNotBeHeardIsRefused() throws {
        let lab = try Lab()
        let body = #"{"to":"14155550100","message":"x"}"#
        for path in ["/v1/messages?dryRun=true", "/v1/messages/bulk?atomic=1", "/v1/status?x=1"] {
            let answer = try lab.call(
                path.contains("status") ? "GET" : "POST", path, path.contains("status") ? "" : body)
            #expect(answer.status == 400, "\(path)")
        }
        #expect(try lab.call("POST", "/v1/messages/", body).status == 404)
        #expect(try lab.call("GET", "/v1/messages").json?["data"]?.list.isEmpty == true)
    }

    @Test func aBulkJudgesEachItemByItself() throws {
        let lab = try Lab()
        let answer = try lab.call(
            "POST", "/v1/messages/bulk",
            #"{"messages":[{"to":"14155550101","message":"a"},{"to":"x","message":"b"},{"to":"14155550103","line":"none","message":"c"},7]}"#
        )
        #expect(answer.status == 202)
        let data = try #require(answer.json?["data"])
        #expect(
            data["totalMessages"]?.integer == 4 && data["queued"]?.integer == 1 && data["failedCount"]?.integer == 3)
        #expect(data["errors"]?.list.compactMap { $0["index"]?.integer } == [1, 2, 3])
        let batch = try #require(data["batchId"]?.string)
        let listed = try lab.call("GET", "/v1/messages?batchId=\(batch)").json?["data"]?.list
        #expect(listed?.compactMap { $0["to"]?.string } == ["14155550101"])
    }

    @Test func anAtomicBulkIsAllOrNothing() throws {
        let lab = try Lab()
        for wrong in [#"{"to":"x","message":"b"}"#, #"{"to":"14155550103","line":"none","message":"c"}"#] {
            let answer = try lab.call(
                "POST", "/v1/messages/bulk",
                #"{"atomic":true,"messages":[{"to":"14155550101","message":"a"},\#(wrong)]}"#)
            #expect(answer.status == 400)
        }
        #expect(try lab.call("GET", "/v1/messages").json?["data"]?.list.isEmpty == true)
        let items = (0..<2000).map { #"{"to":"1415556\#(1000 + $0)","message":"a"}"# }.joined(separator: ",")
        let answer = try lab.call("POST", "/v1/messages/bulk", #"{"atomic":true,"messages":[\#(items)]}"#)
        #expect(answer.json?[path: "data", "queued"]?.integer == 2000)
    }

    @Test func aStreamOfLinesIsTakenAsItComes() throws {
        let lab = try Lab()
        var lines = (0..<5000).map { #"{"to":"1415556\#(1000 + $0)","message":"n\#($0)"}"# }
        lines[17] = "{broken"
        lines[4000] = #"{"to":"1"}"#
        let answer = try lab.call(
            "POST", "/v1/messages/bulk", lines.joined(separator: "\n"), headers: ["Content-Type: application/x-ndjson"])
        #expect(answer.status == 202)
        let data = try #require(answer.json?["data"])
        #expect(data["totalMessages"]?.integer == 5000 && data["queued"]?.integer == 4998)
        #expect(data["errors"]?.list.compactMap { $0["index"]?.integer } == [17, 4000])
        let done = try eventually(within: 60) {
            try lab.call("GET", "/v1/status").json?[path: "data", "messages", "read"]?.integer == 4998
        }
        #expect(done)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "accepted"]?.integer == 4998)
    }

    /// What the writer has when the stream turns out to be wrong is stored, and the answer says so.
    @Test func aStreamThatEndsInTooLongALineSaysWhatIsStored() throws {
        let lab = try Lab()
        let later = #""sendAt":"2099-01-01T00:00:00Z","message":"hi""#
        var lines = (0..<3000).map { #"{"to":"1415556\#(1000 + $0)",\#(later)}"# }
        lines.append(String(repeating: " ", count: 1 << 20) + "{}")
        let answer = try lab.call(
            "POST", "/v1/messages/bulk", lines.joined(separator: "\n"), headers: ["Content-Type: application/x-ndjson"])
        #expect(answer.status == 413, "\(answer.text.prefix(300))")
        #expect(answer.json?[path: "data", "queued"]?.integer == 3000)
        #expect(answer.json?[path: "error", "message"]?.string?.contains("line 3001") ?? false)
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "messages", "scheduled"]?.integer == 3000)
        let nothing = try lab.call(
            "POST", "/v1/messages/bulk", lines[3000], headers: ["Content-Type: application/x-ndjson"])
        #expect(nothing.status == 413 && nothing.json?[path: "data", "batchId"]?.string == nil)
    }

    /// Whoever goes on behind `totalMessages` leaves nothing out, and sends nothing twice.
    @Test func aStreamThatFindsNoRoomTellsHowFarItCame() throws {
        let lab = try Lab(daemon: ["--queue-max", "600"])
        let later = #""sendAt":"2099-01-01T00:00:00Z","message":"hi""#
        var lines = (0..<4000).map { #"{"to":"1415556\#(1000 + $0)",\#(later)}"# }
        for index in stride(from: 100, to: 4000, by: 10) { lines[index] = "{broken" }
        let answer = try lab.call(
            "POST", "/v1/messages/bulk", lines.joined(separator: "\n"), headers: ["Content-Type: application/x-ndjson"])
        let data = try #require(answer.json?["data"])
        #expect(answer.json?[path: "error", "code"]?.string == "QUEUE_FULL", "\(answer.status)")
        let total = try #require(data["totalMessages"]?.integer)
        let queued = try #require(data["queued"]?.integer)
        let failed = Int64(lines.prefix(Int(total)).count { $0 == "{broken" })
        #expect(queued >= 600 && queued < 2000 && data["failedCount"]?.integer == failed && queued + failed == total)
        #expect(data["errors"]?.list.count == Int(failed))
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "messages", "scheduled"]?.integer == queued)
    }

    @Test func scheduledMessagesLeaveAtTheirTimeAndCanBeTakenBack() throws {
        let lab = try Lab()
        let soon = Timestamp.iso(secondsFromNow: 1.5)
        let id = try lab.submit(#","sendAt":"\#(soon)""#)
        #expect(try lab.message(id)["status"]?.string == "scheduled")
        #expect(try lab.message(id)["gate"]?.string == "due_time")
        let other = try lab.submit(#","sendAt":"2099-01-01T00:00:00+02:00""#)
        #expect(try lab.call("POST", "/v1/messages/\(other)/cancel").status == 202)
        #expect(try lab.message(other)["status"]?.string == "cancelled")
        #expect(try lab.call("POST", "/v1/messages/\(other)/cancel").status == 409)
        let message = try lab.wait(id, for: "read")
        let left = try #require(message["sentAt"]?.string)
        #expect(left >= soon)
        let late = try lab.call("POST", "/v1/messages/\(id)/cancel")
        #expect(late.status == 409 && late.json?[path: "error", "code"]?.string == "TOO_LATE")
        #expect(try lab.call("POST", "/v1/messages/\(id)/retry").status == 409)
    }

    @Test func anExpiredMessageFails() throws {
        let lab = try Lab()
        try lab.setFaults("error=131016")
        let id = try lab.submit(#","expiresAt":"\#(Timestamp.iso(secondsFromNow: 1))""#)
        let message = try lab.wait(id, for: "failed")
        #expect(message["errorCode"]?.string == "EXPIRED")
    }

    @Test func listsFilterAndPage() throws {
        let lab = try Lab()
        var ids: [String] = []
        for index in 0..<7 { ids.append(try lab.submit(to: "1415555010\(index)")) }
        for id in ids { try lab.wait(id, for: "read") }
        let first = try lab.call("GET", "/v1/messages?limit=3").json
        #expect(first?["data"]?.list.compactMap { $0["id"]?.string } == [ids[6], ids[5], ids[4]])
        let cursor = try #require(first?[path: "meta", "pagination", "cursor"]?.string)
        let second = try lab.call("GET", "/v1/messages?limit=3&cursor=\(cursor)").json
        #expect(second?["data"]?.list.compactMap { $0["id"]?.string } == [ids[3], ids[2], ids[1]])
        let paged = try lab.call("GET", "/v1/messages?limit=3&page=3").json
        #expect(paged?["data"]?.list.compactMap { $0["id"]?.string } == [ids[0]])
        #expect(paged?[path: "meta", "pagination", "hasMore"]?.bool == false)
        #expect(try lab.call("GET", "/v1/messages?to=%2B14155550103").json?["data"]?.list.count == 1)
        #expect(try lab.call("GET", "/v1/messages?status=read,failed").json?["data"]?.list.count == 7)
        #expect(try lab.call("GET", "/v1/messages?status=failed").json?["data"]?.list.isEmpty == true)
        let wrong = try lab.call("GET", "/v1/messages?status=red&limit=0&cursor=x&page=1&colour=blue")
        #expect(wrong.status == 400)
        #expect(wrong.json?[path: "error", "details"]?.list.count == 4)
        #expect(try lab.call("GET", "/v1/messages/\(UUID().uuidString)").status == 404)
        #expect(try lab.call("GET", "/v2/nothing").status == 404)
        #expect(try lab.call("DELETE", "/v1/messages").status == 405)
    }

    @Test func anAnswerDoesNotGrowWithWhatACallerMakesUp() throws {
        let lab = try Lab()
        let fields = (0..<20_000).map { "\"f\($0)\":1" }.joined(separator: ",")
        let single = try lab.call("POST", "/v1/messages", "{\(fields)}")
        #expect(single.status == 400 && single.text.utf8.count < 4096)
        let bulk = try lab.call(
            "POST", "/v1/messages/bulk",
            #"{"messages":[\#(Array(repeating: "{\(fields)}", count: 50).joined(separator: ","))]}"#)
        #expect(bulk.status == 202 && bulk.text.utf8.count < 200_000)
    }

    @Test func aLineAndItsTokenChangeTogether() throws {
        let lab = try Lab()
        for _ in 0..<10 {
            let body = #"{"phoneNumberId":"106","token":"t"}"#
            func request(_ method: String, _ body: String) -> String {
                "\(method) /v1/lines/main HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let (first, second) = (RawClient(lab.socket), RawClient(lab.socket))
            first.say(request("DELETE", ""))
            second.say(request("PUT", body))
            _ = (first.hear(), second.hear())
            let exists = try lab.call("GET", "/v1/lines/main").status == 200
            let token = FileManager.default.fileExists(atPath: lab.folder.file("state/secrets/line.main.token"))
            #expect(exists == token)
            try lab.call("PUT", "/v1/lines/main", body)
        }
    }

    @Test func linesComeAndGo() throws {
        let lab = try Lab(line: nil)
        let none = try lab.call("POST", "/v1/messages", #"{"to":"14155550100","message":"x"}"#)
        #expect(none.status == 400)
        let wrong = try lab.call("PUT", "/v1/lines/x", #"{"phoneNumberId":"a b","onUnknown":"pray","tokken":"x"}"#)
        #expect(wrong.json?[path: "error", "details"]?.list.count == 4)
        #expect(try lab.call("PUT", "/v1/lines/x", #"{"phoneNumberId":"106","token":"secret-token"}"#).status == 201)
        #expect(try lab.call("PUT", "/v1/lines/x", #"{"phoneNumberId":"107","token":"secret-token"}"#).status == 200)
        #expect(try lab.call("GET", "/v1/lines/x").json?[path: "data", "phoneNumberId"]?.string == "107")
        #expect(try lab.call("GET", "/v1/lines").json?["data"]?.list.count == 1)
        #expect(!(try lab.call("GET", "/v1/lines").text.contains("secret-token")))
        let file = lab.folder.file("state/secrets/line.x.token")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "secret-token")
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        let id = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, line: "x")
        #expect(try lab.call("DELETE", "/v1/lines/x").status == 409)
        try lab.call("POST", "/v1/messages/\(id)/cancel")
        #expect(try lab.call("DELETE", "/v1/lines/x").status == 204)
        #expect(try lab.call("GET", "/v1/lines/x").status == 404)
        #expect(eventually { !FileManager.default.fileExists(atPath: file) })
        #expect(try lab.message(id)["line"]?.string == "x")
    }
}

enum Timestamp {
    static func iso(secondsFromNow seconds: Double) -> String {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        return formatter.string(from: Date().addingTimeInterval(seconds))
    }
}
