import CFaultVFS
import Glibc

/// What lies below outboxd fails: a child program of the tests, for SQLite and libcurl are given their file layer and
/// memory once in the life of a process.
///
/// outbox-faults cut SEED FILES       a load, and FILES databases as a power cut would have left them
/// outbox-faults store SEED RUNS      the load on the queue, with the n-th operation failing: RUNS times
/// outbox-faults step SEED RUNS       the same through the writer's turns
/// outbox-faults single               failures at certain places
/// outbox-faults upgrade              files of earlier versions, with everything failing from the n-th operation on
/// outbox-faults curl RUNS            requests, with the n-th allocation of libcurl failing
///
/// The same words do the same where SWIFT_DETERMINISTIC_HASHING is 1. Prints what it found, and exits with 1 then.
func runFaults(_ words: [String]) -> Int32 {
    let numbers = words.dropFirst().compactMap { UInt64($0) }
    var problems: [String]
    do {
        switch (words.first, numbers.count) {
        case ("cut", 2):
            guard fault_install() == 0 else { return complain("SQLite took no other file layer") }
            problems = try powerCut(seed: numbers[0], filesMax: Int(numbers[1]))
        case ("store", 2):
            guard fault_install() == 0 else { return complain("SQLite took no other file layer") }
            problems = try failingStore(seed: numbers[0], runs: Int(numbers[1]))
        case ("step", 2):
            guard fault_install() == 0 else { return complain("SQLite took no other file layer") }
            problems = try failingStep(seed: numbers[0], runs: Int(numbers[1]))
        case ("single", 0):
            guard fault_install() == 0 else { return complain("SQLite took no other file layer") }
            problems = try failingOnce()
        case ("upgrade", 0):
            guard fault_install() == 0 else { return complain("SQLite took no other file layer") }
            problems = try failingUpgrades()
        case ("curl", 1): problems = try failingTransfers(runs: Int(numbers[0]))
        default:
            return complain(
                "usage: outbox-faults cut|store|step SEED COUNT, outbox-faults curl COUNT, outbox-faults single|upgrade"
            )
        }
    } catch {
        problems = ["it ended early: \(error)"]
    }
    for problem in problems.prefix(20) { say("problem: \(problem)") }
    if !problems.isEmpty { say("again: SWIFT_DETERMINISTIC_HASHING=1 outbox-faults \(words.joined(separator: " "))") }
    return problems.isEmpty ? 0 : 1
}

private func complain(_ text: String) -> Int32 {
    say(text)
    return 64
}

/// A folder in memory: nothing is ever synced here.
final class Scratch {
    let path: String

    init() {
        path = "\(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp")/outbox-faults-\(getpid())"
        mkdir(path, 0o700)
    }

    deinit {
        clear()
        rmdir(path)
    }

    var database: String { "\(path)/outboxd.db" }

    /// Without the files of a database.
    func clear() {
        for name in ["outboxd.db", "left.db", "killed.db"] {
            for end in ["", "-wal", "-shm", "-journal"] { unlink("\(path)/\(name)\(end)") }
        }
    }
}

/// At once, so that it is there when the process dies of what comes next.
func say(_ text: String) {
    let line = Array("\(text)\n".utf8)
    _ = write(1, line, line.count)
}
