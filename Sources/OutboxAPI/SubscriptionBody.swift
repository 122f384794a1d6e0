package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/subscriptions` and of `PUT /v1/subscriptions/{id}`.
package struct SubscriptionBody: Equatable, Sendable {
    package var settings: SubscriptionSettings
    /// Only of a new one.
    package var secret: CallbackSecret?
    package var after: Int64?

    package static func read(_ value: JSONValue, isNew: Bool, allowsHTTP: Bool) throws(APIError) -> SubscriptionBody {
        var reader = ObjectReader(
            value, path: "",
            known: ["url", "line", "events", "active", "format", "eventsPerCall"] + (isNew ? ["secret", "after"] : []))
        let url = reader.requiredString("url", example: "\"https://example.com/outbox\"")
        if let url, let problem = CallbackAddress.problem(url, allowsHTTP: allowsHTTP) { reader.refuse("url", problem) }
        let line = reader.string("line")
        let format = reader.choice("format", CallbackFormat.self) ?? .outboxd
        let events = events(&reader, format)
        let active = reader.bool("active") ?? true
        let eventsPerCall = reader.integer("eventsPerCall", in: 1...Int64(CallbackQueue.eventsPerCallMax)) ?? 1
        if eventsPerCall > 1, format != .outboxd {
            reader.refuse("eventsPerCall", "must be 1: a call in the words of \(format.name) tells one event")
        }
        let secret = secret(&reader, isAny: format.takesAnySecret)
        let after = reader.integer("after", in: 0...Int64.max)
        guard reader.errors.isEmpty, let url else { throw .validation(reader.errors) }
        return SubscriptionBody(
            settings: SubscriptionSettings(
                url: url, line: line, events: events, isActive: active, format: format,
                eventsPerCall: Int(eventsPerCall)),
            secret: secret, after: after)
    }

    /// The body of `POST …/rotate`: a secret, if not one is to be made; whether the format takes it is not looked at.
    package static func readSecret(_ value: JSONValue) throws(APIError) -> CallbackSecret? {
        var reader = ObjectReader(value, path: "", known: ["secret"])
        let secret = secret(&reader, isAny: true)
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return secret
    }

    private static func secret(_ reader: inout ObjectReader, isAny: Bool) -> CallbackSecret? {
        guard let text = reader.string("secret") else { return nil }
        let secret = CallbackSecret(text: text) ?? (isAny ? CallbackSecret(plain: text) : nil)
        if secret == nil { reader.refuse("secret", isAny ? CallbackSecret.plainRule : CallbackSecret.rule) }
        return secret
    }

    /// In the order of the table; nil: all.
    private static func events(_ reader: inout ObjectReader, _ format: CallbackFormat) -> [String]? {
        guard let value = reader["events"] else { return nil }
        let names = value.elements.map { $0.string ?? "" }
        guard value.kind == .array, !names.isEmpty else {
            reader.refuse("events", "must be an array of names of events; leave it out for all of them")
            return nil
        }
        let all = format.eventNames
        for name in Set(names).sorted() where !all.contains(name) {
            let known = all.joined(separator: ", ")
            reader.refuse("events", "\"\(beginning(of: name))\" is no event; there are \(known)")
            return nil
        }
        return all.filter { names.contains($0) }
    }
}

/// The body of `POST /v1/subscriptions/{id}/replay`.
package struct ReplayBody: Equatable, Sendable {
    package var range: ClosedRange<Int64>
    package var failedOnly: Bool
    /// One event is named.
    package var isOne: Bool

    package static func read(_ value: JSONValue) throws(APIError) -> ReplayBody {
        var reader = ObjectReader(value, path: "", known: ["from", "to", "failed", "event"])
        let numbers: ClosedRange<Int64> = 1...Int64.max
        let from = reader.integer("from", in: numbers)
        let to = reader.integer("to", in: numbers)
        let event = reader.integer("event", in: numbers)
        let failed = reader.bool("failed") ?? false
        if event != nil, from != nil || to != nil || failed {
            reader.refuse("event", "stands alone: give it, or from and to, or failed")
        } else if value.kind == .object, event == nil, from == nil, !failed, reader.errors.isEmpty {
            reader.refuse("from", "is missing: give from (and to), or \"failed\": true, or event")
        } else if let from, let to, to < from {
            reader.refuse("to", "must not be less than from")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        if let event { return ReplayBody(range: event...event, failedOnly: false, isOne: true) }
        return ReplayBody(range: (from ?? 1)...(to ?? Int64.max), failedOnly: failed, isOne: false)
    }
}

/// The parameters of `GET /v1/subscriptions/{id}/deliveries`.
package struct DeliveryQuery: Equatable, Sendable {
    package var status: DeliveryStatus?
    package var limit = 20
    /// The event to go on before.
    package var before = Int64.max

    package static func read(_ parameters: [(name: String, value: String)]) throws(APIError) -> DeliveryQuery {
        var query = DeliveryQuery()
        var errors: [FieldError] = []
        for (name, value) in parameters {
            switch name {
            case "status":
                query.status = DeliveryStatus(name: value)
                if query.status == nil { errors.append(FieldError(name, "must be waiting, delivered or failed")) }
            case "limit":
                if let limit = Int(value), (1...ListQuery.limitMax).contains(limit) {
                    query.limit = limit
                } else {
                    errors.append(FieldError(name, "must be a whole number from 1 to \(ListQuery.limitMax)"))
                }
            case "cursor":
                if let event = Int64(value), event > 0 {
                    query.before = event
                } else {
                    errors.append(FieldError(name, "must be the meta.pagination.cursor of the page before"))
                }
            default: errors.append(FieldError(name, "is not known here; known are status, limit, cursor"))
            }
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }
}
