import Foundation
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

@Suite(.serialized) struct EventTests {
    @Test func followersHearEverythingInBothFormats() throws {
        let lab = try Lab()
        let lines = try EventReader(lab, "follow=true")
        let sent = try EventReader(lab, "follow=true", serverSent: true)
        #expect(lines.head.contains("content-type: application/x-ndjson"))
        #expect(sent.head.contains("content-type: text/event-stream"))
        let ids = try (0..<20).map { try lab.submit(#","metadata":{"n":\#n \#($0)}"#, to: "141555501\(10 + $0)") }
        var heard: [JSONValue] = []
        var read = 0
        while read < 20, let event = try lines.event() {
            heard.append(event)
            if event[path: "data", "status"]?.string == "read" { read += 1 }
        }
        for id in ids {
            #expect(statuses(heard, of: id) == (try lab.told(id)))
            #expect(statuses(heard, of: id).last == "read")
        }
        #expect(sequences(heard) == sequences(heard).sorted() && Set(sequences(heard)).count == heard.count)
        #expect(heard.first?[path: "data", "metadata", "n"]?.integer == 0)
        for event in heard {
            let fields = try #require(sent.fields())
            #expect(fields["id"] == event["seq"]?.integer.map(String.init))
            #expect(fields["event"] == event["event"]?.string)
            let data = try JSONParser().parse(try #require(fields["data"]).utf8)
            #expect(data["id"]?.string == event["id"]?.string && data["data"] != nil)
        }
        // Whoever comes again goes on where it was.
        let again = try EventReader(
            lab, "follow=true&after=0", serverSent: true, headers: ["Last-Event-ID: \(sequences(heard)[4])"])
        #expect(again.fields()?["id"] == String(sequences(heard)[5]))
        let first = try #require(sequences(heard).first)
        #expect(sequences(try lab.log("after=\(first - 1)")) == sequences(heard))
        #expect(sequences(try lab.log("after=\(sequences(heard)[9])&limit=3")) == Array(sequences(heard)[10..<13]))
    }

    @Test func filtersTakeWhatTheySay() throws {
        let lab = try Lab()
        #expect(
            try lab.call("PUT", "/v1/lines/other", #"{"phoneNumberId":"107","token":"t","pool":"main",\#(Lab.freely)}"#)
                .status == 201)
        let here = try lab.submit(to: "14155550111")
        let there = try lab.submit(to: "14155550112", line: "other")
        for id in [here, there] { try lab.wait(id, for: "read") }
        func ids(_ query: String) throws -> Set<String> {
            Set(try lab.log(query).compactMap { $0[path: "data", "messageId"]?.string })
        }
        #expect(try ids("") == [here, there])
        #expect(try ids("line=other") == [there])
        #expect(try ids("to=%2B1%20415%20555%200111") == [here])
        #expect(try ids("message=\(there)") == [there])
        #expect(try ids("message=\(there)&line=main").isEmpty)
        #expect(try lab.log("message=\(here)").count == lab.told(here).count)
        #expect(try ids("event=message.status_updated") == [here, there])
        #expect(try lab.log("event=message.no_receipt,message.duplicate").isEmpty)
        let end = try #require(sequences(try lab.log()).last)
        for (query, field) in [
            ("after=x", "after"), ("after=-1", "after"), ("after=\(end + 1000)", "after"), ("follow=1", "follow"),
            ("limit=0", "limit"), ("event=nonsense", "event"), ("to=12", "to"), ("line=none", "line"),
            ("cursor=none", "cursor"), ("cursor=a%20b", "cursor"), ("since=1", "since"),
            ("line=main&line=main", "line"),
        ] {
            let answer = try lab.call("GET", "/v1/events?\(query)")
            #expect(answer.status == 400, "\(query)")
            #expect(answer.json?[path: "error", "details"]?.list.first?["field"]?.string == field, "\(answer.text)")
        }
        #expect(try lab.call("GET", "/v1/events", headers: ["Last-Event-ID: x"]).status == 400)
        #expect(try lab.call("GET", "/v1/events?message=x").status == 404)
        #expect(try lab.call("POST", "/v1/events").status == 405)
    }

    @Test func aMissingBeginningIsTold() throws {
        let lab = try Lab()
        let own = try lab.submit()
        try lab.wait(own, for: "read")
        let all = sequences(try lab.log())
        let cut = try #require(sequences(try lab.log("message=\(own)")).first)
        let program = try Program(
            "/usr/bin/sqlite3",
            ["-cmd", ".timeout 20000", lab.folder.file("state/outboxd.db"), "DELETE FROM event WHERE seq <= \(cut)"],
            output: lab.folder.file("sqlite.log"))
        #expect(program.exitStatus() == 0)
        let events = try lab.log("after=1")
        #expect(events.first?["event"]?.string == "log.gap")
        #expect(events.first?[path: "data", "from"]?.integer == 2 && events.first?[path: "data", "to"]?.integer == cut)
        #expect(sequences(events) == all.filter { $0 > cut })
        #expect(sequences(try lab.log()) == all.filter { $0 > cut })
        #expect(try lab.log("after=\(cut)").first?["event"]?.string != "log.gap")
        let json = try lab.ctl("tail", "-o", "json", "--after", "1").text.split(separator: "\n")
        #expect(json.count == events.count && json.first?.contains("log.gap") == true)
        #expect(try lab.ctl("tail", "--after", "0").text.contains("events 1 to \(cut) are no longer kept"))
        #expect(!(try lab.ctl("tail").text.contains("kept")))
        let id = try #require(events.last?[path: "data", "messageId"]?.string)
        #expect(sequences(try lab.log("message=\(id)&after=0")) == sequences(events))
    }

    @Test func aCursorMovesOnAndNeverBackByItself() throws {
        let lab = try Lab()
        try lab.wait(try lab.submit(), for: "read")
        let all = sequences(try lab.log())
        let end = try #require(all.last)
        func put(_ body: String) throws -> (Int, Int64?) {
            let answer = try lab.call("PUT", "/v1/cursors/job-1", body)
            return (answer.status, answer.json?[path: "data", "after"]?.integer)
        }
        #expect(try lab.call("GET", "/v1/cursors/job-1").status == 404)
        #expect(try put(#"{"after":2}"#) == (201, 2))
        #expect(try put(#"{"after":\#(end)}"#) == (200, end))
        #expect(try put(#"{"after":1}"#) == (200, end))
        #expect(try put(#"{"after":1,"rewind":true}"#) == (200, 1))
        #expect(try put(#"{"after":\#(end + 1)}"#).0 == 400)
        #expect(try put(#"{"after":-1}"#).0 == 400)
        #expect(try put(#"{}"#).0 == 400)
        #expect(try lab.call("PUT", "/v1/cursors/a%20b", #"{"after":1}"#).status == 400)
        // What is only a message's own history has a number, and is not told.
        #expect(sequences(try lab.log("cursor=job-1")) == all.filter { $0 > 1 })
        #expect(sequences(try lab.log("cursor=job-1&after=3")) == all.filter { $0 > 3 })
        let one = try lab.call("GET", "/v1/cursors/job-1").json?["data"]
        #expect(one?["behind"]?.integer == end - 1 && one?["cursor"]?.string == "job-1")
        let list = try lab.call("GET", "/v1/cursors").json
        #expect(list?["data"]?.list.count == 1 && list?[path: "meta", "logEnd"]?.integer == end)
        #expect(try lab.ctl("cursor", "ls").text.hasPrefix("job-1\t1\t"))
        #expect(try lab.ctl("cursor", "rm", "job-1").status == 0)
        #expect(try lab.call("DELETE", "/v1/cursors/job-1").status == 404)
    }

    /// A reader that acknowledges what it has, a daemon killed again and again, messages all the while.
    @Test func aCursorLosesNothingWhenTheDaemonIsKilled() throws {
        let lab = try Lab(sandbox: ["--latency", "2"])
        #expect(try lab.call("PUT", "/v1/cursors/c", #"{"after":0}"#).status == 201)
        let running = Lock(true)
        let accepted = Lock<[String]>([])
        let caller = OutboxSystem.Thread("caller") {
            var number = 0
            while running.withLock({ $0 }), number < 100_000 {
                number += 1
                let body = #"{"to":"1415556\#(1000 + number % 9000)","line":"main","message":"x"}"#
                guard let answer = try? lab.tryCall("POST", "/v1/messages", body),
                    let id = answer.json?[path: "data", "id"]?.string
                else {
                    usleep(2000)
                    continue
                }
                accepted.withLock { $0.append(id) }
                usleep(500)
            }
        }
        defer {
            running.withLock { $0 = false }
            caller.join()
        }
        let heard = Lock<[[Int64]]>([])
        let reading = Lock(true)
        let reader = OutboxSystem.Thread("reader") {
            while reading.withLock({ $0 }) {
                guard let answer = try? lab.tryCall("GET", "/v1/events?cursor=c&limit=37"), answer.status == 200 else {
                    usleep(2000)
                    continue
                }
                let events = answer.text.split(separator: "\n").compactMap { try? JSONParser().parse($0.utf8) }
                guard let last = sequences(events).last else {
                    usleep(2000)
                    continue
                }
                heard.withLock { $0.append(sequences(events)) }
                _ = try? lab.tryCall("PUT", "/v1/cursors/c", #"{"after":\#(last)}"#)
            }
        }
        defer {
            reading.withLock { $0 = false }
            reader.join()
        }
        var kills = 0
        while kills < 8 || kills < 100 && accepted.withLock({ $0.count }) <= 50 {
            usleep(150_000)
            lab.killDaemon()
            try lab.startDaemon()
            kills += 1
        }
        running.withLock { $0 = false }
        caller.join()
        let ids = accepted.withLock { $0 }
        #expect(ids.count > 50)
        for id in ids {
            let ended = try eventually { ["read", "processing"].contains(try lab.message(id)["status"]?.string) }
            #expect(ended)
        }
        let caughtUp = try eventually {
            let messages = try lab.call("GET", "/v1/status").json?[path: "data", "messages"]
            let cursor = try lab.call("GET", "/v1/cursors/c").json?[path: "data", "after"]?.integer
            return try ["queued", "retrying", "sent", "delivered"].allSatisfy { messages?[$0]?.integer == 0 }
                && cursor == sequences(lab.log()).last
        }
        #expect(caughtUp)
        reading.withLock { $0 = false }
        reader.join()
        let log = try lab.log()
        let pages = heard.withLock { $0 }
        #expect(Set(pages.joined()) == Set(sequences(log)))
        for page in pages { #expect(page == page.sorted()) }
        // Only what was not acknowledged came again: each page begins behind some acknowledged event.
        var end: Int64 = 0
        for page in pages {
            #expect((page.first ?? 0) <= (sequences(log).first { $0 > end } ?? .max), "something was passed over")
            end = max(end, page.last ?? 0)
        }
        for id in ids.prefix(200) { #expect(statuses(log, of: id) == (try lab.told(id))) }
    }

    @Test func whoTakesNothingIsCutOffAndCostsNoMemory() throws {
        let lab = try Lab(sandbox: ["--fault", "silent"])
        let long = String(repeating: "m", count: 3900)
        let items = (0..<5000).map {
            #"{"to":"1415555\#(1000 + $0 % 9000)","message":"a","metadata":{"m":"\#(long)"}}"#
        }
        for part in stride(from: 0, to: items.count, by: 1000) {
            let body = #"{"messages":[\#(items[part..<part + 1000].joined(separator: ","))]}"#
            #expect(try lab.call("POST", "/v1/messages/bulk", body).status == 202)
        }
        let sent = try eventually {
            try lab.call("GET", "/v1/status").json?[path: "data", "messages", "sent"]?.integer == 5000
        }
        #expect(sent)
        // Sixty megabytes of log for each of eight readers that take nothing, and one that takes all.
        let before = try lab.memoryKilobytes()
        let slow = try (0..<8).map { _ in try EventReader(lab, "after=0&follow=true") }
        let reader = try EventReader(lab, "")
        var count = 0
        while let event = try reader.event() {
            count += 1
            #expect(event["seq"]?.integer == Int64(count))
        }
        #expect(count >= 15_000)
        #expect(slow.allSatisfy { $0.client.wasLeft(withinMilliseconds: 60_000) })
        #expect(try lab.memoryKilobytes() < before + 40_000 * memoryFactor)
        #expect(try EventReader(lab, "after=0&limit=1").event() != nil)
    }

    @Test func followersAreBoundedAndEndWithTheDaemon() throws {
        let lab = try Lab()
        let followers = try (0..<16).map { _ in try EventReader(lab, "follow=true") }
        #expect(followers.allSatisfy { $0.head.hasPrefix("HTTP/1.1 200") })
        let refused = try lab.call("GET", "/v1/events")
        #expect(refused.status == 503 && refused.text.contains("of this user"))
        #expect(lab.stopDaemon() == 0)
        for follower in followers {
            #expect(follower.client.hearChunk() == [])
            #expect(follower.client.isEnded())
        }
    }
}
