package import OutboxCore

/// The parameters of `GET /v1/messages`, still in words.
package struct ListQuery: Equatable, Sendable {
    package var states: [MessageState] = []
    package var gate: WaitsAt?
    package var line: String?
    package var to: Recipient?
    package var batchID: String?
    package var since: Timestamp?
    package var until: Timestamp?
    package var limit = 20
    package var cursor: String?
    package var page: Int?

    package static let limitMax = 200
    package static let offsetMax = 10_000
    static let timeForm = "must be a time in RFC 3339 with its offset, such as 2030-01-31T09:00:00Z (write + as %2B)"
    private static let known = ["status", "gate", "line", "to", "batchId", "since", "until", "limit", "cursor", "page"]

    package static func read(_ parameters: [(name: String, value: String)]) throws(APIError) -> ListQuery {
        var query = ListQuery()
        var errors: [FieldError] = []
        for (name, value) in parameters {
            if let problem = query.take(name, value) { errors.append(FieldError(name, problem)) }
        }
        if query.cursor != nil, query.page != nil {
            errors.append(FieldError("page", "and cursor exclude each other: give one of them"))
        }
        if let page = query.page, (page - 1) * query.limit > offsetMax {
            errors.append(FieldError("page", "leads beyond \(offsetMax) messages: go on with meta.pagination.cursor"))
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }

    /// Nil when it is right.
    private mutating func take(_ name: String, _ value: String) -> String? {
        switch name {
        case "status":
            for word in value.split(separator: ",", omittingEmptySubsequences: false) {
                guard let state = MessageState(name: String(word)) else {
                    return "must be of \(MessageState.allCases.map(\.name).joined(separator: ", "))"
                }
                states.append(state)
            }
        case "gate":
            guard let found = WaitsAt(name: value) else {
                return "must be one of \(WaitsAt.names.joined(separator: ", "))"
            }
            gate = found
        case "line": line = value
        case "to":
            guard let recipient = Recipient(value) else { return Recipient.form }
            to = recipient
        case "batchId": batchID = value
        case "since", "until":
            guard let moment = Timestamp(rfc3339: value) else {
                return Self.timeForm
            }
            if name == "since" { since = moment } else { until = moment }
        case "limit":
            guard let number = Int(value), (1...Self.limitMax).contains(number) else {
                return "must be a whole number from 1 to \(Self.limitMax)"
            }
            limit = number
        case "cursor": cursor = value
        case "page":
            guard let number = Int(value), (1...1_000_000).contains(number) else {
                return "must be a whole number from 1 on"
            }
            page = number
        default: return "is not known here; known are \(Self.known.joined(separator: ", "))"
        }
        return nil
    }
}
