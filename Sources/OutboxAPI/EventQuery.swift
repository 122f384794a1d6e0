package import OutboxCore

/// The parameters of `GET /v1/events`, still in words.
package struct EventQuery: Equatable, Sendable {
    package enum Format: Sendable {
        /// One JSON object a line.
        case lines
        /// `text/event-stream`
        case serverSent
    }

    package var format = Format.lines
    /// Tell what comes after this event; nil: from where the cursor stands, or else from the beginning, or when
    /// following from now on.
    package var after: Int64?
    package var follow = false
    package var limit: Int?
    package var line: String?
    /// Nil: all that callers may see.
    package var kinds: [EventKind]?
    package var messageID: String?
    package var to: Recipient?
    package var cursor: String?

    private static let known = ["after", "follow", "limit", "line", "event", "message", "to", "cursor"]

    /// `accept` and `lastEventID` are the headers of these names; a client that comes again by itself repeats the
    /// parameters, so that the header counts before them.
    package static func read(
        _ parameters: [(name: String, value: String)], accept: String?, lastEventID: String?
    ) throws(APIError) -> EventQuery {
        var query = EventQuery()
        var errors: [FieldError] = []
        var seen: Set<String> = []
        for (name, value) in parameters {
            let problem = seen.insert(name).inserted ? query.take(name, value) : "is given twice"
            if let problem { errors.append(FieldError(name, problem)) }
        }
        if let lastEventID, !lastEventID.isEmpty {
            query.after = Int64(lastEventID)
            if query.after ?? -1 < 0 { errors.append(FieldError("Last-Event-ID", sequenceWords)) }
        }
        if (accept ?? "").lowercased().contains("text/event-stream") { query.format = .serverSent }
        guard errors.isEmpty else { throw .validation(Array(errors.prefix(10))) }
        return query
    }

    private static let sequenceWords = "must be the seq of an event, or 0"

    /// Nil when it is right.
    private mutating func take(_ name: String, _ value: String) -> String? {
        switch name {
        case "after":
            guard let number = Int64(value), number >= 0 else { return Self.sequenceWords }
            after = number
        case "follow":
            guard value == "true" || value == "false" else { return "must be true or false" }
            follow = value == "true"
        case "limit":
            guard let number = Int(value), (1...1_000_000_000).contains(number) else {
                return "must be a whole number from 1 to 1000000000"
            }
            limit = number
        case "line": line = value
        case "event":
            var kinds: [EventKind] = []
            for word in value.split(separator: ",", omittingEmptySubsequences: false) {
                let named = EventKind.allCases.filter { $0.publicName == String(word) }
                guard !named.isEmpty else { return "must be of \(EventKind.publicNames.joined(separator: ", "))" }
                kinds += named
            }
            self.kinds = kinds
        case "message": messageID = value
        case "to":
            guard let recipient = Recipient(value) else { return Recipient.form }
            to = recipient
        case "cursor":
            guard LogCursor.isName(value) else { return CursorBody.nameWords }
            cursor = value
        default: return "is not known here; known are \(Self.known.joined(separator: ", "))"
        }
        return nil
    }
}
