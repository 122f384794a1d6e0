package import OutboxCore

/// A message that is in the queue now.
package struct Submitted: Equatable, Sendable {
    package var id: MessageID
    package var state: MessageState
    package var sendAt: Timestamp?
}

/// Why a draft that was right in itself cannot be queued.
package enum SubmitRefusal: Equatable, Sendable {
    case noSuchLine(String)
    /// The account has no line yet.
    case noLines
    /// The account has several lines and the draft names none.
    case lineNotNamed
}

/// What a dry run tells.
package struct Estimate: Equatable, Sendable {
    package var line: String
    /// Messages of the line that would leave before this one.
    package var ahead: Int64
    /// It will not leave earlier.
    package var notBefore: Timestamp
}

package enum SubmitResult<Value: Equatable & Sendable>: Equatable, Sendable {
    case done(Value)
    case refused(SubmitRefusal)
}

extension Queue {
    /// The account's line of that name, or its only one.
    private func resolve(_ name: String?, _ account: Int64) -> SubmitResult<Line> {
        if let name {
            let named = memory.lines.values.first { $0.account == account && $0.name == name }
            return named.map { .done($0) } ?? .refused(.noSuchLine(name))
        }
        let own = memory.lines.values.filter { $0.account == account }
        if own.count > 1 { return .refused(.lineNotNamed) }
        return own.first.map { .done($0) } ?? .refused(.noLines)
    }

    /// Puts one message into the queue.
    package func submit(_ draft: Draft, account: Int64, batch: MessageID?, now: Timestamp) throws
        -> SubmitResult<Submitted>
    {
        let line: Line
        switch resolve(draft.line, account) {
        case .refused(let refusal): return .refused(refusal)
        case .done(let found): line = found
        }
        let id = nextID(now)
        let later = draft.sendAt.flatMap { $0 > now ? $0 : nil }
        let state: MessageState = later == nil ? .queued : .scheduled
        let sequence = try appendEvent(
            account: account, message: id, previous: nil, at: now, kind: .accepted, state: state, attempt: 0,
            detail: nil)
        try statements.insertMessage.run(
            .integer(id.rawValue), .integer(account), .integer(line.id), .optional(batch?.rawValue),
            .integer(state.rawValue), .integer(draft.priority.rawValue),
            .integer((later ?? now).milliseconds), .integer(sequence), .text(draft.to.digits),
            .text(draft.type), .utf8(draft.content), .optional(draft.metadata),
            .optional(draft.sendAt?.milliseconds), .optional(draft.expiresAt?.milliseconds),
            .integer(now.milliseconds))
        memory.counters.moved(line.id, from: nil, to: state)
        return .done(Submitted(id: id, state: state, sendAt: later))
    }

    /// Everything `submit` would check, and when the message would leave. Writes nothing.
    package func estimate(_ draft: Draft, account: Int64, now: Timestamp) -> SubmitResult<Estimate> {
        switch resolve(draft.line, account) {
        case .refused(let refusal): return .refused(refusal)
        case .done(let line):
            let ahead = memory.counters[line.id, .queued] + memory.counters[line.id, .processing]
            return .done(Estimate(line: line.name, ahead: ahead, notBefore: max(draft.sendAt ?? now, now)))
        }
    }

    // MARK: Batches

    package func openBatch(account: Int64, now: Timestamp) throws -> MessageID {
        let id = nextID(now)
        try statements.insertBatch.run(.integer(id.rawValue), .integer(account), .integer(now.milliseconds))
        return id
    }

    package func addToBatch(_ batch: MessageID, queued: Int64, failed: Int64) throws {
        try statements.addToBatch.run(.integer(queued), .integer(failed), .integer(batch.rawValue))
    }

    private func nextID(_ now: Timestamp) -> MessageID {
        let id = MessageID.next(after: memory.lastID, now: now)
        memory.lastID = id
        return id
    }
}
