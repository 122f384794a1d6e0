import Foundation
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// One who reads `GET /v1/events` as it comes.
final class EventReader {
    let client: RawClient
    let head: String
    private var text = ""

    init(_ lab: Lab, _ query: String = "", serverSent: Bool = false, headers: [String] = []) throws {
        client = RawClient(lab.socket)
        let accept = serverSent ? "Accept: text/event-stream\r\n" : ""
        let more = headers.map { "\($0)\r\n" }.joined()
        client.say("GET /v1/events?\(query) HTTP/1.1\r\nHost: x\r\n\(accept)\(more)\r\n")
        head = try #require(client.hearHead())
    }

    /// What comes up to the next `end`, which is taken away; nil when the answer ended before.
    func next(_ end: String) -> String? {
        while true {
            if let range = text.range(of: end) {
                defer { text.removeSubrange(..<range.upperBound) }
                return String(text[..<range.lowerBound])
            }
            guard let chunk = client.hearChunk(), !chunk.isEmpty else { return nil }
            text += String(decoding: chunk, as: UTF8.self)
        }
    }

    /// The next event of NDJSON.
    func event() throws -> JSONValue? {
        while let line = next("\n") {
            if !line.isEmpty { return try JSONParser().parse(line.utf8) }
        }
        return nil
    }

    /// The next event of a server-sent stream: its fields.
    func fields() -> [String: String]? {
        guard let block = next("\n\n") else { return nil }
        var fields: [String: String] = [:]
        for line in block.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            fields[String(parts[0])] = parts.count > 1 ? String(parts[1].dropFirst()) : ""
        }
        return fields
    }
}

extension Lab {
    /// The whole log, as NDJSON without following.
    func log(_ query: String = "") throws -> [JSONValue] {
        let answer = try call("GET", "/v1/events?\(query)")
        #expect(answer.status == 200, "\(answer.text)")
        return try answer.text.split(separator: "\n").map { try JSONParser().parse($0.utf8) }
    }

    /// What the log must hold for a message, by its own timeline.
    func told(_ id: String) throws -> [String] {
        try message(id)["timeline"]?.list.filter { $0["event"]?.string != "noted" }
            .compactMap { $0["status"]?.string } ?? []
    }

    func memoryKilobytes() throws -> Int {
        let pid = try #require(daemon?.pid)
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.filter(\.isNumber)))
    }

    func lines(of file: String) throws -> [JSONValue] {
        let text = try String(contentsOfFile: folder.file(file), encoding: .utf8)
        // The last line may just be being written.
        return try text[..<(text.lastIndex(of: "\n") ?? text.startIndex)].split(separator: "\n").map {
            try JSONParser().parse($0.utf8)
        }
    }

    func background(_ arguments: [String], output: String) throws -> Program {
        try Program("outboxctl", arguments, environment: ["OUTBOXD_SOCKET": socket], output: folder.file(output))
    }
}

/// The events of a message, in the order told, by their status.
func statuses(_ events: [JSONValue], of id: String) -> [String] {
    events.filter { $0[path: "data", "messageId"]?.string == id }.compactMap { $0[path: "data", "status"]?.string }
}

func sequences(_ events: [JSONValue]) -> [Int64] { events.compactMap { $0["seq"]?.integer } }
