import CSQLite
import OutboxCore

/// Which messages have which of Meta's ids.
///
/// Those ids come in no order: in one index of all of them each would change a page of its own. So they are written
/// down one behind the other (`wamid_fresh`), and when there are some thousand they are sorted and become a run
/// (`wamid_run`), which is never changed. Whoever looks for one looks into every run that may have it, the newest first;
/// a file of ten million has some 1,200, of which its filter rules out all but some thirty. It is rarely done, for Meta
/// brings back our own id with every status.
///
/// Kept are 64 bits of the id's hash, so that an entry says nothing of anybody; the message itself tells whether it is
/// the one. What it no longer is stays in its run until none of the run's messages is there.
struct WamidRuns: Equatable {
    static let sizeStandard: Int64 = 8192

    /// Where one is found.
    enum Place: Hashable {
        case fresh
        case run(Int64)
    }

    /// How many are in no run.
    var fresh: Int64 = 0
    var first: Int64 = 0
    /// Less than `first`: there is none.
    var last: Int64 = -1
    /// Of those in no run.
    var freshFilter = WamidFilter()
    /// By run; one that has none here may have any id.
    var filters: [Int64: WamidFilter] = [:]

    func mayHave(_ hash: Int64, run: Int64) -> Bool { filters[run]?.mayHave(hash) ?? true }

    /// That may have it, the newest first.
    func runs(with hash: Int64) -> [Int64] {
        stride(from: last, through: first, by: -1).filter { mayHave(hash, run: $0) }
    }

    /// FNV-1a, 64 bits (www.isthe.com/chongo/tech/comp/fnv).
    static func hash(_ wamid: UnsafeBufferPointer<UInt8>) -> Int64 {
        Int64(bitPattern: wamid.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    }

    static func hash(_ wamid: String) -> Int64 {
        var wamid = wamid
        return wamid.withUTF8 { hash($0) }
    }
}

final class WamidStatements {
    /// One row in at the end.
    let add: Statement
    /// Looks through all that are in no run.
    let fresh: Statement
    /// By primary key.
    let inRun: Statement
    let sort: Statement
    let empty: Statement
    /// Whether a message of the run is there.
    let isNeeded: Statement
    let removeRun: Statement
    let forgetFresh: Statement
    let forget: Statement
    let freshHashes: Statement
    /// One run, by primary key; so do the next two.
    let hashes: Statement
    let saveFilter: Statement
    let removeFilter: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        add = try prepare("INSERT INTO wamid_fresh (hash, message) VALUES (:hash, :message)")
        fresh = try prepare("SELECT message FROM wamid_fresh WHERE hash = :hash")
        inRun = try prepare("SELECT message FROM wamid_run WHERE run = :run AND hash = :hash")
        sort = try prepare(
            """
            INSERT OR IGNORE INTO wamid_run (run, hash, message)
            SELECT :run, hash, message FROM wamid_fresh ORDER BY hash, message
            """)
        empty = try prepare("DELETE FROM wamid_fresh")
        isNeeded = try prepare(
            "SELECT 1 FROM wamid_run AS w CROSS JOIN message AS m ON m.id = w.message WHERE w.run = :run LIMIT 1")
        removeRun = try prepare("DELETE FROM wamid_run WHERE run = :run")
        forgetFresh = try prepare("DELETE FROM wamid_fresh WHERE hash = :hash AND message = :message")
        forget = try prepare("DELETE FROM wamid_run WHERE run = :run AND hash = :hash AND message = :message")
        freshHashes = try prepare("SELECT hash FROM wamid_fresh")
        hashes = try prepare("SELECT hash FROM wamid_run WHERE run = :run")
        saveFilter = try prepare("INSERT OR REPLACE INTO wamid_filter (run, bits) VALUES (:run, :bits)")
        removeFilter = try prepare("DELETE FROM wamid_filter WHERE run = :run")
    }
}

extension Queue {
    private static let runsLookedAt: Int64 = 32

    /// Meta calls a message so.
    func note(wamid: String, of id: MessageID) throws {
        let hash = WamidRuns.hash(wamid)
        try wamids.add.run(.integer(hash), .integer(id.rawValue))
        memory.wamids.fresh += 1
        memory.wamids.freshFilter.insert(hash)
    }

