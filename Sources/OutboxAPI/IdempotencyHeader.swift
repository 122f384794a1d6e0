package import OutboxCore

extension IdempotencyKey {
    /// As it stands in a request; HTTP does not mind its case.
    package static let header = "Idempotency-Key"

    /// The key out of the header's values in a request, of which there must be one.
    package static func read(_ values: [String]) throws(APIError) -> String {
        guard values.count == 1 else { throw .validation([FieldError(header, "is given twice")]) }
        guard isValid(values[0]) else {
            throw .validation([
                FieldError(
                    header,
                    "must be 1 to \(lengthMax) visible ASCII characters without spaces, such as a UUID or your own number "
                        + "of the call")
            ])
        }
        return values[0]
    }
}
