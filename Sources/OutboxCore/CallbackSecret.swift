/// A key that signs calls, written as Standard Webhooks has it: `whsec_` and Base64 of 24 to 64 bytes.
package struct CallbackSecret: Equatable, Sendable {
    package let bytes: [UInt8]

    package static let sizes = 24...64
    /// Of one that is made here.
    package static let sizeMade = 32
    private static let prefix = "whsec_"
    package static let rule = "must be whsec_ and the Base64 of 24 to 64 random bytes"

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

    package var text: String { Self.prefix + Base64.text(bytes) }

    /// The one or two in a file, a line each, the newest first.
    package static func all(in file: String) -> [CallbackSecret] {
        file.split(whereSeparator: \.isNewline).compactMap { CallbackSecret(text: $0) }
    }
}
