import CFaultVFS
import OutboxCore
import OutboxStore
import OutboxSystem
import TestKit

/// A file of each earlier version is opened, and from the n-th operation below SQLite on nothing works any more, as
/// when the process is killed there: n = 1, 2, 3 … until it was not reached. Each time the file then opens in full,
/// with all its rows, and where it was not done the copy is whole or not there. Of the older versions each third n is
/// tried: their own steps were cut everywhere when they were the newest.
func failingUpgrades() throws -> [String] {
    var problems: [String] = []
    for old in oldSchemas {
        let stride: Int64 = old.version == oldSchemas.last?.version ? 1 : 3
        var nth: Int64 = 1
        var reached = true
        while reached {
            fault_describe("upgrade from \(old.version), everything fails from operation \(nth) on")
            let scratch = Scratch()
            guard fault_execute(scratch.database, old.sql + oldRows(old.version)) == 0 else {
                return ["the old file was not made"]
            }
            let kinds =
                FAULT_OPEN | FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE | FAULT_DELETE | FAULT_SHM_MAP | FAULT_SIZE
            fault_arm(UInt32(kinds), Int32(FAULT_AS_SHORT), nth, .max)
            let queue = try? Queue(path: scratch.database, reading: reading(now))
            reached = fault_hits() > 0
            fault_disarm()
            if queue == nil, !reached { problems.append("operation \(nth): it failed though nothing did") }
            withExtendedLifetime(queue) {}
            problems += try check(scratch.database, old.version).map { "operation \(nth): \($0)" }
            removeCopies(scratch.database, old.version)
            nth += stride
            guard nth < 10_000 else { return problems + ["it never ran to its end"] }
        }
        say(
            "upgrade from \(old.version): cut at operations 1 to \(nth - 1 - stride), each \(stride == 1 ? "one" : "third")"
        )
    }
    return problems
}

private let now = Timestamp(milliseconds: 1_800_000_000_000)

private func check(_ path: String, _ version: Int64) throws -> [String] {
    let queue = try Queue(path: path, reading: reading(now))
    var problems = try queue.disagreements()
    if queue.waiting != 200 { problems.append("\(queue.waiting) messages wait") }
    try queue.close()
    for file in [path, "\(path).v\(version)"] {
        var words = [CChar](repeating: 0, count: 256)
        var digest: UInt64 = 0
        if fault_examine(file, &digest, &words, words.count) != 1 || digest == 0 {
            problems.append(
                "\(file) is damaged: \(String(decoding: words.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self))")
        }
    }
    return problems
}

private func removeCopies(_ path: String, _ version: Int64) {
    for name in ["\(path).v\(version)", "\(path).v\(version).new", "\(path).v\(version).new-journal"] {
        _ = removeFile(name)
    }
}
