import Glibc

/// Cuts a body into lines, the same ones however the wire cuts it into pieces.
package struct LineSplitter: Sendable {
    private let bytesMax: Int
    /// The beginning of a line whose end has not come.
    private var partial: [UInt8] = []

    /// A line is longer than `bytesMax`: it is read no further.
    package struct TooLong: Error {}

    package init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Hands over each line that ends in `piece`, without its line feed.
    package mutating func take(_ piece: [UInt8], _ line: (ArraySlice<UInt8>) -> Void) throws(TooLong) {
        var rest = piece[...]
        while let end = lineFeed(in: rest) {
            guard partial.count + (end - rest.startIndex) <= bytesMax else { throw TooLong() }
            if partial.isEmpty {
                line(rest[..<end])
            } else {
                partial += rest[..<end]
                line(partial[...])
                partial = []
            }
            rest = rest[(end + 1)...]
        }
        guard partial.count + rest.count <= bytesMax else { throw TooLong() }
        partial += rest
    }

    /// What stands behind the last line feed.
    package mutating func end() -> ArraySlice<UInt8> {
        defer { partial = [] }
        return partial[...]
    }
}

private func lineFeed(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress, let found = memchr(base, 0x0A, buffer.count) else { return nil }
        return bytes.startIndex + (UnsafeRawPointer(found) - base)
    }
}
