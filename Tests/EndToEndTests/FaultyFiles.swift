import Foundation
import TestKit
import Testing

/// Only root may mount, give files away and become somebody else.
let isRoot = getuid() == 0

/// Files of a stopped or killed daemon, and a start on them.
enum FaultyFiles {
    static func path(_ lab: Lab, _ name: String = "") -> String { lab.state + "/outboxd.db" + name }

    static func bytes(_ path: String) -> Data? { try? Data(contentsOf: URL(fileURLWithPath: path)) }

    static func write(_ bytes: Data, _ path: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    /// Starts it where it cannot; answers its words.
    @discardableResult
    static func refused(_ lab: Lab, _ status: Int32, _ remedy: String, before: [String] = []) throws -> String {
        let log = lab.folder.file("refused-\(UInt32.random(in: 0 ... .max)).log")
        let words = before + ["\(programFolder)/outboxd"] + lab.arguments
        let program = try Program(words[0], Array(words.dropFirst()), output: log)
        #expect(program.exitStatus() == status, "\(program.words)")
        let line = program.words.split(separator: "\n").last { $0.contains("cannot start") } ?? ""
        #expect(line.contains(" error ") && line.contains(remedy), "\(program.words)")
        return program.words
    }

    /// A queue with a message in it that waits, and nobody who works on it.
    static func stopped() throws -> (Lab, String) {
        let lab = try Lab()
        #expect(try lab.call("POST", "/v1/pauses", #"{"everything":true}"#).status == 201)
        let id = try lab.submit()
        #expect(lab.stopDaemon() == 0)
        return (lab, id)
    }

    /// The same after a kill, with its log.
    static func killed() throws -> (Lab, String) {
        let lab = try Lab()
        #expect(try lab.call("POST", "/v1/pauses", #"{"everything":true}"#).status == 201)
        let id = try lab.submit()
        lab.killDaemon()
        #expect((bytes(path(lab, "-wal"))?.count ?? 0) > 0)
        return (lab, id)
    }

    /// The last line that sqlite3 prints.
    static func ask(_ database: String, _ sql: String) throws -> String {
        let folder = TemporaryFolder()
        return try sqlite(database, sql, log: folder.file("log"))
    }
}
