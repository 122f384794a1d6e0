package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/messages/{id}/read`.
package struct ReadBody: Equatable, Sendable {
    package var typing = false

    package static func read(_ value: JSONValue) throws(APIError) -> ReadBody {
        var reader = ObjectReader(value, path: "", known: ["typing"])
        let body = ReadBody(typing: reader.bool("typing") ?? false)
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return body
    }
}

/// The body of `POST /v1/lines/{line}/catch-up`.
package struct CatchUpBody: Equatable, Sendable {
    /// Messages sent then or later.
    package var since: Timestamp

    package static let daysDefault: Int64 = 7
    package static let daysMax: Int64 = 30

    package static func read(_ value: JSONValue, now: Timestamp) throws(APIError) -> CatchUpBody {
        var reader = ObjectReader(value, path: "", known: ["since"])
        var since = now - .seconds(daysDefault * 86_400)
        if let text = reader.string("since") {
            if let moment = Timestamp(rfc3339: text), moment < now, now - .seconds(daysMax * 86_400) <= moment {
                since = moment
            } else {
                reader.refuse(
                    "since", "must be a time in RFC 3339 with its offset, in the past and \(daysMax) days ago at most")
            }
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return CatchUpBody(since: since)
    }
}
