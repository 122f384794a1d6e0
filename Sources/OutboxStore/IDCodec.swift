package import OutboxCore
import OutboxSystem

/// Ids on the wire: UUIDv7 (RFC 9562, 5.7) around a number of the store. Belongs to one thread.
///
/// The 48 bits of time and the 16 of the count *are* the store's key, so that no second index is needed. The other
/// 58 bits are a keyed tag over key and kind: an id that this file did not give out is told apart without a look
/// at the disk, and nobody can guess one.
package final class IDCodec {
    package enum Kind: UInt64 {
        case message = 1
        case batch = 2
        case inbound = 10
        case contact = 11
        case conversation = 12
        case media = 13
        case onboardingLink = 20
        case sharedInboxLink = 21
    }

    private let cipher: BlockCipher

    /// The key lives in the file's property table; `Queue.idKey` hands it out.
    package init(key: [UInt8]) { cipher = BlockCipher(key: key) }

    private func tag(_ number: UInt64, _ kind: Kind) -> UInt64 { cipher.scramble(number, kind.rawValue).0 >> 6 }

    package func text(_ id: MessageID, _ kind: Kind = .message) -> String {
        let number = UInt64(bitPattern: id.rawValue)
        let time = number >> 16
        let count = number & 0xFFFF
        let high = time << 16 | 0x7000 | count >> 4
        return Self.text(high, 0b10 << 62 | (count & 0xF) << 58 | tag(number, kind))
    }

    private static func text(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = index < 16 ? high : low
                text[place] = hexadecimalDigit(UInt8(truncatingIfNeeded: word >> UInt64((15 - index % 16) * 4)) & 15)
                place += 1
            }
            return place
        }
    }

    /// The name of an event, the same whenever it is told: UUIDv7 of its time, the rest keyed by its number.
    package func text(event sequence: Int64, at: Timestamp) -> String {
        let (first, second) = cipher.scramble(UInt64(bitPattern: sequence), Self.eventKind)
        return Self.text(
            UInt64(bitPattern: at.milliseconds) << 16 | 0x7000 | first & 0xFFF, 0b10 << 62 | second >> 2)
    }

    /// The same for the same name, here alone: UUIDv8 (RFC 9562, 5.8) of the name's SHA-256 under this file's key.
    package func text(naming name: String) -> String {
        let digest = sha256(Array(name.utf8))
        func word(_ at: Int) -> UInt64 { digest[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        let (high, low) = cipher.scramble(word(0), word(8))
        return Self.text(high & ~0xF000 | 0x8000, low >> 2 | 0b10 << 62)
    }

    /// What Meta carries along with an attempt.
    func opaque(_ id: MessageID, _ attempt: Int64) -> String { "\(text(id)).\(attempt)" }

    private static let eventKind: UInt64 = 3

    /// The number behind an id; nil for one this file did not give out.
    package func id(_ text: String, _ kind: Kind = .message) -> MessageID? {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (index, byte) in bytes.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if digits < 16 { words.0 = words.0 << 4 | UInt64(digit) } else { words.1 = words.1 << 4 | UInt64(digit) }
            digits += 1
        }
        let count = (words.0 & 0xFFF) << 4 | words.1 >> 58 & 0xF
        let number = (words.0 >> 16) << 16 | count
        guard number >> 63 == 0, words.0 >> 12 & 0xF == 7, words.1 >> 62 == 0b10,
            words.1 & (1 << 58 - 1) == tag(number, kind)
        else { return nil }
        return MessageID(rawValue: Int64(number))
    }
}
