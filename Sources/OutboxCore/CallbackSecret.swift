/// A key that signs calls: written as Standard Webhooks has it, `whsec_` and Base64 of 24 to 64 bytes, or, where the
/// format of the calls has it so, any text, whose bytes are the key.
package struct CallbackSecret: Equatable, Sendable {
    package let bytes: [UInt8]
    /// The text, where it is not written as the standard has it.
    private var plain: String?

    package static let sizes = 24...64
    /// Of one that is made here.
    package static let sizeMade = 32
    /// Characters of any text.
    private static let plainLengths = 16...256
    private static let prefix = "whsec_"
    /// Before any text in a file.
    private static let plainMark = "text:"
    package static let rule = "must be whsec_ and the Base64 of 24 to 64 random bytes"
    package static let plainRule =
        "must have 16 to 256 characters, none of them a control character"

    /// Nil for a size that is not allowed.
    package init?(bytes: [UInt8]) {
        guard Self.sizes.contains(bytes.count) else { return nil }
        self.bytes = bytes
    }

    package init?(text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix), let bytes = Base64.bytes(text.dropFirst(Self.prefix.count)) else {
            return nil
        }
        self.init(bytes: bytes)
    }

    /// Nil for a text that is too short or too long, or nobody can read.
    package init?(plain text: String) {
        let scalars = text.unicodeScalars
        guard Self.plainLengths.contains(scalars.count),
            scalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { return nil }
        bytes = Array(text.utf8)
        plain = text
    }

    package var text: String { plain ?? Self.prefix + Base64.text(bytes) }

    /// It is written as the standard has it.
    package var isStandard: Bool { plain == nil }

    /// As it stands in a file: any text as its Base64, so that it is found again whatever it holds.
    package var line: String { isStandard ? text : Self.plainMark + Base64.text(bytes) }

    /// The one or two in a file, a line each, the newest first.
    package static func all(in file: String) -> [CallbackSecret] {
        file.split(whereSeparator: \.isNewline).compactMap { line in
            guard line.hasPrefix(plainMark) else { return CallbackSecret(text: line) }
            return Base64.bytes(line.dropFirst(plainMark.count))
                .flatMap { String(validating: $0, as: UTF8.self) }.flatMap { CallbackSecret(plain: $0) }
        }
    }
}
