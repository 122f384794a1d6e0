/// A phone number in E.164: country code and number, 7 to 15 digits, kept without the leading `+`.
///
/// ITU-T E.164: at most 15 digits, no country code starts with 0. Whether it exists is for Meta to say.
package struct PhoneNumber: Hashable, Sendable {
    package let digits: String

    /// What a field that holds none is told.
    package static let rule = "must be a phone number in E.164, such as 14155552671"

    /// Accepts a leading `+` and spaces, dashes, dots and brackets between the digits.
    package init?(_ text: String) {
        var text = text
        let digits = String(unsafeUninitializedCapacity: Self.digitsMax) { buffer in
            text.withUTF8 { Self.write($0, to: buffer) }
        }
        guard !digits.isEmpty else { return nil }
        self.digits = digits
    }

    private static let digitsMax = 15

    /// Writes the digits and answers how many there are; 0: it is no number.
    private static func write(_ text: UnsafeBufferPointer<UInt8>, to digits: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var count = 0
        for (index, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard count < digitsMax else { return 0 }
                digits[count] = byte
                count += 1
            case UInt8(ascii: "+") where index == 0: break
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): break
            default: return 0
            }
        }
        return count >= 7 && digits[0] != UInt8(ascii: "0") ? count : 0
    }
}

/// For journals and screens others may see, the first digits and the last two: `14155552671` → `141******71`
package func maskedNumber(_ digits: String) -> String {
    guard digits.count > 5 else { return String(repeating: "*", count: digits.count) }
    return digits.prefix(3) + String(repeating: "*", count: digits.count - 5) + digits.suffix(2)
}
