import CJSONIndex

/// A value inside a parsed JSON text. Cheap to copy; keeps the whole text alive.
package struct JSONValue: Sendable {
    package enum Kind: Sendable { case object, array, string, number, bool, null }

    let document: JSONDocument
    let index: Int

    private var node: ob_json_node { document.nodes[index] }

    package var kind: Kind {
        switch node.kind {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "0"): .number
        case UInt8(ascii: "n"): .null
        default: .bool
        }
    }

    package var isNull: Bool { kind == .null }

    /// The value as it stands in the text, byte for byte; a string with its quotes and escapes.
    package var raw: ArraySlice<UInt8> { document.bytes[Int(node.start)..<Int(node.end)] }

    /// The same without the spaces and line breaks between its parts.
    package var compact: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var isQuoted = false
        var isEscaped = false
        for byte in raw {
            if !isQuoted, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { continue }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && byte == UInt8(ascii: "\\") && !isEscaped
            bytes.append(byte)
        }
        return bytes
    }

    package var bool: Bool? {
        guard kind == .bool else { return nil }
        return node.kind == UInt8(ascii: "t")
    }

    /// The number, when it is written as a whole one that fits.
    package var integer: Int64? {
        guard kind == .number else { return nil }
        return Int64(String(decoding: raw, as: UTF8.self))
    }

    package var number: Double? {
        guard kind == .number else { return nil }
        return Double(String(decoding: raw, as: UTF8.self))
    }

    /// The string with its escapes resolved; nil for another kind, and for an escape that names half a character.
    package var string: String? {
        if let plain = withPlainText({ String(decoding: $0, as: UTF8.self) }) { return plain }
        guard kind == .string else { return nil }
        return unescaped(document.bytes[Int(node.start) + 1..<Int(node.end) - 1])
    }

    /// The items of an array; nothing for another kind.
    package var elements: JSONChildren { JSONChildren(self, of: .array) }

    /// The members of an object in the order given, repeated names included; nothing for another kind.
    package var members: JSONMembers { JSONMembers(children: JSONChildren(self, of: .object)) }

    /// The keys and values of an object in the order given, repeated names included; nothing for another kind.
    package var entries: JSONEntries { JSONEntries(children: JSONChildren(self, of: .object)) }

    /// The first member of this name.
    package subscript(_ name: String) -> JSONValue? {
        guard kind == .object else { return nil }
        var name = name
        let place = name.withUTF8 { wanted -> Int? in
            var at = index + 1
            let end = next
            while at < end {
                let key = JSONValue(document: document, index: at)
                if key.isText(wanted) { return at + 1 }
                at = Int(document.nodes[at + 1].next)
            }
            return nil
        }
        return place.map { JSONValue(document: document, index: $0) }
    }

    /// Whether it is that string.
    private func isText(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        withPlainText { own in own.count == text.count && own.indices.allSatisfy { own[$0] == text[$0] } }
            ?? (string == String(decoding: text, as: UTF8.self))
    }

    /// A string's bytes between its quotes; nil for another kind, and for one that holds escapes.
    func withPlainText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        let node = node
        guard node.kind == UInt8(ascii: "\""), node.escaped == 0 else { return nil }
        return document.bytes[Int(node.start) + 1..<Int(node.end) - 1].withUnsafeBufferPointer(body)
    }

    /// A string with at least one character in it.
    package var isFilledText: Bool { kind == .string && node.end - node.start > 2 && string != nil }

    /// A string in which at least one character is written as an escape.
    package var isEscaped: Bool { node.escaped != 0 }

    var childrenRange: Range<Int> { index + 1..<Int(node.next) }
    var next: Int { Int(node.next) }
}

package struct JSONChildren: Sequence, IteratorProtocol {
    private let document: JSONDocument
    private var at: Int
    private let end: Int

    init(_ value: JSONValue, of kind: JSONValue.Kind) {
        document = value.document
        let range = value.kind == kind ? value.childrenRange : 0..<0
        at = range.lowerBound
        end = range.upperBound
    }

    package mutating func next() -> JSONValue? {
        guard at < end else { return nil }
        let value = JSONValue(document: document, index: at)
        at = value.next
        return value
    }
}

package struct JSONEntries: Sequence, IteratorProtocol {
    var children: JSONChildren

    package mutating func next() -> (key: JSONValue, value: JSONValue)? {
        guard let key = children.next(), let value = children.next() else { return nil }
        return (key, value)
    }
}

package struct JSONMembers: Sequence, IteratorProtocol {
    var children: JSONChildren

    /// A name that cannot be decoded reads as the empty one, which no schema knows.
    package mutating func next() -> (name: String, value: JSONValue)? {
        guard let key = children.next(), let value = children.next() else { return nil }
        return (key.string ?? "", value)
    }
}

/// Resolves the escapes of a string already known to be valid JSON.
private func unescaped(_ text: ArraySlice<UInt8>) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var at = text.startIndex

    func unit() -> UInt16? {
        guard at + 4 <= text.endIndex else { return nil }
        let value = UInt16(String(decoding: text[at..<at + 4], as: UTF8.self), radix: 16)
        at += 4
        return value
    }

    while at < text.endIndex {
        let byte = text[at]
        at += 1
        guard byte == UInt8(ascii: "\\") else {
            bytes.append(byte)
            continue
        }
        let escape = text[at]
        at += 1
        switch escape {
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            guard let first = unit() else { return nil }
            var units = [first]
            if UTF16.isLeadSurrogate(first) {
                at += 2  // the backslash and the u of the second half, which simdjson has seen
                guard let second = unit(), UTF16.isTrailSurrogate(second) else { return nil }
                units.append(second)
            } else if UTF16.isTrailSurrogate(first) {
                return nil
            }
            bytes.append(contentsOf: String(decoding: units, as: UTF16.self).utf8)
        default: bytes.append(escape)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
