package import OutboxCore

/// The queue on disk, as its one writer sees it: transactions with a meaning. Belongs to one thread.
///
/// Every operation runs inside `together`, which shares one commit, and one fsync, among all that are given to it.
/// When `together` returns `.done`, what it answered is on stable storage.
package final class Queue {
    let database: Database
    let statements: Statements
    package let codec: IDCodec
    /// For ids in other threads.
    package let idKey: [UInt8]
    package let retrySchedule: RetrySchedule

    /// What the writer remembers of the file; goes back when a transaction does.
    struct Memory {
        var lastID: MessageID?
        var lastEvent: Int64 = 0
        var lines: [Int64: Line] = [:]
        var counters = Counters()
        var earlyStatuses: Int64 = 0
        var lastLineServed: Int64?
    }
    var memory = Memory()

    /// Opens or makes the file.
    package init(path: String, retrySchedule: RetrySchedule = RetrySchedule()) throws {
        database = try Database.openQueue(path: path)
        statements = try Statements(database)
        idKey = try database.idKey()
        codec = IDCodec(key: idKey)
        self.retrySchedule = retrySchedule
        try remember()
    }

    private func remember() throws {
        let lastMessage = try database.integer("SELECT max(id) FROM message")
        let lastBatch = try database.integer("SELECT max(id) FROM batch")
        let lastWebhook = try database.integer("SELECT max(id) FROM webhook")
        memory.lastID = MessageID(rawValue: max(lastMessage, lastBatch, lastWebhook))
        memory.lastEvent = try database.integer("SELECT max(seq) FROM event")
        memory.earlyStatuses = try database.integer("SELECT count(*) FROM early_status")
        memory.lines = try loadLines()
        memory.counters = try Counters(database)
    }

    // MARK: Transactions

    package enum Ending: Equatable, Sendable {
        /// Committed; for each operation whether it is part of it.
        case done(kept: [StoreError?])
        /// Nothing of it is stored.
        case nothing(StoreError)
    }

    /// Runs `count` operations in one transaction.
    ///
    /// One that throws is undone alone: the transaction is run again with a savepoint around each. An operation may
    /// therefore run twice, and must have no effect but on this queue and on its own place in the answers.
    package func together(_ count: Int, _ operation: (Int) throws -> Void) -> Ending {
        let before = memory
        do {
            try database.execute("BEGIN IMMEDIATE")
            for index in 0..<count { try operation(index) }
            try commit()
            return .done(kept: Array(repeating: nil, count: count))
        } catch {
            undo(to: before)
            guard let error = error as? StoreError else { preconditionFailure("an operation threw \(error)") }
            if count == 1 || !error.isConstraint { return .nothing(error) }
        }
        return oneByOne(count, operation, before)
    }

    private func oneByOne(_ count: Int, _ operation: (Int) throws -> Void, _ before: Memory) -> Ending {
        var kept: [StoreError?] = []
        do {
            try database.execute("BEGIN IMMEDIATE")
            for index in 0..<count { kept.append(try alone { try operation(index) }) }
            try commit()
            return .done(kept: kept)
        } catch {
            undo(to: before)
            guard let error = error as? StoreError else { preconditionFailure("an operation threw \(error)") }
            return .nothing(error)
        }
    }

    /// Nil when it holds; its error when it was undone and the transaction goes on; throws when that is lost too.
    private func alone(_ operation: () throws -> Void) throws -> StoreError? {
        let before = memory
        try database.execute("SAVEPOINT one")
        do {
            try operation()
            try database.execute("RELEASE one")
            return nil
        } catch let error as StoreError {
            // After FULL, IOERR or NOMEM SQLite may have given up the whole transaction.
            guard !database.isAutocommit else { throw error }
            try database.execute("ROLLBACK TO one; RELEASE one")
            memory = before
            return error
        }
    }

    private func commit() throws {
        try memory.counters.save(statements)
        try database.execute("COMMIT")
    }

    private func undo(to before: Memory) {
        memory = before
        guard !database.isAutocommit else { return }
        do {
            try database.execute("ROLLBACK")
        } catch {
            preconditionFailure("a transaction could be neither committed nor rolled back: \(error)")
        }
    }

    // MARK: Times

    /// The next moment at which something falls due without anybody doing anything; nil: never.
    package func nextWake() throws -> Timestamp? {
        let moments = [statements.nextDue, statements.nextExpiry, statements.nextGrace]
        return try moments.compactMap { try $0.first { $0.optionalInteger(0) } ?? nil }.min()
            .map(Timestamp.init(milliseconds:))
    }

    /// Messages that have not left and are not given up, of all lines.
    package var waiting: Int64 { memory.counters.total { $0.isWaiting } }

    /// Empties the log into the file; for the end.
    package func close() throws { try database.checkpoint() }
}
