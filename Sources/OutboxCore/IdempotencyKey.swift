/// What a caller names a submission with, so that a repeat of it does not submit anything again.
package struct IdempotencyKey: Equatable, Sendable {
    /// What it came with; a key names one call of one form.
    package enum Form: Int64, Sendable {
        case single = 0
        case array = 1
        case stream = 2
    }

    /// The user id of the caller, by the word of the kernel: callers do not meet in each other's keys.
    package var caller: Int64
    package var text: String
    package var form: Form
    /// The first 16 bytes of the body's SHA-256; of a stream, of the digests of its items so far.
    package var digest: [UInt8]

    package static let lengthMax = 255
    package static let digestBytes = 16
    /// Of a stream that holds no item yet.
    package static let noDigest = [UInt8](repeating: 0, count: digestBytes)

    package init(caller: Int64, text: String, form: Form, digest: [UInt8]) {
        self.caller = caller
        self.text = text
        self.form = form
        self.digest = digest
    }

    /// 1 to 255 visible ASCII characters, no space among them.
    package static func isValid(_ text: String) -> Bool {
        (1...lengthMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
