import Foundation
import OutboxJSON
import TestKit
import Testing

/// A copy taken while everything goes on, and put back: nothing acknowledged before it is lost, nothing leaves twice by
/// itself.
@Suite(.serialized) struct BackupTests {
    private func restore(_ lab: Lab, _ arguments: String...) throws -> (status: Int32?, text: String) {
        let file = lab.folder.file("restore-\(UInt32.random(in: 0 ... .max)).log")
        let program = try Program("outboxd", ["restore", "--state-dir", lab.state] + arguments, output: file)
        let status = program.exitStatus()
        return (status, program.words)
    }

    private func posts(_ lab: Lab) throws -> [String] {
        try lab.sandbox("GET", "ledger?limit=100000")?["data"]?.list.compactMap { $0["opaque"]?.string } ?? []
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func whatMayHaveLeftSinceWaitsForAWord() throws {
        let lab = try Lab()
        let before = try lab.submit()
        try lab.wait(before, for: "read")
        let later = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, to: "14155550109")
        #expect(try lab.ctl("pause", "--line", "main").status == 0)
        let waiting = try (1...3).map { try lab.submit(to: "1415555020\($0)") }
        let file = lab.folder.file("backup.db")
        #expect(try lab.ctl("backup", file).status == 0)
        #expect(try mode(file) == 0o600)
        #expect(try lab.ctl("backup", file).status == 5)
        #expect(try lab.ctl("backup", file, "--force").status == 0)
        let logEnd = try #require(try lab.call("GET", "/v1/cursors").json?[path: "meta", "logEnd"]?.integer)

        // The life after the backup, which the backup knows nothing of.
        #expect(try lab.ctl("resume", "--all").status == 0)
        for id in waiting { try lab.wait(id, for: "read") }
        let lost = try lab.submit(to: "14155550300")
        try lab.wait(lost, for: "read")
        #expect(try restore(lab, file).status == 75)
        #expect(lab.stopDaemon() == 0)
        let sent = try posts(lab)

        let verified = try restore(lab, file, "--verify")
        #expect(verified.status == 0 && verified.text.contains("3 queued"), "\(verified.text)")
        let restored = try restore(lab, file)
        #expect(restored.status == 0, "\(restored.text)")
        #expect(restored.text.contains("3 messages that may have left"), "\(restored.text)")
        let kept = try FileManager.default.contentsOfDirectory(atPath: lab.state)
            .filter { $0.contains(".replaced-") && !$0.hasSuffix("-wal") }
        #expect(kept.count == 1, "\(kept)")
        try lab.startDaemon()

        for id in waiting {
            let message = try lab.message(id)
            #expect(message["status"]?.string == "processing" && message["gate"]?.string == "outcome_unknown")
            #expect(message["onUnknown"]?.string == "hold")
        }
        #expect(try lab.message(before)["status"]?.string == "read")
        #expect(try lab.message(later)["status"]?.string == "scheduled")
        #expect(try lab.call("GET", "/v1/messages/\(lost)").status == 404)
        #expect(try lab.ctl("pause", "ls").text.contains("restored from a backup of"))
        let fresh = try lab.submit(to: "14155550400")
        // As long as it takes for something that should not leave to have left.
        #expect(!eventually(within: 1) { (try? posts(lab)) != sent })

        // An operator's word.
        #expect(try lab.ctl("unknown", "resolve", waiting[0], "--as", "sent").status == 0)
        #expect(try lab.ctl("unknown", "resolve", waiting[1], "--as", "failed").status == 0)
        #expect(try lab.ctl("unknown", "resolve", waiting[2], "--as", "resend").status == 0)
        #expect(try lab.ctl("resume", "--all").status == 0)
        try lab.wait(waiting[2], for: "read")
        try lab.wait(fresh, for: "read")
        #expect(try lab.message(waiting[0])["status"]?.string == "sent")
        #expect(try lab.message(waiting[1])["status"]?.string == "failed")
        let again = try posts(lab)
        #expect(Set(again).count == again.count, "one attempt was posted twice")
        #expect(again.count == sent.count + 2)
        // No number of the log stands for two events.
        let log = try lab.call("GET", "/v1/events?after=\(logEnd)").text
        let first = try #require(log.split(separator: "\n").first { !$0.contains("log.gap") })
        let number = try JSONParser().parse(first.utf8)["seq"]?.integer ?? 0
        #expect(log.contains("log.gap") && number > logEnd + 1_000_000, "\(first)")
        #expect(lab.stopDaemon() == 0)
    }

