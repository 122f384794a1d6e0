import OutboxCore

extension Queue {
    /// How old a message may be that is reacted to. Meta's page "Reaction messages": 30 days.
    private static let reactionAgeMax = Duration.seconds(30 * 86_400)

    /// Puts Meta's id in place of ours where a draft answers or reacts to a message; what is wrong with it otherwise.
    func lookUpMention(_ draft: inout Draft, _ line: Line, _ now: Timestamp) throws -> TemplateProblem? {
        guard let mention = draft.mention, case .ours(let text) = mention.target else { return nil }
        func wrong(_ words: String) -> TemplateProblem { TemplateProblem(field: mention.field, message: words) }

        guard let found = try mentioned(text, line.account) else {
            return wrong("there is no such message here, or no longer; give its WhatsApp id (wamid.…)")
        }
        guard found.line == line.id else {
            let other = memory.lines[found.line]?.name ?? "another one"
            return wrong("is a message of the line \(other); this one leaves from \(line.name), in another chat")
        }
        if mention.role == .reaction, found.id < MessageID.first(at: now - Self.reactionAgeMax) {
            return wrong("is a message of more than 30 days ago; Meta lets nobody react to it any more")
        }
        guard let id = found.wamid.flatMap({ WhatsAppID($0) }) else {
            return wrong(
                found.state.map { "is a message that has not been sent: it is \($0.name); wait until it is sent" }
                    ?? "is a message Meta gave no id")
        }
        draft.mention = Mention(mention.role, .known(id))
        return nil
    }

    private struct Mentioned {
        var id: MessageID
        var line: Int64
        var wamid: String?
        /// Nil for one that was received.
        var state: MessageState?
    }

    private func mentioned(_ text: String, _ account: Int64) throws -> Mentioned? {
        if let id = codec.id(text) {
            guard let record = try load(id), record.account == account else { return nil }
            return Mentioned(id: id, line: record.line, wamid: record.wamid, state: record.standing.state)
        }
        guard let id = codec.id(text, .inbound) else { return nil }
        return try mail.route.first(.integer(id.rawValue), .integer(account)) {
            Mentioned(id: id, line: $0.integer(0), wamid: $0.optionalText(1))
        }
    }
}
