/// What a bot, the subscription a line names as such, answered when it was told of a message received.
package struct BotReply: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case message(Draft)
        /// It cannot be sent: the field, and what is wrong with it.
        case wrong(String)
    }

    /// The event it was told of the message by.
    package var event: Int64
    package var inbound: MessageID
    /// Of the line the message came to, by name.
    package var line: String
    package var account: Int64
    package var content: Content

    package init(event: Int64, inbound: MessageID, line: String, account: Int64, content: Content) {
        self.event = event
        self.inbound = inbound
        self.line = line
        self.account = account
        self.content = content
    }
}
