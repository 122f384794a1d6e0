import OutboxAPI
import OutboxJSON
import OutboxSystem

/// UUIDs for what has none of its own: numbers, business accounts, templates and bots.
enum CallMissedID {
    /// Version 8 (RFC 9562, 5.8): the first bytes of a SHA-256 over the kind and Meta's id, so that it stays the same.
    private static func derived(_ kind: String, _ metaID: String) -> String {
        var bytes = Array(sha256(Array("outboxd \(kind) \(metaID)".utf8)).prefix(16))
        bytes[6] = 0x80 | bytes[6] & 0x0F
        bytes[8] = 0x80 | bytes[8] & 0x3F
        let digits = hexadecimal(bytes)
        var text = ""
        for (place, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(place) { text += "-" }
            text.append(digit)
        }
        return text
    }

    static func phone(_ phoneNumberID: String) -> String { derived("phone number", phoneNumberID) }
    static func account(_ wabaID: String) -> String { derived("business account", wabaID) }
    static func template(_ metaID: String, of wabaID: String) -> String { derived("template", "\(wabaID) \(metaID)") }

    // MARK: Bots

    private static let bots = "00000000-0000-8000-8000-"

    /// A bot is a subscription: its number in decimal digits, as in 00000000-0000-8000-8000-000000000007.
    static func bot(_ subscription: Int64) -> String {
        let digits = String(subscription)
        return bots + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits
    }

    /// Nil: no bot has such an id.
    static func subscription(ofBot text: String) -> Int64? {
        guard text.hasPrefix(bots), text.utf8.count == 36 else { return nil }
        return Int64(text.dropFirst(bots.utf8.count))
    }

    // MARK: Numbers

    static let unknownNumber = APIError(
        .notFound, "phone_number_id not found: no line of this account has it; see GET /api/v1/whatsapp/phone_numbers")

    /// Whether `text` is an id of the number, ours or Meta's, or the name of its line.
    static func names(_ text: String, _ phoneNumberID: String, line: String) -> Bool {
        text == phoneNumberID || text == line || text.lowercased() == phone(phoneNumberID)
    }

    static func names(_ text: String, _ line: JSONValue) -> Bool {
        guard let id = line["phoneNumberId"]?.string, let name = line["line"]?.string else { return false }
        return names(text, id, line: name)
    }
}
