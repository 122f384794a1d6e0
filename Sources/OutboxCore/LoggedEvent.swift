/// One entry of the log, as subscribers are told it.
package struct LoggedEvent: Equatable, Sendable {
    package var sequence: Int64
    package var at: Timestamp
    package var kind: EventKind
    /// Nil: of no one line.
    package var line: String?
    /// Events of no message of ours: JSON, the data as it is shown.
    package var detail: [UInt8]?
    package var message: Message?

    /// The message it is about: where this event left it, and what is known of it by now.
    package struct Message: Equatable, Sendable {
        package var id: MessageID
        /// After this event.
        package var state: MessageState
        package var attempt: Int64
        package var batch: MessageID?
        package var to: String
        package var metadata: [UInt8]?
        package var wamid: String?
        package var sentAt: Timestamp?
        package var deliveredAt: Timestamp?
        package var readAt: Timestamp?
        package var failedAt: Timestamp?

        package init(
            id: MessageID, state: MessageState, attempt: Int64, batch: MessageID?, to: String, metadata: [UInt8]?,
            wamid: String?, sentAt: Timestamp?, deliveredAt: Timestamp?, readAt: Timestamp?, failedAt: Timestamp?
        ) {
            self.id = id
            self.state = state
            self.attempt = attempt
            self.batch = batch
            self.to = to
            self.metadata = metadata
            self.wamid = wamid
            self.sentAt = sentAt
            self.deliveredAt = deliveredAt
            self.readAt = readAt
            self.failedAt = failedAt
        }
    }

    package init(
        sequence: Int64, at: Timestamp, kind: EventKind, line: String? = nil, detail: [UInt8]? = nil,
        message: Message? = nil
    ) {
        self.sequence = sequence
        self.at = at
        self.kind = kind
        self.line = line
        self.detail = detail
        self.message = message
    }
}
