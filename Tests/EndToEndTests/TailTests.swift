import Foundation
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// outboxctl on the log: who follows it, and who waits for one message.
@Suite(.serialized) struct TailTests {
    @Test func tailGoesOnOverRestarts() throws {
        let lab = try Lab()
        let tail = try lab.background(["tail", "-f", "-o", "json"], output: "tail.json")
        let named = try lab.background(["tail", "-f", "--cursor", "c", "-o", "json"], output: "cursor.json")
        // They have begun when they hear of something.
        var first = 0
        let begun = try eventually {
            _ = try lab.submit(to: "141555502\(10 + first % 80)")
            first += 1
            return try !lab.lines(of: "tail.json").isEmpty && !lab.lines(of: "cursor.json").isEmpty
        }
        #expect(begun)
        for ending in [SIGKILL, SIGTERM, SIGKILL] {
            if ending == SIGKILL { lab.killDaemon() } else { #expect(lab.stopDaemon() == 0) }
            try lab.startDaemon()
            for index in 0..<10 { try lab.wait(try lab.submit(to: "141555503\(10 + index)"), for: "read") }
        }
        for file in ["tail.json", "cursor.json"] {
            var (heard, log): ([Int64], [Int64]) = ([], [])
            let all = try eventually {
                heard = sequences(try lab.lines(of: file))
                log = sequences(try lab.log())
                return heard == log.filter { $0 >= heard.first ?? 0 }
            }
            #expect(all, "\(file): nothing lost, nothing twice, in order: \(heard.suffix(20)) of \(log.suffix(20))")
        }
        let last = try #require(sequences(try lab.log()).last)
        let moved = try eventually {
            try lab.call("GET", "/v1/cursors/c").json?[path: "data", "after"]?.integer == last
        }
        #expect(moved)
        #expect(tail.isRunning && named.isRunning)
    }

    @Test func tailShowsLinesAndEndsWhenNobodyListens() throws {
        let lab = try Lab()
        let id = try lab.submit(to: "14155550111")
        try lab.wait(id, for: "read")
        let shown = try lab.ctl("tail", "--to", "14155550111")
        #expect(shown.status == 0)
        let lines = shown.text.split(separator: "\n")
        #expect(lines.count == (try lab.told(id).count))
        #expect(lines.last?.hasSuffix("\t\(id)\tmain\t14155550111\tmessage.status_updated\tread") == true)
        #expect(try lab.ctl("tail", "-o", "json", "--message", id, "--after", "1").text.hasPrefix("{\"id\":"))
        let cursor = try lab.ctl("tail", "--cursor", "once")
        #expect(cursor.status == 0 && cursor.text.contains(id))
        #expect(try lab.ctl("tail", "--cursor", "once").text.isEmpty)
        #expect(try lab.ctl("tail", "--event", "nonsense").status == 5)
        #expect(try lab.ctl("tail", "-o", "xml").status == 64)
        #expect(try lab.ctl("tail", "--after", "99999999").status == 5)
        // The programs' folder is not in the shell's path.
        let pipe = try Program(
            "/bin/bash",
            [
                "-c",
                "'\(programFolder)/outboxctl' tail -f --after 0 | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}",
            ], environment: ["OUTBOXD_SOCKET": lab.socket], output: lab.folder.file("pipe.log"))
        // It notices with the next event, or by itself after a while.
        let ended = try eventually {
            if pipe.isRunning { _ = try lab.submit(to: "14155550112") }
            return !pipe.isRunning
        }
        #expect(ended && pipe.exitStatus() == 0)
        #expect(pipe.words.isEmpty)
        #expect(lab.stopDaemon() == 0)
        #expect(try lab.ctl("tail", "-f").status == 3)
    }

    @Test func sendWaitsForWhatBecomesOfIt() throws {
        let lab = try Lab()
        let sent = try lab.ctl("send", "14155550111", "hello", "--wait")
        #expect(sent.status == 0, "\(sent.text)")
        let id = sent.text.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(["delivered", "read"].contains(try lab.message(id)["status"]?.string))
        let read = try lab.ctl("send", "14155550111", "hello", "--wait=read", "--json")
        #expect(read.status == 0 && read.text.split(separator: "\n").count == 2)
        #expect(try lab.ctl("send", "14155550111", "hello", "--wait=sent").status == 0)

        try lab.setFaults("error=131026:14155550113")
        let failed = try lab.ctl("send", "14155550113", "hello", "--wait=sent")
        #expect(failed.status == 6 && failed.text.contains("is failed: 131026"), "\(failed.text)")

        #expect(try lab.ctl("pause", "--everything", "--reason", "lunch").status == 0)
        let late = try lab.ctl("send", "14155550114", "hello", "--wait", "--timeout", "1s")
        #expect(late.status == 7 && late.text.contains("waits at pause"), "\(late.text)")
        #expect(late.text.split(separator: "\n").count == 2)

        let cancelled = try lab.background(["send", "14155550115", "hello", "--wait"], output: "cancelled.log")
        let queued = eventually { cancelled.words.hasSuffix("\n") }
        #expect(queued)
        let waiting = cancelled.words.trimmingCharacters(in: .whitespacesAndNewlines)
        // A daemon that comes again does not end the waiting.
        lab.killDaemon()
        try lab.startDaemon()
        #expect(try lab.call("POST", "/v1/messages/\(waiting)/cancel").status == 202)
        #expect(cancelled.exitStatus() == 6)
        #expect(cancelled.words.contains("is cancelled"))

        #expect(try lab.ctl("send", "14155550111", "x", "--wait=eaten").status == 64)
        #expect(try lab.ctl("send", "14155550111", "x", "--timeout", "1s").status == 64)
        #expect(try lab.ctl("send", "14155550111", "x", "--wait", "--dry-run").status == 64)
    }
}
