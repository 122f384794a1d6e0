/// What Meta says of the price of a message that was delivered: the `pricing` of its statuses,
/// `{"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"}`.
package struct Pricing: Hashable, Sendable {
    /// Meta's word in small letters: marketing, utility, authentication, service, …
    package var category: String
    /// Meta's word: regular, free_customer_service, free_entry_point.
    package var type: String
    package var isBillable: Bool

    package init?(category: String?, type: String?, isBillable: Bool?) {
        guard let category = category?.lowercased(), Self.isWord(category) else { return nil }
        self.category = category
        // `billable` is to go, and `type` came after it: either tells of the other.
        let type = type?.lowercased()
        self.isBillable = isBillable ?? (type.map { $0 == "regular" } ?? true)
        self.type = type.flatMap { Self.isWord($0) ? $0 : nil } ?? (self.isBillable ? "regular" : "free")
    }

    /// As `text` writes it.
    package init?(text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 3 else { return nil }
        self.init(category: String(parts[0]), type: String(parts[1]), isBillable: parts[2] == "billable")
    }

    /// In one column.
    package var text: String { "\(category) \(type) \(isBillable ? "billable" : "free")" }

    private static func isWord(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
    }
}