    /// The message Meta calls so.
    func load(wamid: String) throws -> Record? {
        let hash = WamidRuns.hash(wamid)
        func named(_ ids: [MessageID]) throws -> Record? {
            for id in ids {
                if let record = try load(id), record.wamid == wamid { return record }
            }
            return nil
        }
        if memory.wamids.freshFilter.mayHave(hash) {
            let ids = try wamids.fresh.all(.integer(hash)) { MessageID(rawValue: $0.integer(0)) }
            if let found = try named(ids) { return found }
        }
        for run in memory.wamids.runs(with: hash) {
            let ids = try wamids.inRun.all(.integer(run), .integer(hash)) { MessageID(rawValue: $0.integer(0)) }
            if let found = try named(ids) { return found }
        }
        return nil
    }

    /// A message that goes leaves nothing behind; whoever calls this makes the filters of these runs anew. Others are
    /// left to their run. Answers which runs had it.
    func forget(wamid: String, of id: MessageID) throws -> Set<WamidRuns.Place> {
        let hash = WamidRuns.hash(wamid)
        let forgotten = try wamids.forgetFresh.run(.integer(hash), .integer(id.rawValue))
        memory.wamids.fresh -= Int64(forgotten)
        var places: Set<WamidRuns.Place> = forgotten > 0 ? [.fresh] : []
        for run in memory.wamids.runs(with: hash) {
            guard try wamids.forget.run(.integer(run), .integer(hash), .integer(id.rawValue)) > 0 else { continue }
            places.insert(.run(run))
            break
        }
        return places
    }

    /// Reads all that are there.
    func makeFilter(of place: WamidRuns.Place) throws {
        switch place {
        case .fresh: memory.wamids.freshFilter = try filter(of: wamids.freshHashes)
        case .run(let run):
            let filter = try filter(of: wamids.hashes, .integer(run))
            try wamids.saveFilter.run(.integer(run), .blob(filter.bytes))
            memory.wamids.filters[run] = filter
        }
    }

    private func filter(of hashes: Statement, _ run: SQLValue...) throws -> WamidFilter {
        var filter = WamidFilter()
        try hashes.each(list: run) { filter.insert($0.integer(0)) }
        return filter
    }

    /// Makes a run of them when they are enough; a transaction of its own, which nobody waits for.
    func sortWamids() throws {
        let run = memory.wamids.last + 1
        try statements.begin.run()
        try wamids.sort.run(.integer(run))
        try wamids.empty.run()
        let filter = memory.wamids.freshFilter
        try wamids.saveFilter.run(.integer(run), .blob(filter.bytes))
        try statements.commit.run()
        (memory.wamids.fresh, memory.wamids.last) = (0, run)
        (memory.wamids.freshFilter, memory.wamids.filters[run]) = (WamidFilter(), filter)
    }

    /// Removes runs whose messages are gone; those of an upgraded file get their filters.
    func pruneWamids() throws -> PruneStep {
        let from = max(memory.wamids.first, memory.pass.after)
        guard from <= memory.wamids.last else { return go(to: .events) }
        for run in from...min(from + Self.runsLookedAt, memory.wamids.last) {
            memory.pass.after = run + 1
            guard try wamids.isNeeded.first(.integer(run), body: { $0.integer(0) }) == nil else {
                if memory.wamids.filters[run] != nil { continue }
                try makeFilter(of: .run(run))
                break
            }
            try wamids.removeRun.run(.integer(run))
            try wamids.removeFilter.run(.integer(run))
            memory.wamids.filters[run] = nil
            // The newest run keeps its number: the next one comes behind it.
            if run == memory.wamids.first, run < memory.wamids.last { memory.wamids.first = run + 1 }
            break
        }
        return PruneStep()
    }

    func loadWamidRuns() throws -> WamidRuns {
        var runs = WamidRuns(
            fresh: try database.integer("SELECT count(*) FROM wamid_fresh"),
            first: try database.integer("SELECT min(run) FROM wamid_run"),
            last: try database.integer("SELECT coalesce(max(run), -1) FROM wamid_run"))
        runs.freshFilter = try filter(of: wamids.freshHashes)
        try database.prepare("SELECT run, bits FROM wamid_filter").each {
            runs.filters[$0.integer(0)] = WamidFilter(bytes: $0.bytes(1))
        }
        return runs
    }
}

// SQLite calls it: a free function, for it belongs to no actor.
private func hashInSQL(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    let value = values?[0]
    let bytes = UnsafeBufferPointer(start: sqlite3_value_text(value), count: Int(sqlite3_value_bytes(value)))
    sqlite3_result_int64(context, WamidRuns.hash(bytes))
}

extension Database {
    /// Makes `wamid_hash(text)` known in SQL, for files that are brought up to date.
    func addWamidHash() throws {
        guard define("wamid_hash", arguments: 1, hashInSQL) == SQLITE_OK
        else { throw error() }
    }
}
