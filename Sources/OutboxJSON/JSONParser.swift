import CJSONIndex

/// Why a text is not JSON, in words for the person who sent it.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// Reads whole JSON texts, checked completely by simdjson, as values that remember their place in the text.
///
/// A parser keeps its buffers between texts and belongs to one thread.
package final class JSONParser {
    /// Containers inside containers, at most; deeper text is refused.
    package static let depthMax = 64
    /// simdjson reads this far behind the text.
    private static let padding = 64

    private let handle: OpaquePointer

    package init() {
        guard let handle = ob_json_parser_make() else { preconditionFailure("out of memory for a JSON parser") }
        self.handle = handle
    }

    deinit { ob_json_parser_free(handle) }

    package func parse(_ text: some Collection<UInt8>) throws(JSONError) -> JSONValue {
        let bytes =
            text.withContiguousStorageIfAvailable(Self.padded) ?? Array(text).withUnsafeBufferPointer(Self.padded)
        return try parse(padded: bytes, count: bytes.count - Self.padding)
    }

    private static func padded(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: text.count + padding) { buffer, initialized in
            let end = buffer.initialize(fromContentsOf: text)
            buffer[end...].initialize(repeating: 0)
            initialized = text.count + padding
        }
    }

    private func parse(padded bytes: [UInt8], count: Int) throws(JSONError) -> JSONValue {
        // simdjson's versions do not agree on it; RFC 8259, 8.1: it must not be sent.
        if count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONError(description: "not valid JSON: it begins with a byte order mark")
        }
        var nodes: UnsafePointer<ob_json_node>?
        var nodeCount = 0
        let code = bytes.withUnsafeBufferPointer { buffer in
            ob_json_parse(handle, buffer.baseAddress, count, Self.depthMax, &nodes, &nodeCount)
        }
        guard code == 0, nodeCount > 0 else {
            let words = String(cString: ob_json_error(code))
            let advice = words.contains("parsing a number") ? "; a number beyond 64 bits must be sent as a string" : ""
            throw JSONError(description: "not valid JSON: \(words)\(advice)")
        }
        let document = JSONDocument(bytes: bytes, nodes: UnsafeBufferPointer(start: nodes, count: nodeCount))
        return JSONValue(document: document, index: 0)
    }
}

/// A text and the index over it; values share it.
final class JSONDocument: Sendable {
    let bytes: [UInt8]
    let nodes: [ob_json_node]

    init(bytes: [UInt8], nodes: UnsafeBufferPointer<ob_json_node>) {
        self.bytes = bytes
        self.nodes = Array(nodes)
    }
}
