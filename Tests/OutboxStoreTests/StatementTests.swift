import OutboxCore
import Testing

@testable import OutboxStore

/// What SQLite makes of the writer's statements.
@Suite struct StatementTests {
    private let bench: Bench

    /// A message that has been sent, and one that was refused for now, so that those statements are there that are
    /// made when they are needed.
    init() throws {
        bench = try Bench()
        try bench.submit("14155552671")
        try bench.submit("14155552672")
        let attempts = try bench.claim(2)
        try bench.record(.accepted(wamid: "wamid.1", person: nil), attempts[0])
        try bench.record(.refused(down, .forNow(askedFor: nil)), attempts[1])
    }

    /// A column of what SQLite explains of a statement.
    private func explained(_ words: String, _ sql: String, column: Int32) throws -> [String] {
        let statement = try bench.queue.database.prepare("\(words) \(sql)")
        return try statement.all(list: [SQLValue](repeating: .null, count: statement.parameters)) { $0.text(column) }
    }

    private func all() -> [(name: String, statement: Statement)] {
        let fixed = [bench.queue.statements, bench.queue.limits, bench.queue.wamids].flatMap { (owner: AnyObject) in
            Mirror(reflecting: owner).children.compactMap { child in
                (child.value as? Statement).map { (name: child.label ?? "", statement: $0) }
            }
        }
        let changes = Mirror(reflecting: bench.queue.statements.changes).children.compactMap {
            $0.value as? [UInt32: Statement]
        }
        let gathered = [bench.queue.statements.newMessages, bench.queue.statements.newEvents].flatMap(\.all)
        return fixed + gathered.map { (name: "rows", statement: $0) }
            + changes.flatMap { $0.map { (name: "change \($0.key)", statement: $0.value) } }
    }

    /// Rarely needed, for many rows at once, or sorted.
    private static let mayMakeTables: Set<String> = [
        "ofPerson", "underWay", "renamePerson", "passAliases", "dropOldestStatuses", "copySlots",
        "freeSlots",
        "marketingUse", "forgetMarketing", "renameMarketing",
    ]

    @Test func noStatementMakesATableOfItsOwn() throws {
        let statements = all()
        #expect(statements.count > 60 && statements.count { $0.name.hasPrefix("change") } >= 3)
        for (name, statement) in statements where !Self.mayMakeTables.contains(name) {
            let steps = try explained("EXPLAIN", statement.sql, column: 1)
            #expect(!steps.contains("OpenEphemeral"), "\(name)")
        }
    }

    @Test func messagesAreFoundByAnIndex() throws {
        for (name, statement) in all() {
            let plan = try explained("EXPLAIN QUERY PLAN", statement.sql, column: 3)
            for step in plan where step.contains(" message") {
                #expect(step.contains("SEARCH") || step.contains("INDEX message_"), "\(name): \(step)")
            }
        }
    }

    @Test func whoGoesFirstTakesThreeSeeks() throws {
        let plan = try explained("EXPLAIN QUERY PLAN", LimitStatements.isBehindSQL, column: 3)
        let seeks = plan.filter { $0.contains("message_person (line=? AND person=? AND priority=? AND state=?") }
        #expect(seeks.count == 3 && !plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
    }

    @Test func onlyWhatHasChangedIsWritten() throws {
        let sqls = all().filter { $0.name.hasPrefix("change") }.map(\.statement.sql)
        let claim = try #require(sqls.first { $0.contains("claimed_at") })
        #expect(
            claim.contains("state = :state, attempt = :attempt, last_event = :last_event, claimed_at = :claimed_at"))
        #expect(!sqls.contains { $0.contains("due_at") && $0.contains("wamid") })
    }
}
