/// Base64 with padding (RFC 4648, 4).
package enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func text(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var word = 0
        var count = 0
        for byte in bytes {
            word = word << 8 | Int(byte)
            count += 1
            if count == 3 {
                for shift in [18, 12, 6, 0] { text.append(digits[word >> shift & 63]) }
                (word, count) = (0, 0)
            }
        }
        if count > 0 {
            word <<= 8 * (3 - count)
            for digit in 0..<4 {
                text.append(digit <= count ? digits[word >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything that `text` would not have written.
    package static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var word = 0
        var bits = 0
        var bytes: [UInt8] = []
        for character in text.utf8 where character != UInt8(ascii: "=") {
            guard let digit = digits.firstIndex(of: character) else { return nil }
            word = (word << 6 | digit) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(word >> bits & 0xFF))
            }
        }
        return self.text(bytes) == String(text) ? bytes : nil
    }
}
