import CFaultVFS
import OutboxCore
import OutboxStore

#if DEBUG
    @testable import OutboxService
#endif

/// Failures at certain places, which the others meet rarely.
func failingOnce() throws -> [String] {
    var problems: [String] = []
    for (name, check) in [
        ("rolling back without memory", rollingBackWithoutMemory),
        ("memory ends while operations run one by one", memoryEndsOneByOne),
        ("a reader's moment ends without memory", readingEndsWithoutMemory),
        ("a thread that reads cannot open the file", openFailsForAThread),
        ("the disk fails while an unreadable webhook is marked", syncFailsAfterARefusal),
    ] {
        fault_describe(name)
        let scratch = Scratch()
        problems += try check(scratch.database).map { "\(name): \($0)" }
        fault_disarm()
    }
    return problems
}

private let now = Timestamp(milliseconds: 1_800_000_000_000)

private func makeQueue(_ path: String) throws -> Queue {
    let queue = try Queue(path: path, reading: reading(now))
    guard case .done = queue.together(1, { _ in _ = try queue.put(lineSettings, account: 1, now: now) }) else {
        throw Unexpected()
    }
    return queue
}

private func submit(_ queue: Queue, type: String = "text") throws {
    var draft = try textDraft(number: 1, bytes: 5000)
    draft.type = type
    _ = try queue.submit(draft, account: 1, batch: nil, now: now)
}

/// What a failed value leaves open is ended though there is not a byte of memory.
private func rollingBackWithoutMemory(_ path: String) throws -> [String] {
    let queue = try makeQueue(path)
    let ending = queue.together(1) { _ in
        try submit(queue)
        fault_arm(UInt32(FAULT_MEMORY), 0, 1, .max)
        try submit(queue)
    }
    fault_disarm()
    guard case .nothing(let error) = ending, error.isPassing else { return ["it ended as \(ending)"] }
    guard case .done = queue.together(1, { _ in try submit(queue) }) else { return ["it does not go on"] }
    return try queue.disagreements() + (queue.waiting == 1 ? [] : ["\(queue.waiting) messages wait"])
}

/// One operation is refused by the schema; when the others run again, memory ends for one of them: all are undone.
private func memoryEndsOneByOne(_ path: String) throws -> [String] {
    let queue = try makeQueue(path)
    var runs = 0
    let ending = queue.together(3) { index in
        runs += 1
        if index == 2, runs > 3 { fault_arm(UInt32(FAULT_MEMORY), 0, 1, 1) }
        try submit(queue, type: index == 1 ? "" : "text")
    }
    fault_disarm()
    guard case .nothing(let error) = ending, error.isPassing else { return ["it ended as \(ending)"] }
    guard runs > 3 else { return ["they did not run one by one"] }
    return try queue.disagreements() + (queue.waiting == 0 ? [] : ["\(queue.waiting) messages wait"])
}

/// A reader that met a lack of memory anywhere in what it reads together sees what comes after.
private func readingEndsWithoutMemory(_ path: String) throws -> [String] {
    let queue = try makeQueue(path)
    let reader = try QueueReader(path: path)
    func waiting() throws -> Int {
        var found = 0
        try reader.together { found = try reader.list(ListFilter(), account: 1).messages.count }
        return found
    }
    var failed = 0
    for nth in 1...200 as ClosedRange<Int64> {
        for count in [1, .max] as [Int64] {
            fault_arm(UInt32(FAULT_MEMORY), 0, nth, count)
            do { _ = try waiting() } catch { failed += 1 }
            fault_disarm()
        }
        guard case .done = queue.together(1, { _ in try submit(queue) }) else { return ["nothing is stored"] }
        guard try waiting() == min(Int(nth), ListFilter().limit) else {
            return ["it sees what was before, from \(nth) on"]
        }
    }
    // And where memory ends with what is read.
    try reader.together { fault_arm(UInt32(FAULT_MEMORY), 0, 1, .max) }
    fault_disarm()
    return try waiting() > 0 && failed > 0 ? [] : ["memory was never missing"]
}

#if DEBUG
    /// The daemon does not start then, and says so.
    private func openFailsForAThread(_ path: String) throws -> [String] {
        _ = try makeQueue(path)
        let journal = Journal()
        defer { journal.close() }
        fault_arm(UInt32(FAULT_OPEN), 0, 1, 1)
        do {
            let thread = try EventsThread(path: path, journal: journal) { _ in }
            thread.finish()
            return ["it was opened"]
        } catch is StoreError {
            return []
        }
    }

    /// A webhook that the schema refuses is marked in a transaction of its own: when that fails, it is told.
    private func syncFailsAfterARefusal(_ path: String) throws -> [String] {
        let queue = try makeQueue(path)
        let refusal = "CREATE TRIGGER no BEFORE INSERT ON early_status BEGIN SELECT RAISE(ABORT, 'no'); END"
        guard fault_execute(path, refusal) == 0 else { return ["no trigger"] }
        let step = try WriterStep(queue: queue, slotsMax: 8, chance: Dice(seed: 5), shown: { $0 })
        let status = StatusReport(
            phoneNumberID: "106", wamid: "wamid.nobody", opaque: nil, report: .sent, at: now, failure: nil)
        _ = step.turn(
            [.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [status]))], now: now, tick: ticks(now))
        // The turn itself has nothing else to write, and nothing to sync.
        fault_arm(UInt32(FAULT_SYNC), 0, 1, 1)
        let outputs = step.turn([.lookedAt(line: "main", anew: false)], now: now, tick: ticks(now))
        guard fault_sync_hits() == 1 else { return ["\(fault_seen()) syncs"] }
        return outputs.fatal == nil ? ["the writer goes on"] : []
    }
#else
    private func openFailsForAThread(_ path: String) throws -> [String] { ["only a debug build can do that"] }
    private func syncFailsAfterARefusal(_ path: String) throws -> [String] { ["only a debug build can do that"] }
#endif
