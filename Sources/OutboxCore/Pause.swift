/// What a pause holds back. The numbers are stored; they never change their meaning.
package enum PauseScope: Int64, NamedCase {
    case everything = 0
    case line = 1
    /// One template, by its name, in every language.
    case template = 2
    case batch = 3
    /// One class of messages.
    case priority = 4
}

/// Messages somebody holds back until they are resumed or the pause expires.
package struct Pause: Equatable, Sendable {
    package var id: Int64
    package var account: Int64
    package var scope: PauseScope
    /// Only messages of this line; nil: of every line.
    package var line: Int64?
    /// The template's name, the batch's number or the class's name.
    package var target: String?
    package var reason: String?
    /// As the socket knows the caller.
    package var who: String
    package var createdAt: Timestamp
    package var until: Timestamp?

    package init(
        id: Int64 = 0, account: Int64, scope: PauseScope, line: Int64?, target: String?, reason: String?, who: String,
        createdAt: Timestamp, until: Timestamp?
    ) {
        self.id = id
        self.account = account
        self.scope = scope
        self.line = line
        self.target = target
        self.reason = reason
        self.who = who
        self.createdAt = createdAt
        self.until = until
    }

    /// Whether it is about the same messages.
    package func covers(the other: Pause) -> Bool {
        account == other.account && scope == other.scope && line == other.line && target == other.target
    }

    private func concerns(account: Int64, line: Int64) -> Bool {
        self.account == account && (self.line == nil || self.line == line)
    }

    /// Holds everything of a line back.
    package func holds(line: Int64, account: Int64) -> Bool {
        (scope == .everything || scope == .line) && concerns(account: account, line: line)
    }

    /// Holds a class of a line back.
    package func holds(_ priority: Priority, line: Int64, account: Int64) -> Bool {
        scope == .priority && target == priority.name && concerns(account: account, line: line)
    }

    /// Holds single messages of a line back.
    package func holds(template: TemplateName?, batch: MessageID?, line: Int64, account: Int64) -> Bool {
        guard concerns(account: account, line: line) else { return false }
        switch scope {
        case .template: return template.map { $0.name == target } ?? false
        case .batch: return batch.map { String($0.rawValue) == target } ?? false
        case .everything, .line, .priority: return false
        }
    }
}
