/// What is counted of Meta's webhooks. The raw values are stored.
package enum WebhookCount: String, CaseIterable, Sendable {
    case received
    case statuses
    case messages
    /// Statuses that said nothing new.
    case repeatedStatuses
    /// Messages that were here already.
    case repeatedMessages
    /// Statuses that had to wait for their message.
    case earlyStatuses
    /// Statuses whose message never came, or too many of them waited.
    case droppedStatuses
    /// Messages to numbers of no line.
    case foreignMessages
}

/// How often what came by webhook.
struct WebhookCounts {
    /// Names of others kept apart; the rest are counted together.
    static let othersMax = 100
    static let otherPrefix = "other."
    private static let nameMax = 64

    private var counts: [String: Int64] = [:]
    private var changed: Set<String> = []
    private var others = 0

    init() {}

    init(_ database: Database) throws {
        let rows = try database.prepare("SELECT name, count FROM webhook_count").all { ($0.text(0), $0.integer(1)) }
        for (name, count) in rows { counts[name] = count }
        others = counts.keys.count { $0.hasPrefix(Self.otherPrefix) }
    }

    mutating func add(_ number: Int, _ what: WebhookCount) { add(number, what.rawValue) }

    /// Something that is not understood, by field or kind.
    mutating func add(_ number: Int, other name: String) {
        var key = Self.otherPrefix + String(name.prefix(Self.nameMax))
        if counts[key] == nil {
            if others < Self.othersMax { others += 1 } else { key = Self.otherPrefix + "others" }
        }
        add(number, key)
    }

    private mutating func add(_ number: Int, _ key: String) {
        guard number > 0 else { return }
        counts[key, default: 0] += Int64(number)
        changed.insert(key)
    }

    /// Without those that wait.
    var totals: WebhookTotals {
        WebhookTotals(counts.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) })
    }

    /// Part of the transaction that made the changes.
    mutating func save(_ statements: InboundStatements) throws {
        guard !changed.isEmpty else { return }
        for key in changed { try statements.saveWebhookCount.run(.text(key), .integer(counts[key] ?? 0)) }
        changed = []
    }
}

extension Queue {
    package func count(_ what: WebhookCount, _ number: Int = 1) { memory.webhookCounts.add(number, what) }

    package func count(others: [String: Int]) {
        for (name, number) in others { memory.webhookCounts.add(number, other: name) }
    }
}

/// What came by webhook so far.
package struct WebhookTotals: Equatable, Sendable {
    package var counts: [WebhookCount: Int64] = [:]
    /// Not understood, by field or kind.
    package var others: [(name: String, count: Int64)] = []
    /// Statuses that wait for their message now.
    package var waiting: Int64 = 0

    /// By the names under which they are stored.
    init(_ stored: [(name: String, count: Int64)]) {
        for (name, count) in stored {
            if let known = WebhookCount(rawValue: name) {
                counts[known] = count
            } else if name.hasPrefix(WebhookCounts.otherPrefix) {
                others.append((String(name.dropFirst(WebhookCounts.otherPrefix.count)), count))
            }
        }
    }

    package static func == (a: WebhookTotals, b: WebhookTotals) -> Bool {
        a.counts == b.counts && a.waiting == b.waiting && a.others.elementsEqual(b.others) { $0 == $1 }
    }
}

extension QueueReader {
    package func webhookTotals() throws -> WebhookTotals {
        let stored = try database.prepare("SELECT name, count FROM webhook_count ORDER BY name")
            .all { (name: $0.text(0), count: $0.integer(1)) }
        var totals = WebhookTotals(stored)
        totals.waiting = try database.integer("SELECT count(*) FROM early_status")
        return totals
    }
}
