import Glibc

/// Why a request is refused before anybody looks at what it asks for.
package struct HTTPRefusal: Error, Equatable, Sendable {
    package var status: Int
    package var message: String
}

/// Bytes into requests, RFC 9112, and nothing that could be read in two ways: no bare line feeds, no folded
/// headers, no second Content-Length, no Content-Length beside Transfer-Encoding, no chunk extensions or trailers.
package enum RequestParser {
    package enum Head: Equatable, Sendable {
        case needsMore
        case complete(RequestHead, consumed: Int)
        case refused(HTTPRefusal)
    }

    /// Reads the request line and headers from the front of `bytes`. `scanned` bytes of it were seen to hold no end,
    /// so that a client who sends byte by byte does not make us look at each of them again and again.
    package static func head(_ bytes: UnsafeRawBufferPointer, scanned: Int = 0, limits: HTTPLimits) -> Head {
        guard let end = endOfHead(bytes, scanned) else {
            if bytes.count > limits.headBytesMax { return .refused(tooLong(limits)) }
            return firstLineRefusal(bytes).map(Head.refused) ?? .needsMore
        }
        if end > limits.headBytesMax { return .refused(tooLong(limits)) }
        do throws(HTTPRefusal) {
            var lines = LineReader(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
            let line = try requestLine(lines.next())
            let headers = try headerLines(&lines, limits)
            return .complete(try assemble(line, headers), consumed: end)
        } catch {
            return .refused(error)
        }
    }

    private static func tooLong(_ limits: HTTPLimits) -> HTTPRefusal {
        HTTPRefusal(status: 431, message: "request line and headers are longer than \(limits.headBytesMax) bytes")
    }

    /// The offset behind the first empty line.
    private static func endOfHead(_ bytes: UnsafeRawBufferPointer, _ scanned: Int) -> Int? {
        var at = max(3, scanned)
        while let lineFeed = bytes.offset(of: 0x0A, from: at) {
            at = lineFeed + 1
            if bytes[at - 2] == 0x0D, bytes[at - 3] == 0x0A, bytes[at - 4] == 0x0D { return at }
        }
        return nil
    }

    /// Tells a client that does not speak HTTP at once, instead of waiting for the end of its headers.
    private static func firstLineRefusal(_ bytes: UnsafeRawBufferPointer) -> HTTPRefusal? {
        guard let first = bytes.first else { return nil }
        return isToken(first) ? nil : HTTPRefusal(status: 400, message: "this is not an HTTP request")
    }

    private struct LineReader {
        let bytes: UnsafeRawBufferPointer
        var at = 0

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        /// The bytes up to the next line feed, which a carriage return must precede; there is always one.
        mutating func next() throws(HTTPRefusal) -> UnsafeRawBufferPointer {
            let start = at
            at = (bytes.offset(of: 0x0A, from: start) ?? bytes.count - 1) + 1
            guard at - start >= 2, bytes[at - 2] == 0x0D else {
                throw HTTPRefusal(status: 400, message: "a line of the headers does not end in CR LF")
            }
            return UnsafeRawBufferPointer(rebasing: bytes[start..<at - 2])
        }
    }

    // MARK: Request line

    private static func requestLine(_ line: UnsafeRawBufferPointer) throws(HTTPRefusal)
        -> (method: String, target: String, isOne: Bool)
    {
        func malformed() -> HTTPRefusal {
            HTTPRefusal(status: 400, message: "the request line is not METHOD TARGET HTTP/1.1")
        }
        guard let first = line.firstIndex(of: 0x20), let last = line.lastIndex(of: 0x20), first < last,
            first > 0, first <= 16, last > first + 1
        else { throw malformed() }
        let method = UnsafeRawBufferPointer(rebasing: line[..<first])
        let target = UnsafeRawBufferPointer(rebasing: line[(first + 1)..<last])
        let version = UnsafeRawBufferPointer(rebasing: line[(last + 1)...])
        guard method.allSatisfy(isToken), target.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw malformed() }
        let isOne = version.elementsEqual("HTTP/1.1".utf8)
        guard isOne || version.elementsEqual("HTTP/1.0".utf8) else {
            let version = String(decoding: version, as: UTF8.self)
            guard version.utf8.count == 8, version.hasPrefix("HTTP/") else { throw malformed() }
            throw HTTPRefusal(status: 505, message: "only HTTP/1.1 is spoken here")
        }
        guard target.first == UInt8(ascii: "/") else {
            throw HTTPRefusal(status: 400, message: "the request target is not a path")
        }
        return (String(decoding: method, as: UTF8.self), String(decoding: target, as: UTF8.self), isOne)
    }

    // MARK: Headers

    private static func headerLines(_ lines: inout LineReader, _ limits: HTTPLimits) throws(HTTPRefusal)
        -> [HTTPHeader]
    {
        var headers: [HTTPHeader] = []
        headers.reserveCapacity(8)
        while true {
            let line = try lines.next()
            if line.isEmpty { return headers }
            guard headers.count < limits.headersMax else {
                throw HTTPRefusal(status: 431, message: "more than \(limits.headersMax) headers")
            }
            headers.append(try header(line))
        }
    }

    private static func header(_ line: UnsafeRawBufferPointer) throws(HTTPRefusal) -> HTTPHeader {
        var colon = 0
        while colon < line.count, isToken(line[colon]) { colon += 1 }
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            throw HTTPRefusal(status: 400, message: "a header line is not NAME: VALUE")
        }
        var (start, end) = (colon + 1, line.count)
        while start < end, isBlank(line[start]) { start += 1 }
        while start < end, isBlank(line[end - 1]) { end -= 1 }
        let value = UnsafeRawBufferPointer(rebasing: line[start..<end])
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw HTTPRefusal(status: 400, message: "a header value holds a control character")
        }
        let name = String(unsafeUninitializedCapacity: colon) { buffer in
            for index in 0..<colon { buffer[index] = lowercased(line[index]) }
            return colon
        }
        return HTTPHeader(name, String(decoding: value, as: UTF8.self))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func assemble(
        _ line: (method: String, target: String, isOne: Bool), _ headers: [HTTPHeader]
    ) throws(HTTPRefusal) -> RequestHead {
        var head = RequestHead(
            method: line.method, target: line.target, headers: headers, keepAlive: line.isOne, isOld: !line.isOne)
        var hosts = 0
        var lengthSeen = false
        for header in headers {
            switch header.name {
            case "host": hosts += 1
            case "content-length":
                guard !lengthSeen else { throw HTTPRefusal(status: 400, message: "two Content-Length headers") }
                lengthSeen = true
                head.body = .length(try length(header.value))
            case "transfer-encoding":
                guard line.isOne, head.body != .chunked else {
                    throw HTTPRefusal(status: 400, message: "Transfer-Encoding does not belong here")
                }
                guard header.value.lowercased() == "chunked" else {
                    throw HTTPRefusal(status: 501, message: "the only Transfer-Encoding known here is chunked")
                }
                head.body = .chunked
            case "connection":
                let options = header.value.lowercased().split(separator: ",").map { $0.filter { $0 != " " } }
                if options.contains("close") { head.keepAlive = false }
            case "expect":
                guard header.value.lowercased() == "100-continue" else {
                    throw HTTPRefusal(status: 417, message: "the only expectation known here is 100-continue")
                }
                head.expectsContinue = line.isOne
            default: break
            }
        }
        if lengthSeen, headers.contains(where: { $0.name == "transfer-encoding" }) {
            throw HTTPRefusal(status: 400, message: "Content-Length and Transfer-Encoding exclude each other")
        }
        guard hosts == 1 || hosts == 0 && !line.isOne else {
            throw HTTPRefusal(status: 400, message: "HTTP/1.1 wants exactly one Host header")
        }
        return head
    }

    private static func length(_ text: String) throws(HTTPRefusal) -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw HTTPRefusal(status: 400, message: "Content-Length is not a number")
        }
        guard text.utf8.count <= 15, let value = Int(text) else {
            throw HTTPRefusal(status: 413, message: "Content-Length is beyond every limit")
        }
        return value
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// tchar of RFC 9110, 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Where the next such byte stands.
    fileprivate func offset(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress, let found = memchr(base + start, Int32(byte), count - start) else {
            return nil
        }
        return UnsafeRawPointer(found) - base
    }
}
