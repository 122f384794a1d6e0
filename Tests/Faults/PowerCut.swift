import CFaultVFS
import OutboxCore
import OutboxStore

/// The load, every change of its files written down; then the files as a cut at some moment may have left them, opened
/// by a queue each.
///
/// Before each sync everything since the last one may be there, in part, out of order or torn; moments in between and
/// behind it are looked at too.
/// One load has some thousand of them; for more, another one is drawn from the next seed.
func powerCut(seed: UInt64, filesMax: Int) throws -> [String] {
    var problems: [String] = []
    var (left, seed, poor) = (filesMax, seed, 0)
    while left > 0, problems.isEmpty {
        let result = try cutLoad(seed, left)
        if let (count, found) = result {
            problems += found.map { "load \(seed): \($0)" }
            left -= max(1, count)
        } else {
            poor += 1
            if poor > 5 { problems.append("load \(seed): as five before it too poor in checkpoints to be cut") }
        }
        seed += 1
    }
    return problems
}

/// Nil: by chance the load had too few checkpoints, or none that made the file shorter.
private func cutLoad(_ seed: UInt64, _ filesMax: Int) throws -> (files: Int, problems: [String])? {
    let scratch = Scratch()
    let (load, states) = try recordLoad(scratch, seed)
    if !load.problems.isEmpty { return (0, load.problems) }
    let (checkpoints, shorter) = checkpoints()
    guard checkpoints > 3, shorter > 0 else {
        say(
            "load \(seed): \(checkpoints) checkpoints, \(shorter) of them made the file shorter: too few, another is drawn"
        )
        return nil
    }

    var cuts = drawCuts(seed)
    // Evenly thinned out: every stretch of the run is cut.
    if cuts.count > filesMax {
        let all = cuts
        cuts = (0..<filesMax).map { all[$0 * all.count / filesMax] }
    }
    say(
        "load \(seed): \(load.done) transactions, \(fault_op_count()) file operations, \(checkpoints) checkpoints, "
            + "\(shorter) of them made the file shorter, \(cuts.count) cuts")
    return (cuts.count, try Cutter(scratch.path, load, states).look(at: cuts))
}

private struct Cut {
    var at: Int64
    var choice: Int
    var noise: UInt64
}

/// Which rows the file holds after each transaction.
private struct Moment {
    var at: Int64
    var digest: UInt64
}

private func recordLoad(_ scratch: Scratch, _ seed: UInt64) throws -> (Load, [Moment]) {
    let load = Load(path: scratch.database, seed: seed)
    var states: [Moment] = []
    load.settled = { states.append(Moment(at: fault_op_count(), digest: try examine(scratch.database))) }
    fault_record(scratch.database)
    try load.open()
    for _ in 0..<140 { load.step() }
    try load.close()
    fault_stop_recording()
    scratch.clear()
    if let failure = load.failures.first { throw failure }
    return (load, states)
}

struct Damaged: Error { var problem: String }

/// The digest of a file's rows.
func examine(_ path: String) throws -> UInt64 {
    var digest: UInt64 = 0
    var words = [CChar](repeating: 0, count: 300)
    guard fault_examine(path, &digest, &words, words.count) == 1 else {
        throw Damaged(problem: String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return digest
}

/// How often the log was written into the file, and how often that made it shorter, for space was given back.
private func checkpoints() -> (count: Int, shorter: Int) {
    var (count, shorter) = (0, 0)
    var size: Int64 = 0
    for index in 0..<fault_op_count() where fault_op_file(index) == 0 {
        if fault_op_kind(index) == Int32(UInt8(ascii: "s")) { count += 1 }
        guard fault_op_kind(index) == Int32(UInt8(ascii: "t")) else { continue }
        if fault_op_offset(index) < size { shorter += 1 }
        size = fault_op_offset(index)
    }
    return (count, shorter)
}

private func drawCuts(_ seed: UInt64) -> [Cut] {
    var dice = Dice(seed: seed ^ 0xC07)
    var cuts: [Cut] = []
    func cut(_ at: Int64, _ choices: [Int]) {
        for choice in choices { cuts.append(Cut(at: at, choice: choice, noise: dice.next())) }
    }
    let every = [DISK_NONE, DISK_ALL, DISK_SOME, DISK_REORDERED, DISK_TORN, DISK_GARBAGE]
    let parts = Array(every.dropFirst(2))
    var last: Int64 = 0
    for index in 0..<fault_op_count() where fault_op_kind(index) == Int32(UInt8(ascii: "s")) {
        if index > last + 1 { cut(Int64.random(in: last + 1...index, using: &dice), parts) }
        cut(index, every + parts)
        cut(index + 1, [every[1], every[2]])
        last = index
    }
    cut(fault_op_count(), every)
    return cuts
}

private final class Cutter {
    private let folder: String
    private let load: Load
    private let states: [Moment]
    private var acknowledged = Acknowledged()
    private var noted = 0
    /// What was told lately; older messages are looked at now and then.
    private var recent: [MessageID] = []
    private var problems: [String] = []

    init(_ folder: String, _ load: Load, _ states: [Moment]) {
        self.folder = folder
        self.load = load
        self.states = states
    }

    func look(at cuts: [Cut]) throws -> [String] {
        disk_reset()
        let path = "\(folder)/left.db"
        for (number, cut) in cuts.enumerated() {
            disk_advance(cut.at)
            while noted < load.history.count, load.history[noted].at <= cut.at {
                if case .message(let id, _) = load.history[noted].fact { recent.append(id) }
                acknowledged.note(load.history[noted].fact)
                noted += 1
            }
            recent = recent.suffix(60)
            guard disk_leave(path, Int32(cut.choice), cut.noise) == 0 else { throw Damaged(problem: "no room") }
            do {
                problems += try opened(path, cut, thoroughly: number % 4 == 0).map { "\(cut): \($0)" }
            } catch {
                problems.append("\(cut): \(error)")
            }
            if problems.count > 20 { break }
        }
        return problems
    }

    private func opened(_ path: String, _ cut: Cut, thoroughly: Bool) throws -> [String] {
        let queue = try Queue(path: path, reading: reading(load.now))
        let digest = try examine(path)
        // Every transaction is there whole or not at all: the last one told of, or one more.
        let last = states.lastIndex { $0.at <= cut.at }
        let allowed = last.map { states[$0...min($0 + 1, states.count - 1)].map(\.digest) }
        var problems: [String] = []
        if let allowed, !allowed.contains(digest) {
            let found = states.firstIndex { $0.digest == digest }
            problems.append("the rows are those of transaction \(found ?? -1), not of \(last ?? -1) or one more")
        }
        problems += try acknowledged.missing(
            in: queue, path: path, now: load.now, only: thoroughly ? nil : Set(recent))
        if thoroughly {
            problems += try acknowledged.goesOn(queue, now: load.now + .seconds(120))
            _ = try examine(path)
        }
        return problems
    }
}
