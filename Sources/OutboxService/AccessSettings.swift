import OutboxCore

/// One entry of the settings `readers`, `senders` and `admins`: `NAME`, `@GROUP`, each with `:ACCOUNT` behind it when
/// it is not the default one.
package struct AccessEntry: Equatable, Sendable {
    package var name: String
    package var isGroup: Bool
    package var account: String

    /// A list with commas or spaces; nil when it is none.
    static func list(_ text: String) -> [AccessEntry]? {
        var entries: [AccessEntry] = []
        for word in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let parts = word.split(separator: ":", omittingEmptySubsequences: false)
            let isGroup = parts[0].first == "@"
            let name = parts[0].dropFirst(isGroup ? 1 : 0)
            let account = parts.count > 1 ? String(parts[1]) : Account.defaultName
            guard parts.count <= 2, !name.isEmpty, Account.isName(account) else { return nil }
            entries.append(AccessEntry(name: String(name), isGroup: isGroup, account: account))
        }
        return entries
    }
}
