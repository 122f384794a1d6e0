import Glibc
import OutboxSystem

/// A client that says exactly the bytes it is given, over a Unix socket.
package final class RawClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    package init(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let connected = withUnixAddress(path) { connect(descriptor, $0, $1) == 0 } ?? false
        precondition(connected, "no connection to \(path): errno \(errno)")
        setPatience(milliseconds: 20_000)
    }

    /// How long to wait for the other side to take or say something.
    package func setPatience(milliseconds: Int) {
        var patience = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// False when the other side no longer takes bytes.
    @discardableResult
    package func say(_ text: String) -> Bool { say(Array(text.utf8)) }

    @discardableResult
    package func say(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    package func endSpeaking() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next answer, by its Content-Length; nil when the connection ended or nothing came for 20 seconds.
    package func hear(hasBody: Bool = true) -> (status: Int, head: String, body: String)? {
        while true {
            if let end = endOfHead() {
                let head = String(decoding: buffer[..<end], as: UTF8.self)
                let lines = head.split(separator: "\r\n")
                let length =
                    lines.compactMap { line in
                        line.lowercased().hasPrefix("content-length:")
                            ? Int(line.dropFirst(15).filter { $0 != " " }) : nil
                    }.first ?? 0
                let total = end + (hasBody ? length : 0)
                if buffer.count >= total {
                    let body = String(decoding: buffer[end..<total], as: UTF8.self)
                    buffer.removeSubrange(..<total)
                    let status = lines[0].split(separator: " ")[1]
                    return (Int(status) ?? 0, head, body)
                }
            }
            if !fill() { return nil }
        }
    }

    /// The head of the next answer, without what follows.
    package func hearHead() -> String? {
        while true {
            if let end = endOfHead() {
                defer { buffer.removeSubrange(..<end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            if !fill() { return nil }
        }
    }

    /// The next chunk of an answer, empty for the last one; nil when the connection ended or nothing came in time.
    package func hearChunk() -> [UInt8]? {
        while true {
            if let lineEnd = buffer.firstIndex(of: 10), lineEnd > 1 {
                let size = Int(String(decoding: buffer[..<(lineEnd - 1)], as: UTF8.self), radix: 16)
                guard let size else { return nil }
                let start = lineEnd + 1
                if buffer.count >= start + size + 2 {
                    let chunk = Array(buffer[start..<start + size])
                    buffer.removeSubrange(..<(start + size + 2))
                    return chunk
                }
            }
            if !fill() { return nil }
        }
    }

    /// Everything until the other side ends the connection.
    package func hearEverything() -> [UInt8] {
        while fill() {}
        defer { buffer = [] }
        return buffer
    }

    private func endOfHead() -> Int? {
        guard buffer.count >= 4 else { return nil }
        return (3..<buffer.count).first { Array(buffer[$0 - 3...$0]) == [13, 10, 13, 10] }.map { $0 + 1 }
    }

    /// True when the server ended the connection and sent nothing before.
    package func isEnded() -> Bool { buffer.isEmpty && !fill() }

    /// True when the server closed the connection; false when it said something, or nothing for the client's patience.
    package func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = buffer.isEmpty ? recv(descriptor, &byte, 1, Int32(MSG_PEEK)) : 1
        return count == 0 || count < 0 && errno == ECONNRESET
    }

    /// Whether the server has closed the connection, however much of what it said still waits to be heard.
    package func wasLeft(withinMilliseconds patience: Int32) -> Bool {
        var wait = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&wait, 1, patience) > 0 && wait.revents & Int16(POLLHUP) != 0
    }

    private func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &piece, piece.count, 0)
        if count > 0 { buffer += piece[..<count] }
        return count > 0
    }
}
