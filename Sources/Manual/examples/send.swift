// Sends a template and waits until it is delivered; with Foundation and Linux's own sockets.
//
// usage: swiftc send.swift && ./send NUMBER      exits with 0 when it was delivered, 1 when it was refused or failed
import Foundation

struct Broken: Error {}

/// One call of outboxd, its answer read line by line. HTTP is simple enough here to be spoken by hand: an answer has a
/// length, or comes in chunks.
final class Call {
    private let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    private var buffer = Data()
    private var length: Int?
    private(set) var status = 0

    init(_ method: String, _ path: String, headers: [String] = [], body: String = "") throws {
        let name = ProcessInfo.processInfo.environment["OUTBOXD_SOCKET"] ?? "/run/outboxd/outboxd.sock"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(name.utf8.prefix($0.count - 1))) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { throw Broken() }
        let head = ["\(method) \(path) HTTP/1.1", "Host: localhost", "Content-Length: \(body.utf8.count)"] + headers
        let request = Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
        guard write(descriptor, request, request.count) == request.count else { throw Broken() }
        guard let first = rawLine()?.split(separator: " "), first.count > 1 else { throw Broken() }
        status = Int(first[1]) ?? 0
        while let header = rawLine(), !header.isEmpty {
            if header.lowercased().hasPrefix("content-length:") { length = Int(header.dropFirst(15).dropFirst()) }
        }
    }

    deinit { close(descriptor) }

    /// As many bytes as there are to be; nil at the end of the connection.
    private func take(_ isEnough: (Data) -> Int?) -> Data? {
        while true {
            if let count = isEnough(buffer) {
                defer { buffer.removeFirst(count) }
                return buffer.prefix(count)
            }
            var more = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &more, more.count)
            guard count > 0 else { return nil }
            buffer += more.prefix(count)
        }
    }

    private func rawLine() -> String? {
        let line = take { bytes in bytes.firstIndex(of: 10).map { $0 - bytes.startIndex + 1 } }
        return line.map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines) }
    }

    /// The next piece of the body; nil when it is over.
    func piece() -> Data? {
        if let length {
            self.length = 0
            return length == 0 ? nil : take { $0.count >= length ? length : nil }
        }
        guard let size = rawLine().flatMap({ Int($0, radix: 16) }), size > 0 else { return nil }
        // The chunk ends with a line end of its own.
        return take { $0.count >= size + 2 ? size + 2 : nil }?.prefix(size)
    }
}

func object(_ bytes: some Sequence<UInt8>) -> [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(bytes))) as? [String: Any] ?? [:]
}

func quit(_ words: String) -> Never {
    FileHandle.standardError.write(Data((words + "\n").utf8))
    exit(1)
}

/// The message's id. Sent again with the same key, should the answer get lost, it is still queued once.
func submit(_ message: String) throws -> String {
    let key = UUID().uuidString
    for wait: UInt32? in [1, 2, 4, 8, nil] {
        do {
            let call = try Call("POST", "/v1/messages", headers: ["Idempotency-Key: \(key)"], body: message)
            let answer = object(call.piece() ?? Data())
            if call.status == 202, let data = answer["data"] as? [String: Any], let id = data["id"] as? String {
                return id
            }
            // 503: nothing is stored, and it may work in a moment.
            if call.status != 503 || wait == nil { quit("refused: \(answer)") }
        } catch {
            if wait == nil { throw error }
        }
        sleep(wait ?? 0)
    }
    throw Broken()
}

let id = try submit(
    #"{"to": "\#(CommandLine.arguments[1])", "template": {"name": "hello_world", "language": "en_US"}}"#)
print(id)
let log = try Call("GET", "/v1/events?follow=true&after=0&event=message.status_updated&message=\(id)")
var line: [UInt8] = []
while let piece = log.piece() {
    for byte in piece {
        if byte != 10 {
            line.append(byte)
            continue
        }
        // An empty line says that outboxd is still there.
        let data = object(line)["data"] as? [String: Any]
        line = []
        switch data?["status"] as? String {
        case "delivered", "read": exit(0)
        case "failed", "cancelled": quit("not delivered: \(data?["errorCode"] ?? "") \(data?["errorMessage"] ?? "")")
        default: break
        }
    }
}
quit("the connection ended")
