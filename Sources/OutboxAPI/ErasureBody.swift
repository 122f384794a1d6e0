import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/erasures`: `{"to":"+1 415 555 2671"}`, or a user id or username of Meta's.
package struct ErasureBody: Equatable, Sendable {
    /// Digits, a user id, or @username: as addresses are stored.
    package var address: String

    package static func read(_ value: JSONValue) throws(APIError) -> ErasureBody {
        var reader = ObjectReader(value, path: "", known: ["to", "userId", "username"])
        var addresses: [String] = []
        if let text = reader.string("to") {
            if let number = PhoneNumber(text) {
                addresses.append(number.digits)
            } else {
                reader.refuse("to", PhoneNumber.rule)
            }
        }
        if let text = reader.string("userId") {
            if text.isEmpty || text.utf8.count > 256 { reader.refuse("userId", "must be 1 to 256 characters long") }
            addresses.append(text)
        }
        if let text = reader.string("username") {
            let name = text.hasPrefix("@") ? String(text.dropFirst()) : text
            if name.isEmpty || name.utf8.count > 256 { reader.refuse("username", "must be 1 to 256 characters long") }
            addresses.append("@\(name)")
        }
        if reader.errors.isEmpty, addresses.count != 1 {
            reader.refuse("to", "give one of to, userId and username: whose data is to be erased")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return ErasureBody(address: addresses[0])
    }
}
