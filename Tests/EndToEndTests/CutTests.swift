import Foundation
import OutboxJSON
import TestKit
import Testing

/// The exchange with Meta broken off at each point, in each manner; the sandbox's ledger says what really got there.
@Suite(.serialized) struct CutTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var point: CutProxy.Point
        /// Nil: the daemon is killed there.
        var manner: CutProxy.Manner?
        var testDescription: String { "\(point.rawValue), \(manner?.rawValue ?? "kill -9")" }

        static let all = CutProxy.Point.allCases.flatMap { point in
            (CutProxy.Manner.allCases.map { $0 as CutProxy.Manner? } + [nil]).map { Case(point: point, manner: $0) }
        }
    }

    private func lab(_ proxy: inout CutProxy?, _ line: String = "") throws -> Lab {
        var made: CutProxy?
        let lab = try Lab(
            daemon: ["--request-timeout", "2"], line: #"{"phoneNumberId":"106","token":"t"\#(line),\#(Lab.freely)}"#,
            between: { port in
                let proxy = try CutProxy(to: port)
                made = proxy
                return proxy.port
            })
        proxy = made
        return lab
    }

    private func accepted(_ lab: Lab) throws -> Int64 {
        try lab.sandbox("GET", "summary")?[path: "data", "accepted"]?.integer ?? -1
    }

    private func breakOff(_ one: Case, _ lab: Lab, _ proxy: CutProxy) throws {
        #expect(eventually { proxy.reached > 0 }, "the daemon did not send")
        if one.manner == nil {
            lab.killDaemon()
            proxy.letGo()
            proxy.set(nil)
            try lab.startDaemon()
        }
    }

    /// Held: what Meta took is settled by its webhooks, the rest stays unknown until somebody says what to do.
    @Test(arguments: Case.all) func nothingIsLostAndNothingDoubled(_ one: Case) throws {
        var made: CutProxy?
        let lab = try lab(&made, #","onUnknown":"hold""#)
        let proxy = try #require(made)
        proxy.set(CutProxy.Cut(point: one.point, manner: one.manner ?? .stall))
        let id = try lab.submit()
        try breakOff(one, lab, proxy)
        if one.point.isTaken {
            let message = try lab.wait(id, for: "read")
            #expect(message["attempts"]?.integer == 1)
            #expect(try accepted(lab) == 1)
            return
        }
        // A reset right after connecting may come before a byte was sent: certainly not sent, and tried again by itself.
        let mayBeUnsent = one.point == .connected
        let broken = try eventually {
            let message = try lab.message(id)
            return message["gate"]?.string == "outcome_unknown"
                || mayBeUnsent && message["errorCode"]?.string == "NOT_CONNECTED"
        }
        #expect(broken)
        #expect(try accepted(lab) == 0)
        if !mayBeUnsent { #expect(try lab.ctl("unknown", "ls").text.contains(id)) }
        proxy.set(nil)
        proxy.letGo()
        // A line through which nothing got need not wait for its next try.
        #expect(try lab.ctl("reload").status == 0)
        var resolved = false
        let ended = try eventually {
            let message = try lab.message(id)
            if !resolved, message["gate"]?.string == "outcome_unknown" {
                #expect(try lab.ctl("unknown", "resolve", id, "--as", "resend").status == 0)
                resolved = true
            }
            return message["status"]?.string == "read"
        }
        #expect(ended && (resolved || mayBeUnsent))
        let message = try lab.message(id)
        let attempts = try #require(message["attempts"]?.integer)
        #expect(attempts >= 2 && attempts <= Int64(proxy.reached) + 1)
        #expect(try accepted(lab) == 1)
    }

    /// Sent again: once more and no more, and what arrived twice says so.
    @Test(arguments: [CutProxy.Point.requestWhole, .taken]) func sentAgainIsSentOnceMore(_ point: CutProxy.Point) throws
    {
        var made: CutProxy?
        let lab = try lab(&made, #","onUnknown":"resend","unknownGraceSeconds":1"#)
        let proxy = try #require(made)
        // Meta's word comes too late.
        try lab.sandbox("PUT", "webhooks", #"{"paused":true}"#)
        proxy.set(CutProxy.Cut(point: point, manner: .reset))
        let id = try lab.submit()
        #expect(eventually { proxy.reached > 0 })
        proxy.set(nil)
        try lab.wait(id, for: "sent")
        #expect(try accepted(lab) == (point.isTaken ? 2 : 1))
        try lab.sandbox("PUT", "webhooks", #"{"paused":false}"#)
        let message = try lab.wait(id, for: "read")
        #expect(message["attempts"]?.integer == 2)
        let copies = try eventually {
            try lab.message(id)["duplicates"]?.list.count == (point.isTaken ? 1 : 0)
        }
        #expect(copies)
        if point.isTaken {
            let copy = try lab.message(id)["duplicates"]?.list.first
            #expect(copy?["attempt"]?.integer == 1)
            #expect(copy?["duplicateOf"]?.string == message["whatsappMessageId"]?.string)
            #expect(try lab.call("GET", "/v1/status").json?[path: "data", "duplicates"]?.integer == 1)
        }
    }

    /// Nothing listens, or nobody speaks TLS: certainly not sent, tried again without losing an attempt's count.
    @Test(arguments: ["http", "https"]) func whatNeverLeftIsTriedAgain(_ scheme: String) throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        // A TLS handshake with the sandbox, which speaks none; a port nobody listens on.
        let port = scheme == "https" ? lab.sandboxPort : 1
        let daemon = try Program(
            "outboxd", lab.arguments + ["--graph-url", "\(scheme)://127.0.0.1:\(port)"],
            output: lab.folder.file("unsent.log"))
        let serves = eventually { (try? lab.tryCall("GET", "/healthz").status) == 200 }
        #expect(serves)
        let id = try lab.submit()
        let unsent = try eventually { try lab.message(id)["errorCode"]?.string == "NOT_CONNECTED" }
        #expect(unsent)
        #expect(try lab.call("GET", "/v1/messages?gate=outcome_unknown").json?["data"]?.list.isEmpty == true)
        daemon.signal(SIGTERM)
        #expect(daemon.exitStatus() == 0)
        #expect(try accepted(lab) == 0)
        try lab.startDaemon()
        try lab.wait(id, for: "read")
        #expect(try accepted(lab) == 1)
    }

    /// Killed while the answer lies in memory and the file cannot be written: unknown, and settled by the webhook.
    @Test func anAnswerReadAndNotCommitted() throws {
        var made: CutProxy?
        let lab = try lab(&made, #","onUnknown":"hold""#)
        let proxy = try #require(made)
        proxy.set(CutProxy.Cut(point: .taken, manner: .stall))
        try lab.sandbox("PUT", "webhooks", #"{"paused":true}"#)
        let id = try lab.submit()
        #expect(eventually { proxy.reached > 0 })
        let holder = try DatabaseHolder(lab)
        // The answer comes now: half of it would do, the outcome cannot be written either way.
        proxy.set(nil)
        proxy.letGo()
        usleep(300_000)
        lab.killDaemon()
        holder.letGo()
        try lab.startDaemon()
        #expect(try lab.message(id)["gate"]?.string == "outcome_unknown")
        try lab.sandbox("PUT", "webhooks", #"{"paused":false}"#)
        #expect(try lab.wait(id, for: "read")["attempts"]?.integer == 1)
        #expect(try accepted(lab) == 1)
    }

    /// Killed right after the commit: it is sent, once.
    @Test func committedAndNotActedOn() throws {
        let lab = try Lab()
        try lab.sandbox("PUT", "webhooks", #"{"paused":true}"#)
        let id = try lab.submit()
        try lab.wait(id, for: "sent")
        lab.killDaemon()
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "sent")
        try lab.sandbox("PUT", "webhooks", #"{"paused":false}"#)
        #expect(try lab.wait(id, for: "read")["attempts"]?.integer == 1)
        #expect(try accepted(lab) == 1)
    }
}

/// Holds the database's write lock, as a program beside the daemon could.
private final class DatabaseHolder {
    private let program: Program
    private let flag: String

    init(_ lab: Lab) throws {
        let held = lab.folder.file("held")
        flag = lab.folder.file("let-go")
        let script = ".timeout 20000\\nBEGIN IMMEDIATE;\\n.shell touch \(held)\\n"
        let wait = "for i in $(seq 600); do [ -e \(flag) ] && break; sleep 0.1; done"
        program = try Program(
            "/bin/sh", ["-c", "(printf '\(script)'; \(wait); echo 'ROLLBACK;') | sqlite3 \(lab.state)/outboxd.db"],
            output: lab.folder.file("holder.log"))
        #expect(eventually { FileManager.default.fileExists(atPath: held) })
    }

    func letGo() {
        _ = FileManager.default.createFile(atPath: flag, contents: nil)
        #expect(program.exitStatus() == 0)
    }
}
