import OutboxCore

/// Messages on their way, as their rows stand in the file: the answer to a POST and the statuses that follow it need not
/// read them.
///
/// Belongs to the writer. `Queue.store` puts in what it wrote; any other SQL that changes a message's row must forget it
/// here. What an undone transaction put in goes with it.
struct RecordsUnderWay {
    /// Some five megabytes. The older ones go when there are as many newer ones.
    var generationMax = 8192

    private var newer: [Int64: Record.Stored] = [:]
    private var older: [Int64: Record.Stored] = [:]
    /// Put in since the last commit.
    private var fresh: [MessageID] = []

    subscript(id: MessageID) -> Record? { (newer[id.rawValue] ?? older[id.rawValue])?.loaded }

    /// As it stands in the file now. Of a message that waits or has ended nothing more is heard for long.
    mutating func wrote(_ record: Record) {
        switch record.standing.state {
        case .processing, .sent, .delivered:
            if newer.count >= generationMax { (older, newer) = (newer, [:]) }
            newer[record.id.rawValue] = record.stored
            fresh.append(record.id)
        case .scheduled, .queued, .retrying, .read, .failed, .cancelled: forget(record.id)
        }
    }

    mutating func forget(_ id: MessageID) {
        if !newer.isEmpty { newer[id.rawValue] = nil }
        if !older.isEmpty { older[id.rawValue] = nil }
    }

    mutating func forgetAll() { (newer, older) = ([:], [:]) }

    // MARK: Transactions

    /// To go back to.
    var mark: Int { fresh.count }

    mutating func goBack(to mark: Int) {
        for id in fresh[mark...] { forget(id) }
        fresh.removeLast(fresh.count - mark)
    }

    mutating func committed() { fresh.removeAll(keepingCapacity: fresh.count < 10_000) }

    // MARK: Checks

    var all: [Record] { (older.merging(newer) { $1 }).values.map(\.record).sorted { $0.id < $1.id } }
}
