/// Whom a message is to: a phone number, or somebody whom Meta names by a business-scoped user id alone.
///
/// Meta's page "Business-scoped user IDs": the two letters of a country, a dot, `ENT.` for those of linked portfolios,
/// and up to 128 letters and digits, such as `US.13491208655302741918`; to be given whole and unchanged.
package struct Recipient: Hashable, Sendable {
    /// Digits, or the user id.
    package let text: String
    package let isUserID: Bool

    package init(_ number: PhoneNumber) {
        text = number.digits
        isUserID = false
    }

    package init?(_ text: String) {
        let number = PhoneNumber(text)
        guard number != nil || Self.isUserID(text) else { return nil }
        self.text = number?.digits ?? text
        isUserID = number == nil
    }

    /// What one must be, in words for callers.
    package static let form =
        "must be a phone number in E.164: country code and number, 7 to 15 digits, such as 14155552671; or a user id of "
        + "Meta's, whole, such as US.13491208655302741918"

    package static func isUserID(_ text: String) -> Bool {
        // Most are numbers.
        guard text.utf8.dropFirst(2).first == UInt8(ascii: ".") else { return false }
        var parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].utf8.count == 2, parts[0].utf8.allSatisfy({ (0x41...0x5A).contains($0) })
        else { return false }
        if parts.count == 3, parts[1] == "ENT" { parts.remove(at: 1) }
        return parts.count == 2 && (1...128).contains(parts[1].utf8.count)
            && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) }
    }
}
