/// A name and a value as they stand in a message; names in lower case.
package struct HTTPHeader: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request without its body.
package struct RequestHead: Equatable, Sendable {
    package var method: String
    /// As sent: a path and perhaps a query, still percent-encoded.
    package var target: String
    package var headers: [HTTPHeader]
    package var body: BodyFraming
    package var keepAlive: Bool
    /// HTTP/1.0: knows no chunks.
    package var isOld: Bool
    /// The client waits for `100 Continue` before it sends its body.
    package var expectsContinue: Bool

    package init(
        method: String, target: String, headers: [HTTPHeader] = [], body: BodyFraming = .none, keepAlive: Bool = true,
        isOld: Bool = false, expectsContinue: Bool = false
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keepAlive = keepAlive
        self.isOld = isOld
        self.expectsContinue = expectsContinue
    }

    /// The value of a header that may come once; the first when it comes twice.
    package subscript(_ name: String) -> String? {
        for index in headers.indices where headers[index].name == name { return headers[index].value }
        return nil
    }

    package var path: Substring { target.prefix { $0 != "?" } }

    /// The parameters behind the `?`, decoded, in their order; nil when an escape is broken.
    package var query: [(name: String, value: String)]? {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return [] }
        var list: [(name: String, value: String)] = []
        for pair in target[target.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: true) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0], plusIsSpace: true),
                let value = parts.count > 1 ? percentDecoded(parts[1], plusIsSpace: true) : ""
            else { return nil }
            list.append((name, value))
        }
        return list
    }
}

/// How the end of a body is told.
package enum BodyFraming: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
}

package struct HTTPRequest: Sendable {
    package var head: RequestHead
    package var body: [UInt8]
    package var peer: Peer
    /// Which of the server's sockets it came in by.
    package var listener: Int

    package init(head: RequestHead, body: [UInt8], peer: Peer, listener: Int) {
        (self.head, self.body, self.peer, self.listener) = (head, body, peer, listener)
    }
}

package struct HTTPResponse: Equatable, Sendable {
    package var status: Int
    package var headers: [HTTPHeader]
    package var body: [UInt8]
    /// Close the connection behind it.
    package var closes: Bool

    package init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = [], closes: Bool = false) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closes = closes
    }
}

/// All but letters, digits and `-._~` as `%3D` (RFC 3986, 2.3): for a part of a path, or a value in a query.
package func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: encoded.unicodeScalars.append(.init(byte))
        default: encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
        }
    }
    return encoded
}

/// Resolves `%41`; nil when an escape is broken or the bytes are not UTF-8.
package func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    func digit(_ byte: UInt8) -> UInt8? { Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init) }

    guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
        return String(text)
    }
    let input = Array(text.utf8)
    var bytes: [UInt8] = []
    var at = 0
    while at < input.count {
        switch input[at] {
        case UInt8(ascii: "%"):
            guard at + 2 < input.count, let high = digit(input[at + 1]), let low = digit(input[at + 2]) else {
                return nil
            }
            bytes.append(high << 4 | low)
            at += 3
        case UInt8(ascii: "+") where plusIsSpace:
            bytes.append(UInt8(ascii: " "))
            at += 1
        default:
            bytes.append(input[at])
            at += 1
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

package func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 100: "Continue"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 411: "Length Required"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    case 507: "Insufficient Storage"
    default: "Status"
    }
}
