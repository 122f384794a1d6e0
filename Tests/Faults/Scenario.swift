import CFaultVFS
import Glibc
import OutboxCore
import OutboxStore

/// Which operations fail, and how many of them.
struct Scenario {
    var name: String
    var kinds: Int
    var way = FAULT_AS_ERROR
    var count: Int64 = 1

    static let all: [Scenario] = [
        Scenario(name: "write", kinds: FAULT_WRITE),
        Scenario(name: "writes", kinds: FAULT_WRITE, count: 10),
        Scenario(name: "write half", kinds: FAULT_WRITE, way: FAULT_AS_SHORT),
        Scenario(name: "full", kinds: FAULT_WRITE, way: FAULT_AS_FULL),
        Scenario(name: "full for a while", kinds: FAULT_WRITE, way: FAULT_AS_FULL, count: 30),
        Scenario(name: "sync", kinds: FAULT_SYNC),
        Scenario(name: "syncs", kinds: FAULT_SYNC, count: 5),
        Scenario(name: "truncate", kinds: FAULT_TRUNCATE),
        Scenario(name: "open", kinds: FAULT_OPEN),
        Scenario(name: "read", kinds: FAULT_READ),
        Scenario(name: "reads", kinds: FAULT_READ, count: 10),
        Scenario(name: "map", kinds: FAULT_SHM_MAP),
        Scenario(name: "lock", kinds: FAULT_SHM_LOCK | FAULT_LOCK),
        Scenario(name: "size, access, delete", kinds: FAULT_SIZE | FAULT_ACCESS | FAULT_DELETE),
        Scenario(name: "memory", kinds: FAULT_MEMORY),
        Scenario(name: "memory for a while", kinds: FAULT_MEMORY, count: 40),
        Scenario(
            name: "all from then on", kinds: FAULT_WRITE | FAULT_SYNC | FAULT_READ | FAULT_TRUNCATE | FAULT_SHM_LOCK,
            count: .max),
    ]

    func arm(_ nth: Int64) { fault_arm(UInt32(kinds), Int32(way), nth, count) }
}

/// For each kind of failure every n, or where there are more than 80 as many as `runs` allows, drawn from all of them; `run` is given a name and
/// answers what it found. With OUTBOXD_FAILURE='NAME NTH', such as 'memory 28289', that one alone.
func everyFailure(
    _ what: String, seed: UInt64, runs: Int, run: (_ name: String) throws -> [String]
) throws -> [String] {
    var dice = Dice(seed: seed ^ 0xFA17)
    var problems: [String] = []
    var (failed, clean) = (0, 0)
    let only = getenv("OUTBOXD_FAILURE").map { String(cString: $0) }
    for scenario in Scenario.all {
        if let only {
            guard let nth = Int64(only.split(separator: " ").last ?? ""), only == "\(scenario.name) \(nth)" else {
                continue
            }
            fault_describe(only)
            scenario.arm(nth)
            return try run(only)
        }
        // How often there is something to fail.
        scenario.arm(.max)
        problems += try run("\(scenario.name) never")
        let total = fault_seen()
        // The writer's turns truncate nothing: that is for the end.
        guard total > 0 else { continue }
        let share = total <= 80 ? total : max(1, Int64(runs / Scenario.all.count))
        for index in 1...min(share, total) {
            let nth =
                share >= total
                ? index : Int64.random(in: (index - 1) * total / share + 1...index * total / share, using: &dice)
            let name = "\(what), \(scenario.name) \(nth) of \(total), seed \(seed)"
            fault_describe(name)
            scenario.arm(nth)
            do {
                problems += try run(name).map { "\(name): \($0)" }
            } catch {
                problems.append("\(name): \(error)")
            }
            if fault_hits() > 0 { failed += 1 } else { clean += 1 }
            if problems.count > 20 { return problems }
        }
    }
    say("\(what): \(failed) runs with failures, \(clean) without")
    return problems
}

extension Outcome {
    /// How an attempt ends, for a number from 0 to 7: mostly well.
    static func drawn(_ number: Int, for attempt: Attempt) -> Outcome {
        let failure = Failure(code: "131016", message: "bad moment")
        return switch number {
        case 0: .unknown(failure)
        case 1: .refused(failure, .forNow(askedFor: nil))
        case 2: .refused(failure, .forGood)
        default: .accepted(wamid: "wamid.\(attempt.opaque)")
        }
    }
}
