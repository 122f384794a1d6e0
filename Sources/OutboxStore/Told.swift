package import OutboxCore

/// A step of one message's way, as the log has it, for whoever tells people of it.
package struct Told: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// An entry of the log.
        case event(EventKind)
        /// It stands at a gate from now on; of that the log knows nothing.
        case waits(Gate)
    }

    package var step: Step
    package var message: MessageID
    package var line: Int64
    package var state: MessageState
    package var attempt: Int64
    /// The recipient, or whom Meta's answers say it stands for.
    package var person: String
    package var gate = Gate.none
    package var failure: Failure?
    /// When it left for the last time.
    package var claimedAt: Timestamp?
    package var sentAt: Timestamp?
    package var deliveredAt: Timestamp?
    package var readAt: Timestamp?
    /// Who asked for it; nil: nobody did.
    package var actor: String?
    /// When this was written down.
    package var at: Timestamp

    init(_ kind: EventKind, _ record: Record, at now: Timestamp) {
        self.init(.event(kind), record.id, record.line, record.standing.state, person: record.person, at: now)
        attempt = record.standing.attempt
        gate = record.gate
        failure = record.failure
        claimedAt = record.claimedAt
        sentAt = record.sentAt
        deliveredAt = record.deliveredAt
        readAt = record.readAt
    }

    init(_ step: Step, _ message: MessageID, _ line: Int64, _ state: MessageState, person: String, at now: Timestamp) {
        self.step = step
        self.message = message
        self.line = line
        self.state = state
        self.person = person
        attempt = 0
        at = now
    }
}

extension Queue {
    /// What `body` does to messages is told with the name of who asked for it.
    package func asked<Result>(by who: String, _ body: () throws -> Result) rethrows -> Result {
        memory.actor = who
        defer { memory.actor = nil }
        return try body()
    }

    func tell(_ told: Told) {
        memory.told.append(told)
        memory.told[memory.told.count - 1].actor = memory.actor
    }

    /// What the last transaction did to messages, in order; of what was undone nothing.
    package func takeTold() -> [Told] {
        defer { memory.told = [] }
        return memory.told
    }
}
