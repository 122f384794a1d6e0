import Foundation
import OutboxJSON
import TestKit
import Testing

/// The process as systemd and an operator see it.
@Suite(.serialized) struct ProcessTests {
    @Test func sigtermLetsSendsUnderWayEndAndRecordsThem() throws {
        let lab = try Lab(sandbox: ["--latency", "5000"])
        let bulk = (0..<100).map { #"{"to":"14155550\#(100 + $0)","message":"hi"}"# }.joined(separator: ",")
        #expect(try lab.call("POST", "/v1/messages/bulk", #"{"messages":[\#(bulk)]}"#).status == 202)
        let list = try lab.call("GET", "/v1/messages?limit=100").json?["data"]?.list
        let ids = try #require(list).compactMap { $0["id"]?.string }
        #expect(ids.count == 100)
        let underWay = try eventually {
            try lab.call("GET", "/v1/status").json?[path: "data", "messages", "processing"]?.integer == 64
        }
        #expect(underWay)
        #expect(lab.stopDaemon() == 0)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 64)
        try lab.startDaemon()
        // Nothing was left open: what went out is known to have gone out, the rest goes now.
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "unknownOutcomes"]?.integer == 0)
        for id in ids { try lab.wait(id, for: "read") }
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 100)
    }

    @Test func whatDoesNotEndInTimeIsUnknownAndLaterSettled() throws {
        let lab = try Lab(sandbox: ["--latency", "4000"], daemon: ["--stop-timeout", "1"])
        let id = try lab.submit()
        _ = try eventually { try lab.message(id)["status"]?.string == "processing" }
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon()
        let message = try lab.wait(id, for: "read")
        #expect(message["attempts"]?.integer == 1)
        #expect(message["timeline"]?.list.contains { $0["event"]?.string == "outcomeUnknown" } == true)
    }

    @Test func aSecondDaemonOnTheSameFileIsRefused() throws {
        let lab = try Lab()
        var arguments = lab.arguments
        arguments[arguments.firstIndex(of: "--socket").map { $0 + 1 } ?? 0] = lab.folder.file("b.sock")
        let second = try Program("outboxd", arguments, output: lab.folder.file("second.log"))
        #expect(second.exitStatus() == 75)
        #expect(second.words.contains("another outboxd works on"))
        #expect(try lab.call("GET", "/healthz").status == 200)
    }

    @Test func whatCannotStartSaysWhyWithAStatusOfItsOwn() throws {
        let folder = TemporaryFolder()
        func start(_ arguments: String...) throws -> (Int32?, String) { try start(arguments) }
        func start(_ arguments: [String]) throws -> (Int32?, String) {
            let program = try Program("outboxd", arguments, output: folder.file("\(UInt32.random(in: 0 ... .max)).log"))
            return (program.exitStatus(), program.words)
        }
        #expect(try start("--nonsense").0 == 64)
        #expect(try start("word").0 == 64)
        let wrong = try start("--state-dir", folder.path, "--graph-url", "http://example.com")
        #expect(wrong.0 == 78 && wrong.1.contains("graph-url"))
        #expect(try start("--state-dir", folder.path, "--config", folder.file("none")).0 == 78)
        try "log-level = loud\n".write(toFile: folder.file("c"), atomically: true, encoding: .utf8)
        let config = try start("--state-dir", folder.path, "--config", folder.file("c"))
        #expect(config.0 == 78 && config.1.contains("line 1"))
        #expect(try start("--state-dir", "/proc/nope").0 == 73)
        for url in [
            "http://localhost.example", "http://127.0.0.1.example/", "http://a@localhost", "ftp://x", "https://",
        ] {
            #expect(try start("--state-dir", folder.path, "--graph-url", url).0 == 78, "\(url)")
        }
        let sockets = ["--socket", folder.file("a"), "--webhook-socket", folder.file("w")]
        let same = try start(["--state-dir", folder.file("s")] + sockets + ["--webhook-socket", folder.file("a")])
        #expect(same.0 == 78 && same.1.contains("two different paths"))
    }

    @Test func onlyASocketMakesRoomForASocket() throws {
        let folder = TemporaryFolder()
        try "precious".write(toFile: folder.file("plain"), atomically: true, encoding: .utf8)
        let program = try Program(
            "outboxd",
            ["--state-dir", folder.file("s"), "--socket", folder.file("plain"), "--webhook-socket", folder.file("w")],
            output: folder.file("log"))
        #expect(program.exitStatus() == 69)
        #expect(try String(contentsOfFile: folder.file("plain"), encoding: .utf8) == "precious")
        let same = try Program(
            "outboxd",
            ["--state-dir", folder.file("s"), "--socket", folder.file("w"), "--webhook-socket", folder.file("w")],
            output: folder.file("log2"))
        #expect(same.exitStatus() == 78)
    }

    @Test func aStateFolderBehindALinkAndALookWithSqliteDoNoHarm() throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        try FileManager.default.moveItem(atPath: lab.state, toPath: lab.folder.file("real"))
        try FileManager.default.createSymbolicLink(atPath: lab.state, withDestinationPath: lab.folder.file("real"))
        try lab.startDaemon()
        // Who looks in with sqlite3 may find the daemon writing, as it may find them.
        let held = lab.folder.file("held")
        let look = ".timeout 20000\\nBEGIN IMMEDIATE;\\n.shell touch \(held)\\n"
        let hold = try Program(
            "/bin/sh",
            ["-c", "(printf '\(look)'; sleep 1; echo 'COMMIT;') | sqlite3 \(lab.folder.file("real/outboxd.db"))"],
            output: lab.folder.file("hold.log"))
        #expect(eventually { FileManager.default.fileExists(atPath: held) })
        let id = try lab.submit()
        #expect(hold.exitStatus() == 0)
        try lab.wait(id, for: "read")
    }

    @Test func anOutageCostsAProbeNowAndThen() throws {
        let lab = try Lab()
        try lab.setFaults("error=190")
        for index in 0..<300 { _ = try lab.submit(to: "14155550\(100 + index)") }
        _ = try eventually {
            try lab.call("GET", "/v1/status").json?[path: "data", "messages", "processing"]?.integer == 0
        }
        let received = try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer ?? 0
        // At most what was under way when the first refusal came, and a few probes.
        #expect(received >= 1 && received <= 150, "\(received) posts")
        try lab.setFaults()
        #expect(try lab.ctl("reload").status == 0)
        let out = try eventually {
            (try lab.call("GET", "/v1/status").json?[path: "data", "messages", "read"]?.integer ?? 0) >= 300 - received
        }
        #expect(out)
    }

    @Test func aRotatedTokenCountsAfterAReload() throws {
        let lab = try Lab(sandbox: ["--token", "new"], line: #"{"phoneNumberId":"106","token":"old",\#(Lab.freely)}"#)
        // Found out by asking how the number does, or by the message: it waits.
        let id = try lab.submit()
        #expect(
            try eventually {
                try lab.call("GET", "/v1/lines/main/why").json?[path: "data", "held", "errorCode"]?.string == "190"
            })
        #expect(["queued", "retrying"].contains(try lab.message(id)["status"]?.string ?? ""))
        try Data("new\n".utf8).write(to: URL(fileURLWithPath: lab.folder.file("state/secrets/line.main.token")))
        #expect(try lab.ctl("reload").status == 0)
        let second = try lab.submit(to: "14155550199")
        for id in [id, second] { try lab.wait(id, for: "read") }
    }

    @Test func sighupReloadsToo() throws {
        let lab = try Lab()
        lab.daemon?.signal(SIGHUP)
        #expect(eventually { lab.daemon?.words.contains("settings and secrets were read again") == true })
        #expect(try lab.call("GET", "/healthz").status == 200)
    }

    @Test func secretsAndNumbersStayOutOfTheWords() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"TOKEN-IN-CLEAR",\#(Lab.freely)}"#)
        let id = try lab.submit(to: "14155552671")
        try lab.wait(id, for: "read")
        #expect(lab.stopDaemon() == 0)
        let words = try #require(lab.daemon?.words)
        #expect(words.contains(id))
        for secret in ["TOKEN-IN-CLEAR", "14155552671", lab.secret] { #expect(!words.contains(secret)) }
        let database = try Data(contentsOf: URL(fileURLWithPath: lab.folder.file("state/outboxd.db")))
        #expect(database.range(of: Data("TOKEN-IN-CLEAR".utf8)) == nil)
        #expect(database.range(of: Data(lab.secret.utf8)) == nil)
    }

    @Test(.enabled(if: getuid() == 0, "needs root to become somebody else"))
    func callersAreToldByTheKernelsWord() throws {
        let lab = try Lab(daemon: ["--send-group", "daemon"])
        // The socket is open to all; the folders on the way to it must be, too.
        chmod(lab.folder.path, 0o755)
        func status(as identity: [String], _ method: String, _ path: String, _ body: String) throws -> String {
            let file = lab.folder.file("curl-\(UInt32.random(in: 0 ... .max)).log")
            let program = try Program(
                "/usr/bin/setpriv",
                identity + [
                    "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", lab.socket, "-X", method,
                    "-d", body, "http://x\(path)",
                ], output: file)
            #expect(program.exitStatus() == 0)
            return program.words
        }
        let stranger = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        let member = ["--reuid=65534", "--regid=65534", "--groups=1"]
        let message = #"{"to":"14155550100","message":"x"}"#
        #expect(try status(as: stranger, "POST", "/v1/messages", message) == "403")
        #expect(try status(as: stranger, "GET", "/v1/messages", "") == "403")
        #expect(try status(as: stranger, "GET", "/healthz", "") == "200")
        #expect(try status(as: member, "POST", "/v1/messages", message) == "202")
        #expect(try status(as: member, "GET", "/v1/messages", "") == "200")
        #expect(try status(as: member, "DELETE", "/v1/lines/main", "") == "403")
    }

    @Test func outboxctlTellsItsEndsApart() throws {
        let lab = try Lab()
        let sent = try lab.ctl("send", "14155550100", "hello")
        #expect(sent.status == 0)
        let id = sent.text.trimmingCharacters(in: .whitespacesAndNewlines)
        try lab.wait(id, for: "read")
        let shown = try lab.ctl("show", id)
        #expect(shown.status == 0 && shown.text.contains("read") && shown.text.contains("timeline"))
        #expect(try lab.ctl("show", id, "--json").text.hasPrefix("{\"data\":{\"id\":\"\(id)\""))
        let listed = try lab.ctl("ls", "--status", "read")
        #expect(listed.text.hasPrefix("\(id)\tread\tmain\t14155550100\t"))
        #expect(try lab.ctl("line", "ls").text.hasPrefix("main\t106\t"))
        #expect(try lab.ctl("status").text.contains("read\t1"))
        #expect(try lab.ctl("show", "nothing").status == 4)
        let refused = try lab.ctl("send", "12", "hello")
        #expect(refused.status == 5 && refused.text.contains("TO must be a phone number"))
        #expect(try lab.ctl("cancel", id).status == 5)
        #expect(try lab.ctl("retry", id).status == 5)
        #expect(try lab.ctl("send").status == 64)
        #expect(try lab.ctl("dance").status == 64)
        #expect(try lab.ctl("line", "add", "x", "--token", "in-the-open").status == 64)
        for wrong in [["-hello"], ["hi", "-p", "A"], ["hi", "--language", "de"]] {
            #expect(try lab.ctl(list: ["send", "14155550100"] + wrong).status == 64, "\(wrong)")
        }
        #expect(try lab.ctl("send", "14155550100", "--dry-run", "--", "-hello").status == 0)
        #expect(try lab.ctl("explain-code", "131026").text.contains("Message undeliverable"))
        #expect(try lab.ctl("explain-code", "EXPIRED").status == 0)
        #expect(try lab.ctl("explain-code", "12345").status == 4)
        let manual = try lab.ctl("explain-code", "--manual").text
        for code in ["QUEUE_FULL", "OUTCOME_UNKNOWN", "131026", "131047"] {
            #expect(manual.contains("\n.It Li \(code)"), "\(code)")
        }
        // What is not given of a line stays as it is.
        #expect(try lab.ctl("line", "add", "main", "--on-unknown", "resend", "--waba-id", "55").status == 0)
        #expect(try lab.ctl("line", "add", "main", "--unknown-grace", "77").status == 0)
        let line = try #require(try lab.call("GET", "/v1/lines/main").json?["data"])
        #expect(line["onUnknown"]?.string == "resend" && line["wabaId"]?.string == "55")
        #expect(line["unknownGraceSeconds"]?.integer == 77 && line["messagesPerSecond"]?.integer == 5000)
        let after = try lab.ctl("send", "14155550100", "still sends").text.trimmingCharacters(
            in: .whitespacesAndNewlines)
        try lab.wait(after, for: "read")
        #expect(try lab.ctl("line", "rm", "main").status == 0)
        #expect(try lab.ctl("--help").status == 0)
        #expect(try lab.ctl("send", "--help").text.contains("--template"))
        #expect(lab.stopDaemon() == 0)
        #expect(try lab.ctl("status").status == 3)
    }
}
