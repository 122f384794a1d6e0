/// What a request asks for.
package enum Route: Equatable, Sendable {
    case submit
    case submitBulk
    case list
    case message(String)
    case markRead(String)
    case catchUp(String)
    case conversations
    case conversation(String)
    case conversationMessages(String)
    case contacts
    case contact(String)
    case retry(String)
    case cancel(String)
    case resolve(String)
    case lines
    case line(String)
    case putLine(String)
    case deleteLine(String)
    case lineHealth(String)
    case lineTemplates(String)
    case lineWhy(String)
    case why(String)
    case pools
    case pool(String)
    case putPool(String)
    case pauses
    case pause
    case resume(String)
    case retention
    case putRetention(String)
    case events
    case cursors
    case cursor(String)
    case putCursor(String)
    case deleteCursor(String)
    case subscriptions
    case subscribe
    case subscription(String)
    case putSubscription(String)
    case deleteSubscription(String)
    case deliveries(String)
    case rotateSecret(String)
    case deleteOldSecret(String)
    case replay(String)
    case testCallback(String)
    case status
    case reload
    case health

    /// The least a caller must be to ask for it.
    package var role: Role {
        switch self {
        case .health: .none
        case .list, .message, .lines, .line, .status, .lineHealth, .lineTemplates, .lineWhy, .why, .pools, .pool,
            .pauses, .retention, .events, .cursors, .cursor, .conversations, .conversation, .conversationMessages,
            .contacts, .contact, .subscriptions, .subscription, .deliveries:
            .read
        case .submit, .submitBulk, .retry, .cancel, .markRead, .putCursor, .deleteCursor: .send
        case .catchUp, .putLine, .deleteLine, .reload, .putPool, .pause, .resume, .resolve, .putRetention, .subscribe,
            .putSubscription, .deleteSubscription, .rotateSecret, .deleteOldSecret, .replay, .testCallback:
            .admin
        }
    }

    /// Whether something may stand behind the `?`.
    package var takesParameters: Bool {
        switch self {
        case .list, .health, .events, .conversations, .conversationMessages, .contacts, .deliveries: true
        default: false
        }
    }

    /// `path` is split and decoded already.
    package static func of(method: String, path: [String]) throws(APIError) -> Route {
        let routes = table(path)
        guard !routes.isEmpty else { throw APIError(.notFound, "there is nothing at this path; see outboxd-api(7)") }
        if let route = routes.first(where: { $0.method == method })?.route { return route }
        // HEAD is GET without the body.
        if method == "HEAD", let route = routes.first(where: { $0.method == "GET" })?.route { return route }
        let allowed = routes.map(\.method).joined(separator: ", ")
        throw APIError(.methodNotAllowed, "\(method) is not allowed here; allowed: \(allowed)", allow: allowed)
    }

    private static func table(_ path: [String]) -> [(method: String, route: Route)] {
        if path == ["healthz"] { return [("GET", .health)] }
        guard path.first == "v1", !path.contains("") else { return [] }
        switch path.dropFirst().map({ $0 }) {
        case ["messages"]: return [("GET", .list), ("POST", .submit)]
        case ["messages", "bulk"]: return [("POST", .submitBulk)]
        case ["reload"]: return [("POST", .reload)]
        case ["status"]: return [("GET", .status)]
        case ["lines"]: return [("GET", .lines)]
        case let rest where rest.count == 2 && rest[0] == "messages": return [("GET", .message(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "messages" && rest[2] == "retry":
            return [("POST", .retry(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "messages" && rest[2] == "cancel":
            return [("POST", .cancel(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "messages" && rest[2] == "resolve":
            return [("POST", .resolve(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "messages" && rest[2] == "read":
            return [("POST", .markRead(rest[1]))]
        case let rest where rest.count == 2 && rest[0] == "lines":
            return [("GET", .line(rest[1])), ("PUT", .putLine(rest[1])), ("DELETE", .deleteLine(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "messages" && rest[2] == "why":
            return [("GET", .why(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "lines": return ofLine(rest[1], rest[2])
        case ["conversations"]: return [("GET", .conversations)]
        case let rest where rest.count == 2 && rest[0] == "conversations": return [("GET", .conversation(rest[1]))]
        case let rest where rest.count == 3 && rest[0] == "conversations" && rest[2] == "messages":
            return [("GET", .conversationMessages(rest[1]))]
        case ["contacts"]: return [("GET", .contacts)]
        case let rest where rest.count == 2 && rest[0] == "contacts": return [("GET", .contact(rest[1]))]
        case ["pools"]: return [("GET", .pools)]
        case let rest where rest.count == 2 && rest[0] == "pools":
            return [("GET", .pool(rest[1])), ("PUT", .putPool(rest[1]))]
        case ["retention"]: return [("GET", .retention)]
        case let rest where rest.count == 2 && rest[0] == "retention": return [("PUT", .putRetention(rest[1]))]
        case ["events"]: return [("GET", .events)]
        case ["cursors"]: return [("GET", .cursors)]
        case let rest where rest.count == 2 && rest[0] == "cursors":
            return [("GET", .cursor(rest[1])), ("PUT", .putCursor(rest[1])), ("DELETE", .deleteCursor(rest[1]))]
        case ["pauses"]: return [("GET", .pauses), ("POST", .pause)]
        case let rest where rest.count == 2 && rest[0] == "pauses": return [("DELETE", .resume(rest[1]))]
        case ["subscriptions"]: return [("GET", .subscriptions), ("POST", .subscribe)]
        case let rest where rest.first == "subscriptions" && rest.count == 2:
            return [
                ("GET", .subscription(rest[1])), ("PUT", .putSubscription(rest[1])),
                ("DELETE", .deleteSubscription(rest[1])),
            ]
        case let rest where rest.first == "subscriptions" && rest.count == 3: return ofSubscription(rest[1], rest[2])
        default: return []
        }
    }

    private static func ofSubscription(_ id: String, _ what: String) -> [(method: String, route: Route)] {
        switch what {
        case "deliveries": [("GET", .deliveries(id))]
        case "rotate": [("POST", .rotateSecret(id))]
        case "old-secret": [("DELETE", .deleteOldSecret(id))]
        case "replay": [("POST", .replay(id))]
        case "test": [("POST", .testCallback(id))]
        default: []
        }
    }

    private static func ofLine(_ line: String, _ what: String) -> [(method: String, route: Route)] {
        switch what {
        case "health": [("GET", .lineHealth(line))]
        case "templates": [("GET", .lineTemplates(line))]
        case "why": [("GET", .lineWhy(line))]
        case "catch-up": [("POST", .catchUp(line))]
        default: []
        }
    }
}

/// What a caller may do; each may do what the ones before may.
package enum Role: Int, Comparable, Sendable {
    case none, read, send, admin

    package static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }

    package var name: String { String(describing: self) }
}
