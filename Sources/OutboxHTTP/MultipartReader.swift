import Glibc

/// Reads a `multipart/form-data` body (RFC 7578, RFC 2046) that comes in pieces. What it holds back is never longer
/// than a boundary, or the headers of one part.
package struct MultipartReader: Sendable {
    package enum Event: Equatable, Sendable {
        /// A part begins.
        case part(name: String, filename: String?, contentType: String?)
        /// Some of the part's bytes.
        case bytes([UInt8])
        case partEnded
        /// The last boundary has come.
        case ended
    }

    package static let partsMax = 16
    package static let headBytesMax = 4096

    private enum State {
        /// Before the first boundary, which may stand at the very beginning.
        case preamble
        /// Behind a boundary: a line end, or `--`.
        case afterBoundary
        case head
        case body
        case done
    }

    private var state = State.preamble
    /// CR LF, two dashes and the boundary.
    private let delimiter: [UInt8]
    private var held: [UInt8]
    private var parts = 0

    package init(boundary: String) {
        delimiter = Array("\r\n--\(boundary)".utf8)
        // So that the first boundary looks like the others.
        held = Array("\r\n".utf8)
    }

    /// The boundary a Content-Type names; nil when it is no `multipart/form-data`, or names none that may be one.
    package static func boundary(of contentType: String) -> String? {
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.first?.filter({ $0 != " " }).lowercased() == "multipart/form-data" else { return nil }
        let boundary = parameters(parts.dropFirst().joined(separator: ";"))["boundary"]
        guard let boundary, (1...70).contains(boundary.utf8.count),
            boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return nil }
        return boundary
    }

    package var isDone: Bool { if case .done = state { true } else { false } }

    /// What the piece brings.
    package mutating func read(_ piece: [UInt8]) throws(HTTPRefusal) -> [Event] {
        held += piece
        var events: [Event] = []
        while try step(&events) {}
        return events
    }

    /// False when more has to come first.
    private mutating func step(_ events: inout [Event]) throws(HTTPRefusal) -> Bool {
        switch state {
        case .done:
            // What stands behind the last boundary means nothing.
            held = []
            return false
        case .preamble:
            guard let place = find(delimiter) else {
                held.removeFirst(max(0, held.count - delimiter.count))
                return false
            }
            held.removeFirst(place + delimiter.count)
            state = .afterBoundary
        case .afterBoundary:
            guard held.count >= 2 else { return false }
            if held.starts(with: "--".utf8) {
                state = .done
                events.append(.ended)
                return true
            }
            guard held.starts(with: "\r\n".utf8) else { throw Self.wrong("a boundary is not followed by a line end") }
            // The line end stays: a part may have no headers at all.
            state = .head
        case .head:
            guard let end = find(Array("\r\n\r\n".utf8)) else {
                guard held.count <= Self.headBytesMax else { throw Self.wrong("the headers of a part are too long") }
                return false
            }
            guard end <= Self.headBytesMax else { throw Self.wrong("the headers of a part are too long") }
            parts += 1
            guard parts <= Self.partsMax else { throw Self.wrong("there are more than \(Self.partsMax) parts") }
            events.append(try head(Array(held[..<end])))
            held.removeFirst(end + 4)
            state = .body
        case .body: return body(&events)
        }
        return true
    }

    private mutating func body(_ events: inout [Event]) -> Bool {
        guard let place = find(delimiter) else {
            let count = held.count - delimiter.count
            if count > 0 {
                events.append(.bytes(Array(held[..<count])))
                held.removeFirst(count)
            }
            return false
        }
        if place > 0 { events.append(.bytes(Array(held[..<place]))) }
        events.append(.partEnded)
        held.removeFirst(place + delimiter.count)
        state = .afterBoundary
        return true
    }

    private func find(_ wanted: [UInt8]) -> Int? {
        guard held.count >= wanted.count else { return nil }
        return held.withUnsafeBytes { held in
            wanted.withUnsafeBytes { wanted in
                guard let start = held.baseAddress, let first = wanted.baseAddress else { return nil }
                var at = 0
                let places = held.count - wanted.count + 1
                while at < places, let found = memchr(start + at, Int32(wanted[0]), places - at) {
                    at = UnsafeRawPointer(found) - start
                    if memcmp(start + at, first, wanted.count) == 0 { return at }
                    at += 1
                }
                return nil
            }
        }
    }

    private func head(_ bytes: [UInt8]) throws(HTTPRefusal) -> Event {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Self.wrong("the headers of a part are not UTF-8")
        }
        var (name, filename, type): (String?, String?, String?)
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else { throw Self.wrong("a part's header is not NAME: VALUE") }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            switch line[..<colon].lowercased() {
            case "content-disposition":
                let parameters = Self.parameters(value.drop { $0 != ";" }.dropFirst())
                (name, filename) = (parameters["name"], parameters["filename"])
            case "content-type": type = String(value)
            case "content-transfer-encoding":
                guard ["binary", "8bit", "7bit"].contains(value.lowercased()) else {
                    throw Self.wrong("a part is encoded; send its bytes as they are")
                }
            default: break
            }
        }
        guard let name else { throw Self.wrong("a part has no name") }
        return .part(name: name, filename: filename, contentType: type)
    }

    /// `name="a b"; filename=c`; browsers write a quote in a name as `%22`.
    private static func parameters(_ text: some StringProtocol) -> [String: String] {
        var found: [String: String] = [:]
        var rest = Substring(text)
        while !rest.isEmpty {
            rest = rest.drop { $0 == " " || $0 == ";" }
            guard let equals = rest.firstIndex(of: "=") else { break }
            let name = rest[..<equals].lowercased()
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let next = rest.first, next != "\"" {
                    rest = rest.dropFirst()
                    if next == "\\", let escaped = rest.first, escaped == "\"" || escaped == "\\" {
                        value.append(escaped)
                        rest = rest.dropFirst()
                    } else {
                        value.append(next)
                    }
                }
                rest = rest.drop { $0 != ";" }
            } else {
                let end = rest.firstIndex(of: ";") ?? rest.endIndex
                value = String(rest[..<end])
                while value.last == " " { value.removeLast() }
                rest = rest[end...]
            }
            if found[name] == nil { found[name] = value }
        }
        return found
    }

    private static func wrong(_ words: String) -> HTTPRefusal {
        HTTPRefusal(status: 400, message: "the body is no multipart/form-data: \(words)")
    }
}
