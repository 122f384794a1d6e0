import CSQLite
import OutboxCore
import TestKit
import Testing

@testable import OutboxStore

/// A file of any earlier version goes on in this one.
@Suite struct UpgradeTests {
    private let folder = TemporaryFolder()
    private let reading = Bench.reading(Timestamp(milliseconds: 1_800_000_000_000))

    private func oldFile(_ old: (version: Int64, sql: String)) throws -> String {
        let path = folder.file("outboxd.db")
        try Database(path: path, .readWrite).execute(old.sql + oldRows(old.version))
        return path
    }

    @Test(arguments: oldSchemas.map(\.version))
    func everythingIsThereAndACopyIsKept(version: Int64) throws {
        let old = try #require(oldSchemas.first { $0.version == version })
        let path = try oldFile(old)
        let queue = try Queue(path: path, reading: reading)
        #expect(queue.upgrade == Upgrade(from: version, backup: "\(path).v\(version)"))
        #expect(try queue.disagreements(nothingRemoved: true) == [])
        let database = try Database(path: path, .readOnly)
        #expect(try database.integer("PRAGMA user_version") == schemaVersion)
        #expect(try database.prepare("PRAGMA integrity_check").first { $0.text(0) } == "ok")
        let backup = try Database(path: "\(path).v\(version)", .readOnly)
        #expect(try backup.integer("PRAGMA user_version") == version)
        #expect(try backup.integer("SELECT count(*) FROM message") == 300)
        try queue.close()
        let again = try Queue(path: path, reading: reading)
        #expect(again.upgrade == nil)
    }

    @Test(arguments: oldSchemas.map(\.version))
    func anOldFileTakesMessagesToUserIDs(version: Int64) throws {
        let old = try #require(oldSchemas.first { $0.version == version })
        let path = try oldFile(old)
        let queue = try Queue(path: path, reading: reading)
        try queue.close()
        let database = try Database(path: path, .readWrite)
        let change = "UPDATE message SET recipient = :to WHERE id = (SELECT min(id) FROM message)"
        for right in ["US.1349", "14155550100"] { try database.prepare(change).run(.text(right)) }
        for wrong in ["us.1349", "1234", "x14155550100", "US"] {
            #expect(throws: StoreError.self) { try database.prepare(change).run(.text(wrong)) }
        }
    }

    @Test func oldAndNewMessagesToOnePersonAreFound() throws {
        let path = try oldFile(oldSchemas[0])
        let queue = try Queue(path: path, reading: reading)
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let to = try #require(Recipient("14155553"))
        let draft = Draft(line: nil, to: to, type: "text", content: Array(#"{"body":"hi"}"#.utf8))
        queue.set(tick: reading.tick, wall: now, isSynchronised: true)
        var ids: [MessageID] = []
        let ending = queue.together(1) { _ in
            for _ in 0..<3 {
                guard case .done(let new) = try queue.submit(draft, account: 1, batch: nil, now: now) else { continue }
                ids.append(new.id)
            }
        }
        #expect(ending == .done(kept: [nil]))
        let reader = try QueueReader(path: path)
        var filter = ListFilter()
        filter.to = to
        filter.limit = 5
        let first = try reader.list(filter, account: 1)
        #expect(first.messages.map(\.id).prefix(3) == ids.reversed()[...])
        filter.before = first.next
        filter.limit = 100
        let rest = try reader.list(filter, account: 1)
        #expect(first.messages.count == 5 && rest.messages.count == 43 - 2 && rest.next == nil)
        let all = (first.messages + rest.messages).map(\.id.rawValue)
        #expect(all == all.sorted(by: >) && Set(all).count == 46)
        filter.states = [.cancelled]
        filter.before = nil
        #expect(try reader.list(filter, account: 1).messages.count == 15)
    }

    /// What was upgraded and what was made anew are the same tables and indexes.
    @Test(arguments: oldSchemas.map(\.version))
    func theTablesAreThoseOfANewFile(version: Int64) throws {
        let old = try #require(oldSchemas.first { $0.version == version })
        let path = try oldFile(old)
        _ = try Queue(path: path, reading: reading)
        let fresh = folder.file("fresh.db")
        _ = try Queue(path: fresh, reading: reading)
        #expect(try shape(path) == shape(fresh))
    }

    private func shape(_ path: String) throws -> [String] {
        let database = try Database(path: path, .readOnly)
        let columns = try database.prepare(
            """
            SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk
            FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type IN ('table', 'view') ORDER BY 1
            """
        ).all { $0.text(0) }
        let indexes = try database.prepare(
            "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1"
        ).all { $0.text(0).split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        return columns + indexes
    }
}
