package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/messages/{id}/resolve`: what became of an unknown outcome.
package struct ResolveBody: Equatable, Sendable {
    package var resolution: Resolution
    /// Meta's id of the message, where the one who resolves knows it.
    package var wamid: String?

    package init(resolution: Resolution, wamid: String? = nil) {
        self.resolution = resolution
        self.wamid = wamid
    }

    package static let wamidLengthMax = 512

    package static func read(_ value: JSONValue) throws(APIError) -> ResolveBody {
        var reader = ObjectReader(value, path: "", known: ["as", "whatsappMessageId"])
        let resolution = reader.choice("as", Resolution.self)
        let wamid = reader.string("whatsappMessageId")
        if value.kind == .object, reader["as"] == nil {
            reader.refuse("as", "is missing: say what became of it: sent, failed or resend")
        }
        if let wamid {
            if !wamid.hasPrefix("wamid.") || !(1...wamidLengthMax).contains(wamid.utf8.count)
                || !wamid.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            {
                reader.refuse("whatsappMessageId", "must be Meta's id, which begins with wamid., such as wamid.HBgL…")
            } else if let resolution, resolution != .sent {
                reader.refuse("whatsappMessageId", "belongs to \"as\": \"sent\" alone")
            }
        }
        guard reader.errors.isEmpty, let resolution else { throw .validation(reader.errors) }
        return ResolveBody(resolution: resolution, wamid: wamid)
    }
}
