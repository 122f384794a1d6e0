/// Names that are known where an object is read; a key is found among them by its bytes, without a string of its own.
package struct JSONNames: Sendable {
    package let texts: [String]
    private let marks: [UInt32]
    /// Of all of them one behind the other, and where each begins.
    private var bytes: [UInt8] = []
    private var starts: [Int] = []

    package init(_ texts: [String]) {
        self.texts = texts
        marks = texts.map { text in
            var text = text
            return text.withUTF8 { Self.mark($0) }
        }
        for text in texts {
            starts.append(bytes.count)
            bytes += text.utf8
        }
    }

    /// Which of them this key of an object is; nil: none of them.
    package func place(of key: JSONValue) -> Int? {
        // A key that cannot be decoded reads as the empty one.
        key.withPlainText { place(of: $0) } ?? texts.firstIndex(of: key.string ?? "")
    }

    /// Which of them this is; nil: none of them.
    package func place(of text: String) -> Int? {
        var text = text
        return text.withUTF8 { place(of: $0) }
    }

    private func place(of name: UnsafeBufferPointer<UInt8>) -> Int? {
        let mark = Self.mark(name)
        for place in marks.indices where marks[place] == mark {
            let own = bytes[starts[place]..<(place + 1 < starts.count ? starts[place + 1] : bytes.count)]
            if own.elementsEqual(name) { return place }
        }
        return nil
    }

    /// The length of a name, its first and its last byte: hardly two of an object's have them in common.
    private static func mark(_ name: UnsafeBufferPointer<UInt8>) -> UInt32 {
        guard let first = name.first, let last = name.last else { return 0 }
        return UInt32(min(name.count, 0xFFFF)) << 16 | UInt32(first) << 8 | UInt32(last)
    }
}
