import Foundation
import OutboxJSON
import TestKit
import Testing

/// outboxctl as an operator uses it from day to day.
@Suite(.serialized) struct OperatorTests {
    private func write(_ lab: Lab, _ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: lab.folder.file(name)))
        return lab.folder.file(name)
    }

    private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    @Test func aFileOfMessagesIsQueuedOnce() throws {
        let lab = try Lab()
        let csv = try write(
            lab, "people.csv",
            "\u{FEFF}to;message;priority\r\n+14155550101;\"Hello; \"\"Ann\"\"\";high\r\n14155550102;\"two\nlines\";\r\n\r\n"
        )
        let sent = try lab.ctl("send", "--from", csv, "-o", "id", "--idempotency-key", "k1")
        let ids = lines(sent.text)
        #expect(sent.status == 0 && ids.count == 2, "\(sent.text)")
        let first = try lab.wait(ids[0], for: "read")
        #expect(first["message"]?.string == #"Hello; "Ann""# && first["priority"]?.string == "high")
        #expect(try lab.wait(ids[1], for: "read")["message"]?.string == "two\nlines")
        let again = try lab.ctl("send", "--from", csv, "-o", "id", "--idempotency-key", "k1")
        #expect(lines(again.text) == ids)

        let ndjson = try write(
            lab, "more.ndjson",
            #"{"to":"14155550103","message":"hi","metadata":{"a":1}}"# + "\r\n\n" + #"{"to":"12","message":"x"}"# + "\n"
        )
        let mixed = try lab.ctl("send", "--from", ndjson, "--priority", "low")
        #expect(mixed.status == 5 && mixed.text.contains("queued 1 of 2"), "\(mixed.text)")
        #expect(mixed.text.contains("line 3: to must be a phone number"), "\(mixed.text)")
        let dry = try lab.ctl("send", "--from", ndjson, "--dry-run")
        #expect(dry.status == 5 && dry.text.contains("would queue 1 of 2"), "\(dry.text)")
        let status = try lab.call("GET", "/v1/status").json?[path: "data", "messages"]
        #expect((status?.members.map { $0.value.integer ?? 0 } ?? []).reduce(0, +) == 3)
    }

    @Test func variablesOfATemplateAreColumns() throws {
        let lab = try Lab()
        let csv = try write(lab, "t.csv", "to,name,var.line\n14155550101,Ann,7\n")
        let sent = try lab.ctl("send", "--from", csv, "-t", "hello", "--at", "2099-01-01T00:00:00Z", "-o", "id")
        let id = try #require(lines(sent.text).first)
        let shown = try lab.ctl("show", id).text
        #expect(shown.contains(#""parameter_name":"name","text":"Ann""#), "\(shown)")
        #expect(shown.contains(#""parameter_name":"line","text":"7""#), "\(shown)")
        for (text, words) in [
            ("to,name\n14155550101,Ann\n", "name is no field of a message"), ("message\nhi\n", "no column to"),
            ("to,message\n14155550101\n", "line 2: 1 fields"), ("to,message\n1,\"open\n", "never closed"),
            ("", "empty"), ("to,to\n1,2\n", "twice"),
        ] {
            let answer = try lab.ctl("send", "--from", try write(lab, "wrong.csv", text), "--format", "csv")
            #expect(answer.status == 64 && answer.text.contains(words), "\(text): \(answer.text)")
        }
    }

    @Test func filtersCountCancelMoveAndRetry() throws {
        let lab = try Lab()
        try lab.call("PUT", "/v1/lines/other", #"{"phoneNumberId":"107","token":"t","pool":"main",\#(Lab.freely)}"#)
        #expect(try lab.ctl("pause", "--everything").status == 0)
        let ids = try (0..<5).map { try lab.submit(to: "1415555010\($0)") }
        let later = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, to: "14155550200")

        let counted = try lab.ctl("cancel", "--line", "main", "--dry-run")
        #expect(counted.status == 0 && counted.text.contains("6 messages in all"), "\(counted.text)")
        #expect(counted.text.contains("main\tqueued\t-\t5") && counted.text.contains("main\tscheduled\tdue_time\t1"))
        #expect(try lab.ctl("cancel").status == 64)
        #expect(try lab.ctl("cancel", ids[0], "--all").status == 64)

        #expect(try lab.ctl("move", ids[0], "--line-to", "nowhere").status == 5)
        #expect(try lab.ctl("move", ids[0], "--line-to", "main").status == 5)
        let moved = try lab.ctl("move", "--line", "main", "--status", "queued", "--line-to", "other", "-o", "id")
        #expect(moved.status == 0 && Set(lines(moved.text)) == Set(ids), "\(moved.text)")
        for id in ids { #expect(try lab.message(id)["line"]?.string == "other") }
        #expect(try lab.message(later)["line"]?.string == "main")
        #expect(try lab.ctl("tail", "--after", "0").text.contains("message.moved"))
        #expect(try lab.ctl("show", ids[0]).text.contains("movedFrom"))

        let queue = try lab.ctl("queue")
        #expect(queue.text.contains("other\tpause\t5") && queue.text.contains("main\tdue_time\t1"), "\(queue.text)")
        let top = try lab.ctl("top", "--once")
        #expect(top.status == 0 && top.text.contains("paused: everything") && top.text.contains("other"), "\(top.text)")

        #expect(try lab.ctl("cancel", "--to", "14155550100").text.contains("1 done"))
        #expect(try lab.message(ids[0])["status"]?.string == "cancelled")
        let listed = try lab.ctl("ls", "--line", "other", "--status", "queued", "-o", "id")
        #expect(lines(listed.text) == ids.dropFirst().reversed())
        #expect(try lab.ctl("resume", "--all").status == 0)
        for id in ids.dropFirst() { try lab.wait(id, for: "read") }
        #expect(try lab.ctl("move", ids[1], "--line-to", "main").status == 5)
        let numbers = try lab.sandbox("GET", "ledger?limit=100")?["data"]?.list.count
        #expect(numbers == 4)
        #expect(lab.stopDaemon() == 0)
    }

    @Test func theDoctorNamesWhatIsWrong() throws {
        let lab = try Lab()
        let well = try lab.ctl("doctor")
        for check in ["disk flush", "sqlite", "clock", "token of main", "graph version", "webhooks", "permissions"] {
            #expect(well.text.contains(check), "\(well.text)")
        }
        let findings = try #require(try lab.call("GET", "/v1/doctor").json?["data"]?.list)
        #expect(findings.allSatisfy { ["ok", "warning", "problem"].contains($0["verdict"]?.string ?? "") })
        #expect(findings.allSatisfy { $0["verdict"]?.string == "ok" || $0["remedy"]?.string != nil }, "\(well.text)")
        chmod("\(lab.state)/secrets/app.default.secret", 0o644)
        let ill = try lab.ctl("doctor")
        #expect(ill.status == 8 && ill.text.contains("chmod go="), "\(ill.text)")
        #expect(try lab.ctl("doctor", "--json").text.hasPrefix(#"{"data":["#))
    }

    @Test func outputsAreForProgramsToo() throws {
        let lab = try Lab()
        let id = try lab.submit()
        try lab.wait(id, for: "read")
        #expect(try lab.ctl("ls", "-o", "id").text == "\(id)\n")
        #expect(try lab.ctl("line", "ls", "-o", "id").text == "main\n")
        #expect(try lab.ctl("-o", "json", "status").text.hasPrefix(#"{"data":{"#))
        #expect(try lab.ctl("show", id, "-o", "id").status == 64)
        #expect(try lab.ctl("ls", "-o", "xml").status == 64)
        #expect(try lab.ctl("ls", "--json", "-o", "id").status == 64)
        let watched = try Program(
            "outboxctl", ["status", "--watch=1"], environment: ["OUTBOXD_SOCKET": lab.socket],
            output: lab.folder.file("watch.log"))
        #expect(eventually { watched.words.components(separatedBy: "serving since").count > 2 })
        watched.kill(SIGKILL)
    }
}
