import CFaultVFS
import OutboxCore
import OutboxStore

/// The load on the queue, with the n-th operation below it failing. What fails for good ends the process, as it ends
/// outboxd; a full disk and short memory pass.
func failingStore(seed: UInt64, runs: Int) throws -> [String] {
    let scratch = Scratch()
    return try everyFailure("store", seed: seed, runs: runs) { name in
        scratch.clear()
        let load = Load(path: scratch.database, seed: seed)
        fault_record(scratch.database)
        var problems = run(load)
        fault_disarm()
        problems += load.problems
        problems += try end(load.acknowledged, scratch, now: load.now) { load.abandon() }
        return problems
    }
}

private func run(_ load: Load) -> [String] {
    var problems: [String] = []
    do {
        try load.open()
    } catch let error as StoreError {
        return error.code == 0 ? ["an error without a code"] : []
    } catch {
        return ["opening threw \(error)"]
    }
    for _ in 0..<50 {
        let (failures, syncs) = (load.failures.count, fault_sync_hits())
        load.step()
        if fault_sync_hits() > syncs, load.failures.count == failures, !load.isOver {
            problems.append("a failed sync was not told of")
        }
        if load.isOver || load.failures.contains(where: \.isFatal) { break }
    }
    return problems
}

/// Ends the run as a kill does, and answers what is missing then: in the file as the process left it, in one that a
/// power cut at this moment left, and in the one it would have closed.
func end(_ acknowledged: Acknowledged, _ scratch: Scratch, now: Timestamp, close: () -> Void) throws -> [String] {
    let killed = "\(scratch.path)/killed.db"
    let cut = "\(scratch.path)/left.db"
    guard fault_copy(scratch.database, killed) == 0 else { throw Damaged(problem: "no room") }
    disk_reset()
    disk_advance(fault_op_count())
    guard disk_leave(cut, Int32(DISK_NONE), 1) == 0 else { throw Damaged(problem: "no room") }
    close()
    fault_stop_recording()
    var problems: [String] = []
    for path in [killed, cut, scratch.database] {
        let queue = try Queue(path: path, reading: reading(now))
        _ = try examine(path)
        problems += try acknowledged.missing(in: queue, path: path, now: now).map { "\(path): \($0)" }
        problems += try acknowledged.goesOn(queue, now: now + .seconds(120)).map { "\(path): \($0)" }
    }
    return problems
}
