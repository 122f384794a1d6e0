/// A phone number in E.164: country code and number, 7 to 15 digits, kept without the leading `+`.
///
/// ITU-T E.164: at most 15 digits, no country code starts with 0. Whether it exists is for Meta to say.
package struct PhoneNumber: Hashable, Sendable {
    package let digits: String

    /// What a field that holds none is told.
    package static let rule = "must be a phone number in E.164, such as 14155552671"

    /// Accepts a leading `+` and spaces, dashes, dots and brackets between the digits.
    package init?(_ text: String) {
        var digits: [UInt8] = []
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(byte)
            case UInt8(ascii: "+") where index == 0: break
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): break
            default: return nil
            }
            if digits.count > 15 { return nil }
        }
        guard digits.count >= 7, digits[0] != UInt8(ascii: "0") else { return nil }
        self.digits = String(decoding: digits, as: UTF8.self)
    }
}

/// For journals and screens others may see, the first digits and the last two: `14155552671` → `141******71`
package func maskedNumber(_ digits: String) -> String {
    guard digits.count > 5 else { return String(repeating: "*", count: digits.count) }
    return digits.prefix(3) + String(repeating: "*", count: digits.count - 5) + digits.suffix(2)
}
