import Foundation
import OutboxJSON
import TestKit
import Testing

/// What has ended goes when somebody says so; what waits stays.
@Suite(.serialized) struct RetentionTests {
    @Test func whatIsReadGoesAndItsKeyStaysAnswered() throws {
        let lab = try Lab()
        let body = #"{"to":"14155550100","message":"hi"}"#
        let first = try lab.call("POST", "/v1/messages", body, headers: ["Idempotency-Key: k1"])
        let id = try #require(first.json?[path: "data", "id"]?.string)
        try lab.wait(id, for: "read")
        let waiting = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#)
        #expect(try lab.ctl("retention", "set", "read", "--max-count", "0").status == 0)
        #expect(try lab.ctl("retention", "set", "events", "--max-count", "0").status == 0)
        let gone = try eventually { try lab.call("GET", "/v1/messages/\(id)").status == 404 }
        #expect(gone)
        #expect(try lab.message(waiting)["status"]?.string == "scheduled")
        let counts = try lab.call("GET", "/v1/status").json?[path: "data", "messages"]
        #expect(counts?["read"]?.integer == 0 && counts?["scheduled"]?.integer == 1)
        // The same call is still the same message.
        let again = try lab.call("POST", "/v1/messages", body, headers: ["Idempotency-Key: k1"])
        #expect(again.text == first.text)
        // Whoever reads the log from its beginning is told that there is none any more.
        var log = ""
        _ = try eventually {
            log = try lab.call("GET", "/v1/events?after=0").text
            return log.contains(#""log.gap""#)
        }
        #expect(log.contains(#""log.gap""#) && log.contains(waiting) && !log.contains(id), "\(log)")
        lab.killDaemon()
        try lab.startDaemon()
        let rules = try lab.call("GET", "/v1/retention").json?["data"]?.list
        let rule = rules?.first { $0["kind"]?.string == "read" }
        #expect(rule?["maxCount"]?.integer == 0 && rule?["maxAgeSeconds"]?.isNull == true)
    }

    /// What is left between the gaps reaches every kind of follower, and who goes on behind the gap's own place.
    @Test func whatIsLeftAmongTheRemovedIsTold() throws {
        let lab = try Lab()
        let early = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#)
        let id = try lab.submit(to: "14155550101")
        try lab.wait(id, for: "read")
        let late = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, to: "14155550102")
        #expect(try lab.ctl("retention", "set", "read", "--max-count", "0").status == 0)
        let gone = try eventually { try lab.call("GET", "/v1/messages/\(id)").status == 404 }
        #expect(gone)
        let tail = try lab.ctl("tail", "--after", "0").text
        #expect(tail.contains("no longer kept") && tail.contains(early) && tail.contains(late), "\(tail)")
        let stream = try lab.call("GET", "/v1/events?after=0", headers: ["Accept: text/event-stream"]).text
        let place = try #require(stream.split(separator: "\n").first { $0.hasPrefix("id: ") }).dropFirst(4)
        let again = try lab.call("GET", "/v1/events?after=\(place)").text
        #expect(stream.contains("log.gap") && again.contains(early) && again.contains(late), "\(again)")
        // One that is gone is not found, as everywhere; a tool can tell it from a wrong field.
        #expect(try lab.call("GET", "/v1/events?message=\(id)").status == 404)
        #expect(try lab.ctl("tail", "--message", id).status == 4)
    }

    @Test func wrongRulesAreRefusedByName() throws {
        let lab = try Lab(line: nil)
        let wrong = try lab.call("PUT", "/v1/retention/read", #"{"maxAgeSeconds":0,"days":3}"#)
        let fields = wrong.json?[path: "error", "details"]?.list.compactMap { $0["field"]?.string } ?? []
        #expect(wrong.status == 400 && Set(fields) == ["maxAgeSeconds", "days"])
        #expect(try lab.call("PUT", "/v1/retention/queued", "{}").status == 404)
        #expect(try lab.ctl("retention", "set", "read").status == 64)
        #expect(try lab.ctl("retention", "ls").text.contains("7776000"))
    }
}
