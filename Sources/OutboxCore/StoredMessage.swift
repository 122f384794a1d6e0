/// One message with all that is kept of it.
package struct StoredMessage: Equatable, Sendable {
    package var id: MessageID
    package var line: String
    package var batch: MessageID?
    package var state: MessageState
    package var priority: Priority
    package var outcomeUnknown: Bool
    package var dueAt: Timestamp
    package var attempts: Int64
    package var to: String
    package var type: String
    package var content: [UInt8]
    package var metadata: [UInt8]?
    package var sendAt: Timestamp?
    package var expiresAt: Timestamp?
    package var createdAt: Timestamp
    package var wamid: String?
    package var sentAt: Timestamp?
    package var deliveredAt: Timestamp?
    package var readAt: Timestamp?
    package var failedAt: Timestamp?
    package var cancelledAt: Timestamp?
    package var failure: Failure?
    package var lastEvent: Int64
    /// Where it waits, and since when.
    package var waits = Waits()

    /// What is known of a message that waits.
    package struct Waits: Equatable, Sendable {
        package var gate = Gate.none
        package var since: Timestamp?
        package var turn: Int64 = 0
        package var person = ""
        package var template: TemplateName?
        package var hasFallback = false
        package var anyOrder = false
        /// Unknown outcomes: when the line's policy decides.
        package var graceUntil: Timestamp?

        package init() {}
    }

    package init(
        id: MessageID, line: String, batch: MessageID?, state: MessageState, priority: Priority,
        outcomeUnknown: Bool, dueAt: Timestamp, attempts: Int64, to: String, type: String, content: [UInt8],
        metadata: [UInt8]?, sendAt: Timestamp?, expiresAt: Timestamp?, createdAt: Timestamp, wamid: String?,
        sentAt: Timestamp?, deliveredAt: Timestamp?, readAt: Timestamp?, failedAt: Timestamp?,
        cancelledAt: Timestamp?, failure: Failure?, lastEvent: Int64
    ) {
        self.id = id
        self.line = line
        self.batch = batch
        self.state = state
        self.priority = priority
        self.outcomeUnknown = outcomeUnknown
        self.dueAt = dueAt
        self.attempts = attempts
        self.to = to
        self.type = type
        self.content = content
        self.metadata = metadata
        self.sendAt = sendAt
        self.expiresAt = expiresAt
        self.createdAt = createdAt
        self.wamid = wamid
        self.sentAt = sentAt
        self.deliveredAt = deliveredAt
        self.readAt = readAt
        self.failedAt = failedAt
        self.cancelledAt = cancelledAt
        self.failure = failure
        self.lastEvent = lastEvent
    }
}

/// One entry of a message's timeline.
package struct StoredEvent: Equatable, Sendable {
    package var sequence: Int64
    package var at: Timestamp
    package var kind: EventKind
    package var state: MessageState
    package var attempt: Int64
    package var detail: [UInt8]?

    package init(
        sequence: Int64, at: Timestamp, kind: EventKind, state: MessageState, attempt: Int64, detail: [UInt8]?
    ) {
        self.sequence = sequence
        self.at = at
        self.kind = kind
        self.state = state
        self.attempt = attempt
        self.detail = detail
    }
}
