import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore

/// Changes of lines, templates, accounts and people, as the log tells them: once for each change, in the transaction
/// that makes it.
extension WriterStep {
    /// Runs a change and tells of the lines that show something else afterwards.
    func tellingOfLines<Value>(_ lines: [Int64], _ now: Timestamp, _ change: () throws -> Value) throws -> Value {
        let before = lines.map(lineData)
        let value = try change()
        for (id, before) in zip(lines, before) {
            let after = lineData(id)
            guard let line = queue.line(id), let after, after != before else { continue }
            try queue.tell(.lineUpdated, line: line, account: line.account, detail: after, now: now)
        }
        return value
    }

    /// Nil: nothing was heard of it yet.
    private func lineData(_ id: Int64) -> [UInt8]? {
        let health = queue.health(id)
        let token = queue.token(id)
        guard let line = queue.line(id), health != nil || token != nil || queue.learnedTier(line: id) != nil
        else { return nil }
        var json = JSONWriter()
        json.object {
            $0.field("line", line.name)
            $0.field("status", health?.status.name)
            $0.field("canSendMessage", health?.canSend.name)
            $0.field("qualityRating", health?.quality.name)
            $0.field("messagingLimitTier", (queue.learnedTier(line: id) ?? health?.tier)?.name)
            $0.field("messagesPerSecond", line.perSecond(health))
            $0.field("stopped", health?.stop)
            $0.array("reasons") { for reason in health?.reasons ?? [] { $0.value(reason) } }
            $0.field("token", token?.state.name)
            $0.field("tokenExpiresAt", token?.expiresAt?.rfc3339)
        }
        return json.bytes
    }

    /// Runs a change and tells of the line's templates that stand otherwise afterwards. The first list is no change.
    func tellingOfTemplates<Value>(
        of id: Int64, reason: String? = nil, reasons: [TemplateName: String] = [:], _ now: Timestamp,
        _ change: () throws -> Value
    ) throws -> Value {
        let before = queue.standings(line: id)
        let value = try change()
        guard let line = queue.line(id), let before, let after = queue.standings(line: id) else { return value }
        let names = Set(before.keys).union(after.keys).sorted { $0.text < $1.text }
        for name in names where before[name] != after[name] {
            var standing = after[name] ?? before[name]
            if after[name] == nil { standing?.status = .deleted }
            let data = templateData(line, name, standing, reason: reason ?? reasons[name])
            try queue.tell(.templateUpdated, line: line, account: line.account, detail: data, now: now)
        }
        return value
    }

    private func templateData(
        _ line: Line, _ name: TemplateName, _ standing: TemplateStanding?, reason: String?
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("line", line.name)
            $0.field("name", name.name)
            $0.field("language", name.language)
            $0.field("status", (standing?.status ?? .deleted).name)
            $0.field("category", standing?.category.name)
            $0.field("reason", reason)
        }
        return json.bytes
    }

    /// News of an account that has lines of ours, and of people: as Meta tells them, perhaps twice.
    func tell(_ news: AccountNews, _ now: Timestamp) throws {
        switch news {
        case .quality(let waba, let number, let event, _):
            try tellOfAccount(waba, now) {
                $0.field("event", event)
                $0.field("phoneNumber", number)
            }
        case .account(let waba, let number, let event, let restricted, let reinstated, let banned):
            try tellOfAccount(waba, now) {
                $0.field("event", event)
                $0.field("phoneNumber", number)
                $0.field("restricted", restricted)
                $0.field("banned", banned)
                $0.field("reinstated", reinstated)
            }
        case .alert(let alert):
            try tellOfAccount(alert.wabaID, now) {
                $0.field("event", "ALERT")
                $0.field("type", alert.type)
                $0.field("severity", alert.severity)
                $0.field("status", alert.status)
                $0.field("description", alert.description)
                $0.field("entityType", alert.entityType)
                $0.field("entityId", alert.entityID)
            }
        case .preference(let number, let person, let userID, let stops, let at):
            for id in queue.lines(ofNumber: number) {
                guard let line = queue.line(id) else { continue }
                var json = JSONWriter()
                json.object {
                    $0.field("line", line.name)
                    $0.field("from", person)
                    $0.field("userId", userID)
                    $0.field("marketing", stops ? "stopped" : "resumed")
                    $0.field("at", at?.rfc3339)
                }
                try queue.tell(.contactUpdated, line: line, account: line.account, detail: json.bytes, now: now)
            }
        case .templateChanged(let waba, let name, let language, let quality):
            let template = TemplateName(name: name, language: language)
            for id in queue.lines(ofAccount: waba) {
                guard let line = queue.line(id), let standing = queue.standing(of: template, line: id) else { continue }
                let data = templateData(
                    line, template, standing,
                    reason: quality.map { "its quality is \($0.name)" } ?? "its components were changed")
                try queue.tell(.templateUpdated, line: line, account: line.account, detail: data, now: now)
            }
        case .capability, .template, .templateCategory: break
        }
    }

    private func tellOfAccount(_ wabaID: String, _ now: Timestamp, _ fields: (inout JSONWriter) -> Void) throws {
        let lines = queue.lines(ofAccount: wabaID).compactMap { queue.line($0) }
        for account in Set(lines.map(\.account)).sorted() {
            var json = JSONWriter()
            json.object {
                $0.field("wabaId", wabaID)
                $0.array("lines") { for line in lines where line.account == account { $0.value(line.name) } }
                fields(&$0)
            }
            try queue.tell(.accountUpdated, line: nil, account: account, detail: json.bytes, now: now)
        }
    }
}
