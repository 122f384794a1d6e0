/// Writes JSON text into bytes, commas included. What it is given it writes in that order.
///
/// A value inside an object is written with its name, one inside an array without:
///
///     var json = JSONWriter()
///     json.object {
///         $0.field("id", "7")
///         $0.array("lines") { $0.value("a") }
///     }
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    // MARK: Containers

    package mutating func object(_ name: String? = nil, _ body: (inout JSONWriter) throws -> Void) rethrows {
        try container(name, UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    package mutating func array(_ name: String? = nil, _ body: (inout JSONWriter) throws -> Void) rethrows {
        try container(name, UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    private mutating func container(
        _ name: String?, _ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) throws -> Void
    ) rethrows {
        if let name { key(name) } else { separate() }
        bytes.append(open)
        needsComma = false
        try body(&self)
        bytes.append(close)
        needsComma = true
    }

    /// Ends the text with a line feed.
    package mutating func endLine() { bytes.append(0x0A) }

    // MARK: Members

    package mutating func field(_ name: String, _ text: String?) {
        key(name)
        if let text { quote(text) } else { literal("null") }
    }

    package mutating func field(_ name: String, _ number: (some BinaryInteger)?) {
        key(name)
        literal(number.map { String($0) } ?? "null")
    }

    package mutating func field(_ name: String, _ flag: Bool) {
        key(name)
        literal(flag ? "true" : "false")
    }

    package mutating func field(_ name: String, number: Double) {
        key(name)
        literal(number.isFinite ? String(number) : "null")
    }

    /// A value that is JSON text already; nil is null.
    package mutating func field(_ name: String, raw text: (some Sequence<UInt8>)?) {
        key(name)
        if let text { append(text) } else { literal("null") }
    }

    // MARK: Items

    package mutating func value(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    package mutating func value(raw text: some Sequence<UInt8>) {
        separate()
        append(text)
        needsComma = true
    }

    // MARK: Text

    private mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    /// Bytes that lie one behind the other are copied as one.
    private mutating func append(_ text: some Sequence<UInt8>) {
        let copied: Void? = text.withContiguousStorageIfAvailable { bytes.append(contentsOf: $0) }
        if copied == nil { bytes.append(contentsOf: text) }
    }

    private mutating func literal(_ text: String) {
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    private mutating func quote(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            bytes.append(UInt8(ascii: "\""))
            if isPlain(utf8) { bytes.append(contentsOf: utf8) } else { escape(utf8) }
            bytes.append(UInt8(ascii: "\""))
        }
    }

    private func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        for byte in text where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
        return true
    }

    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: literal("\\n")
            case 0x0D: literal("\\r")
            case 0x09: literal("\\t")
            case 0..<0x20:
                literal("\\u00")
                bytes.append(hexDigit(byte >> 4))
                bytes.append(hexDigit(byte & 15))
            default: bytes.append(byte)
            }
        }
    }
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
