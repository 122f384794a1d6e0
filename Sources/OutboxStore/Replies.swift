package import OutboxCore

/// Answers to messages received that nobody on a socket hands in: a bot's, or a line's own text.
extension Queue {
    /// Whether the message that this event told of is here and has no such answer. Calls may be made again: after a
    /// crash, by a replay, or of another bot.
    package func awaitsAnswer(_ inbound: MessageID, event: Int64, account: Int64) throws -> Bool {
        try mail.answer.first(.integer(inbound.rawValue), .integer(account)) {
            $0.optionalInteger(0) == event && $0.optionalInteger(1) == nil
        } ?? false
    }

    package func noteAnswer(to inbound: MessageID, with message: MessageID) throws {
        try mail.saveAnswer.run(.integer(message.rawValue), .integer(inbound.rawValue))
    }

    /// Whether a line's own text did not go to this person within its interval.
    package func mayAutoReply(to address: String, _ line: Line) throws -> Bool {
        let person = try person(address, account: line.account)
        guard let last = try contact(line.id, person)?.autoRepliedAt else { return true }
        return last + line.settings.autoReply.interval <= limitsNow
    }

    package func autoReplied(to address: String, _ line: Line) throws {
        try change(line.id, try person(address, account: line.account)) { $0.autoRepliedAt = limitsNow }
        memory.clockUsed = true
    }

    /// How a bot's last reply went: `problem` is why it was not sent.
    package func noteReply(_ problem: String?, subscription: Int64) throws {
        try callbacks.noteReply.run(.optional(problem), .integer(subscription))
    }
}
