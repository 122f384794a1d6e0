package import OutboxCore

/// One POST that is to be made now. The row says `processing` before anybody gets to see this.
package struct Attempt: Equatable, Sendable {
    package var message: MessageID
    package var number: Int64
    /// What Meta's status webhooks bring back to us: message id and attempt.
    package var opaque: String
    package var line: Int64
    package var lineName: String
    package var phoneNumberID: String
    package var credential: String
    package var to: String
    package var type: String
    package var content: [UInt8]
    /// Its slot in the line's pace, in nanoseconds of the steady clock.
    package var notBefore: UInt64 = 0
}

extension Queue {
    /// Rows a slice of due, expired or settled messages may change, so that one-time codes never wait for it long.
    private static let sliceRows: Int64 = 500

    /// Moves what the clock alone moves: due, expired, grace over. Answers whether more of it waits.
    package func clockMoved(_ now: Timestamp) throws -> Bool {
        let limit = SQLValue.integer(Self.sliceRows)
        let moment = SQLValue.integer(now.milliseconds)
        func ids(_ statement: Statement) throws -> [MessageID] {
            try statement.all(moment, limit) { MessageID(rawValue: $0.integer(0)) }
        }
        let expired = try ids(statements.expired)
        for id in expired { try expire(id, now) }
        let due = try ids(statements.due)
        for id in due { try becomeDue(id, now) }
        let settled = try ids(statements.graceOver)
        for id in settled { try settleUnknown(id, now) }
        return max(expired.count, due.count, settled.count) == Int(Self.sliceRows)
    }

    private func expire(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id), case .move(let state) = record.standing.decide(.expired) else { return }
        record.enter(state)
        record.standing.failedBy = .ours
        record.failedAt = now
        record.failure = Failure(code: "EXPIRED", message: "its expiresAt passed before it could leave")
        try save(&record, .failed, at: now, detail: record.failure?.detail)
    }

    private func becomeDue(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id), case .move(let state) = record.standing.decide(.due) else { return }
        let failure = record.failure
        record.enter(state)
        record.failure = failure
        try save(&record, .due, at: now)
    }

    /// Gives up to `slots` ready messages an attempt, fairly among lines and in order of class, due time and age.
    /// `allowed` may let fewer of a line out than are ready.
    package func claim(
        slots: Int, now: Timestamp, allowed: (_ line: Int64, _ ready: Int) -> Int = { $1 }
    ) throws -> [Attempt] {
        guard slots > 0 else { return [] }
        let ready = memory.lines.keys.sorted()
            .map { (line: $0, count: allowed($0, Int(memory.counters[$0, .queued]))) }
            .filter { $0.count > 0 }
        var attempts: [Attempt] = []
        for share in fairShare(slots: slots, ready: ready, after: memory.lastLineServed) {
            attempts += try claim(line: share.line, count: share.count, now: now)
            memory.lastLineServed = share.line
        }
        return attempts
    }

    private func claim(line id: Int64, count: Int, now: Timestamp) throws -> [Attempt] {
        guard let line = memory.lines[id] else { return [] }
        var attempts: [Attempt] = []
        for priority in Priority.allCases where attempts.count < count {
            let rows = try statements.ready.all(
                .integer(id), .integer(priority.rawValue), .integer(Int64(count - attempts.count))
            ) { row in
                let next = Record.columnCount
                return (Record(row), to: row.text(next), type: row.text(next + 1), content: row.bytes(next + 2))
            }
            for (record, to, type, content) in rows {
                if let expiresAt = record.expiresAt, expiresAt <= now {
                    try expire(record.id, now)
                    continue
                }
                let number = try claim(record, now)
                attempts.append(
                    Attempt(
                        message: record.id, number: number, opaque: opaque(record.id, number), line: id,
                        lineName: line.name, phoneNumberID: line.settings.phoneNumberID,
                        credential: line.settings.credential, to: to, type: type, content: content))
            }
        }
        return attempts
    }

    private func claim(_ record: Record, _ now: Timestamp) throws -> Int64 {
        var record = record
        let number = record.standing.attempt + 1
        guard case .move(let state) = record.standing.decide(.claimed(attempt: number)) else {
            preconditionFailure("the ready index holds queued messages alone")
        }
        let failure = record.failure
        record.enter(state)
        record.failure = failure
        record.standing.attempt = number
        try save(&record, .claimed, at: now)
        return number
    }

    /// The lines that have messages whose turn it is.
    package var readyLines: [Int64] { memory.lines.keys.filter { memory.counters[$0, .queued] > 0 } }

    // MARK: The opaque id

    func opaque(_ id: MessageID, _ attempt: Int64) -> String { "\(codec.text(id)).\(attempt)" }

    /// Message and attempt out of what Meta brought back; nil when it is none of ours.
    func readOpaque(_ text: String) -> (id: MessageID, attempt: Int64)? {
        guard let dot = text.lastIndex(of: "."), let attempt = Int64(text[text.index(after: dot)...]), attempt >= 1,
            let id = codec.id(String(text[..<dot]))
        else { return nil }
        return (id, attempt)
    }
}