    @Test func whatIsNoBackupIsRefusedAndChangesNothing() throws {
        let lab = try Lab()
        let id = try lab.submit()
        try lab.wait(id, for: "read")
        let good = lab.folder.file("good.db")
        #expect(try lab.ctl("backup", good).status == 0)
        #expect(lab.stopDaemon() == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: good))
        func written(_ name: String, _ data: Data) throws -> String {
            try data.write(to: URL(fileURLWithPath: lab.folder.file(name)))
            return lab.folder.file(name)
        }
        let text = try written("text", Data("this is no database\n".utf8))
        let half = try written("half", bytes.prefix(bytes.count / 2))
        var broken = bytes
        for index in 5000..<min(20_000, broken.count) { broken[index] = 0xAA }
        let damaged = try written("damaged", broken)
        let before = try Data(contentsOf: URL(fileURLWithPath: "\(lab.state)/outboxd.db"))
        #expect(try restore(lab, lab.folder.file("nothing")).status == 66)
        #expect(try restore(lab, text).status == 65)
        for file in [half, damaged] {
            let answer = try restore(lab, file)
            #expect(answer.status == 65, "\(answer.text)")
            #expect(try restore(lab, file, "--verify").status != 0)
        }
        #expect(try restore(lab).status == 64)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(lab.state)/outboxd.db")) == before)
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "read")
        // A damaged database is what a backup is for.
        #expect(lab.stopDaemon() == 0)
        try Data("rubbish".utf8).write(to: URL(fileURLWithPath: "\(lab.state)/outboxd.db"))
        #expect(try restore(lab, good).status == 0)
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "read")
    }

    /// SIGKILL at any moment of a restore leaves the old database, the new one, or a mark that lets no daemon start.
    @Test func aRestoreThatIsKilledLosesNothing() throws {
        let lab = try Lab()
        #expect(try lab.ctl("pause", "--everything").status == 0)
        let old = try (0..<40).map { try lab.submit(to: "141555502\($0 + 10)") }
        let file = lab.folder.file("backup.db")
        #expect(try lab.ctl("backup", file).status == 0)
        let new = try lab.submit(to: "14155550300")
        lab.killDaemon()
        for _ in 0..<25 {
            let program = try Program(
                "outboxd", ["restore", "--state-dir", lab.state, file], output: lab.folder.file("killed.log"))
            usleep(UInt32.random(in: 1000...120_000))
            program.kill(SIGKILL)
        }
        let last = try restore(lab, file)
        #expect(last.status == 0, "\(last.text)")
        try lab.startDaemon()
        for id in old { #expect(try lab.message(id)["status"]?.string == "processing") }
        // What was there before is kept whole, its log with it.
        #expect(lab.stopDaemon() == 0)
        let kept = try FileManager.default.contentsOfDirectory(atPath: lab.state)
            .filter { $0.contains(".replaced-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }.sorted()
        let counts = try kept.map { name in
            try sqlite("\(lab.state)/\(name)", "SELECT count(*) FROM message", log: lab.folder.file("\(name).count"))
        }
        #expect(counts.contains("41"), "\(kept) \(counts) \(new)")
    }

    /// SIGKILL of the daemon while it copies leaves no backup, or a whole one.
    @Test func aBackupThatIsCutOffIsNone() throws {
        let lab = try Lab()
        _ = try (0..<200).map { try lab.submit(to: "14155551\($0 + 100)") }
        for round in 0..<8 {
            let file = lab.folder.file("backup-\(round).db")
            let program = try Program(
                "outboxctl", ["backup", file], environment: ["OUTBOXD_SOCKET": lab.socket],
                output: lab.folder.file("backup.log"))
            usleep(UInt32.random(in: 1000...60_000))
            lab.killDaemon()
            let status = program.exitStatus()
            if FileManager.default.fileExists(atPath: file) {
                #expect(try restore(lab, file, "--verify").status == 0)
            } else {
                #expect(status != 0)
            }
            #expect(!FileManager.default.fileExists(atPath: "\(file).new"))
            try lab.startDaemon()
            let left = try FileManager.default.contentsOfDirectory(atPath: lab.state).filter { $0.contains(".backup") }
            #expect(left.isEmpty, "\(left)")
        }
    }
}
