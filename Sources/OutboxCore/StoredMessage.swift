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
    package var onUnknown: UnknownPolicy?
    /// Sent, and Meta has given up delivering it without a word.
    package var hasNoReceipt = false
    /// As Meta's statuses say.
    package var pricing: Pricing?
    /// When the person first answered it.
    package var repliedAt: Timestamp?
    /// It never goes to Meta.
    package var isSimulated = false
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
        /// The file it names.
        package var media: MessageID?
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

/// A copy of a message that reached Meta besides the one that counts.
package struct StoredCopy: Equatable, Sendable {
    package var wamid: String
    package var attempt: Int64

    package init(wamid: String, attempt: Int64) {
        self.wamid = wamid
        self.attempt = attempt
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

/// What a message that has not ended waits for, as callers name it.
package enum WaitsAt: Equatable, Sendable {
    case dueTime
    case backoff
    case outcomeUnknown
    case gate(Gate)

    package static var names: [String] {
        ["due_time", "backoff", "outcome_unknown"] + Gate.allCases.filter { $0 != .none }.map(\.name)
    }

    package init?(name: String) {
        switch name {
        case "due_time": self = .dueTime
        case "backoff": self = .backoff
        case "outcome_unknown": self = .outcomeUnknown
        default:
            guard let gate = Gate(name: name), gate != .none else { return nil }
            self = .gate(gate)
        }
    }

    package var name: String {
        switch self {
        case .dueTime: "due_time"
        case .backoff: "backoff"
        case .outcomeUnknown: "outcome_unknown"
        case .gate(let gate): gate.name
        }
    }
}

extension StoredMessage {
    /// Nil when nothing but its turn is missing, and at the end.
    package var waitsAt: WaitsAt? {
        switch state {
        case .scheduled: .dueTime
        case .retrying: .backoff
        case .processing: outcomeUnknown ? .outcomeUnknown : nil
        case .queued: waits.gate == .none ? nil : .gate(waits.gate)
        case .sent, .delivered, .read, .failed, .cancelled: nil
        }
    }
}
