package import OutboxCore
package import OutboxJSON

/// The body of `PUT /v1/opt-outs/{recipient}`: none, or `{"reason": "…"}`.
package struct OptOutBody: Equatable, Sendable {
    package var reason: String?

    package init(reason: String? = nil) { self.reason = reason }

    package static func read(_ value: JSONValue?) throws(APIError) -> OptOutBody {
        guard let value else { return OptOutBody() }
        var reader = ObjectReader(value, path: "", known: ["reason"])
        let reason = reader.string("reason")
        if let reason, !(1...CampaignOrder.reasonLengthMax).contains(reason.unicodeScalars.count) || !isOneLine(reason)
        {
            reader.refuse("reason", "must be one line of 1 to \(CampaignOrder.reasonLengthMax) characters")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return OptOutBody(reason: reason)
    }
}

/// The body of `PUT /v1/marketing-caps/{scope}`: `{"messages": 2, "days": 7, "whenReached": "wait"}`
package enum MarketingCapBody {
    /// The account's cap, over all lines; others are of a line: `line:NAME`.
    package static let accountScope = "account"
    package static let linePrefix = "line:"

    /// The line a scope names; nil: the account. Throws when it is neither.
    package static func line(_ scope: String) throws(APIError) -> String? {
        if scope == accountScope { return nil }
        guard scope.hasPrefix(linePrefix), isLineName(String(scope.dropFirst(linePrefix.count))) else {
            throw APIError(.notFound, "a cap is of \(accountScope) or of \(linePrefix)NAME")
        }
        return String(scope.dropFirst(linePrefix.count))
    }

    /// The line is filled in by whoever knows its number.
    package static func read(_ value: JSONValue) throws(APIError) -> MarketingCap {
        var reader = ObjectReader(value, path: "", known: ["messages", "days", "whenReached"])
        let messages = reader.integer("messages", in: 1...MarketingCap.messagesMax)
        let days = reader.integer("days", in: 1...MarketingCap.daysMax)
        if value.kind == .object, reader["messages"] == nil { reader.refuse("messages", "is missing, such as 2") }
        if value.kind == .object, reader["days"] == nil { reader.refuse("days", "is missing, such as 7") }
        let whenReached = reader.choice("whenReached", MarketingCap.WhenReached.self) ?? .wait
        guard reader.errors.isEmpty, let messages, let days else { throw .validation(reader.errors) }
        return MarketingCap(line: nil, messages: messages, days: days, whenReached: whenReached)
    }
}

extension MarketingCap {
    /// `scope` is as the path has it.
    package func write(to json: inout JSONWriter, name: String? = nil, scope: String) {
        json.object(name) {
            $0.field("scope", scope)
            $0.field("messages", messages)
            $0.field("days", days)
            $0.field("whenReached", whenReached.name)
        }
    }
}
