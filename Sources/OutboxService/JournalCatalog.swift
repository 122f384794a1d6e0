/// What a kind of line means and asks for: an entry of the journal's catalog, which `journalctl -x` shows below it.
struct Explanation {
    var subject: String
    var cause: String
    var remedy: String
}

/// The catalog of every kind of line, in the form of catalog files
/// (https://systemd.io/CATALOG). Fields in @ are filled in by journalctl.
package func journalCatalog() -> String {
    let head = "# Made by outboxd --journal-catalog; see outboxd(8), JOURNAL.\n"
    return head
        + LogKind.allCases.map { kind in
            let explanation = kind.explanation
            return """

                -- \(kind.rawValue)
                Subject: \(explanation.subject)
                Defined-By: outboxd
                Support: man:outboxd(8)
                Documentation: man:outboxd(8)

                \(folded(explanation.cause))

                \(folded(explanation.remedy))

                """
        }.joined()
}

/// In lines of at most 100 characters.
private func folded(_ text: String) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
        if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + 1 + word.count > 100 { lines.append("") }
        lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
    }
    return lines.joined(separator: "\n")
}
