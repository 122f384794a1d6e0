import Foundation
import OutboxSystem
import TestKit
import Testing

/// Somebody who takes copies of the queue while outboxd is killed again and again: each copy is whole and holds what
/// was acknowledged before it was begun, or there is none.
final class CrashBackups: Sendable {
    private struct Count {
        var whole = 0
        var brokenOff = 0
        var wrong: [String] = []
    }

    private let lab: Lab
    private let count = Lock(Count())
    /// How many messages the queue holds at least, by what callers were told.
    private let promised: @Sendable () -> Int

    init(_ lab: Lab, promised: @escaping @Sendable () -> Int) {
        self.lab = lab
        self.promised = promised
    }

    func take(while running: Lock<Bool>) {
        while running.withLock({ $0 }) {
            do {
                try takeOne()
            } catch {
                count.withLock { $0.wrong.append("\(error)") }
            }
            usleep(50_000)
        }
    }

    private func takeOne() throws {
        let file = lab.folder.file("storm.db")
        let least = promised()
        let ctl = try Program("outboxctl", ["-s", lab.socket, "backup", file], output: lab.folder.file("storm.log"))
        let status = ctl.exitStatus()
        let isThere = FileManager.default.fileExists(atPath: file)
        defer { try? FileManager.default.removeItem(atPath: file) }
        guard status == 0 else {
            return count.withLock {
                $0.brokenOff += 1
                if isThere { $0.wrong.append("a backup that failed left its file") }
            }
        }
        let verify = try Program("outboxd", ["restore", "--verify", file], output: lab.folder.file("storm.log"))
        let isWhole = verify.exitStatus() == 0
        let words = verify.words
        let held = try sqlite(
            file, "SELECT count(*) FROM message WHERE recipient NOT IN ('14158888888', '14159999999')",
            log: lab.folder.file("storm.log"))
        count.withLock {
            $0.whole += 1
            if !isWhole { $0.wrong.append(words) }
            if (Int(held) ?? -1) < least {
                $0.wrong.append("\(held) messages in a backup, \(least) acknowledged before it")
            }
        }
    }

    /// One more at rest; what was found on the way is told.
    func end() throws {
        try takeOne()
        let all = count.withLock { $0 }
        #expect(all.wrong.isEmpty, "\(all.wrong.prefix(3))")
        #expect(all.whole > 0)
        print("crash test: \(all.whole) backups whole, \(all.brokenOff) broken off by a kill and not there")
    }
}

/// The last line that sqlite3 prints.
func sqlite(_ database: String, _ sql: String, log: String) throws -> String {
    let program = try Program("/usr/bin/sqlite3", ["-cmd", ".timeout 20000", database, sql], output: log)
    #expect(program.exitStatus() == 0)
    return String(program.words.split(separator: "\n").last ?? "")
}
