package import OutboxCore

/// What came of a caller's wish for one message.
package enum RequestResult: Equatable, Sendable {
    case done(MessageState)
    case notFound
    case refused(Refusal, MessageState)
    /// A retry of a message whose own time limit has passed.
    case expired(Timestamp)
    /// A retry of a message whose line was removed.
    case lineGone
}

extension Queue {
    /// Takes back a message that has not left.
    package func cancel(_ id: MessageID, account: Int64, now: Timestamp) throws -> RequestResult {
        guard var record = try load(id), record.account == account else { return .notFound }
        switch record.standing.decide(.cancelRequested) {
        case .move(let state):
            record.enter(state)
            record.cancelledAt = now
            try save(&record, .cancelled, at: now)
            return .done(state)
        case .refuse(let refusal): return .refused(refusal, record.standing.state)
        case .note, .becomeUnknown: preconditionFailure("a cancel is granted or refused")
        }
    }

    /// Queues a failed message again, with all its attempts before it.
    package func retry(_ id: MessageID, account: Int64, now: Timestamp) throws -> RequestResult {
        guard var record = try load(id), record.account == account else { return .notFound }
        switch record.standing.decide(.retryRequested) {
        case .move(let state):
            if let expiresAt = record.expiresAt, expiresAt <= now { return .expired(expiresAt) }
            guard memory.lines[record.line] != nil else { return .lineGone }
            record.enter(state)
            record.standing.closedAttempt = record.standing.attempt
            record.failures = 0
            record.dueAt = now
            try meetPerson(&record)
            record.turn = nextTurn(record.line, record.priority, record.batch)
            record.gate = try gateOnEntry(record.line, record.priority, record.person)
            if record.gate != .none { record.gatedAt = now }
            // What Meta says of the old attempts without their opaque id no longer speaks for the message.
            record.take(nil, of: 0)
            record.sentAt = nil
            record.deliveredAt = nil
            record.readAt = nil
            try save(&record, .retryRequested, at: now)
            return .done(state)
        case .refuse(let refusal): return .refused(refusal, record.standing.state)
        case .note, .becomeUnknown: preconditionFailure("a retry is granted or refused")
        }
    }
}
