import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxMeta
import OutboxStore

/// What became of a change of a template that Meta was asked for.
enum TemplateChange: Sendable {
    case made(Template)
    case changed(Template)
    /// In these languages: all, or one.
    case removed(name: String, language: String?)
    /// Nobody knows: the list is to be read again.
    case unknown(APIError)
}

/// What reading the list again has shown.
struct TemplateSync: Sendable {
    struct Entry: Sendable {
        var name: TemplateName
        var now: TemplateStanding?
        var before: TemplateStanding?
    }

    var line: String
    var total: Int
    /// False: the list was read for the first time, nothing is known of before.
    var wasKnown: Bool
    var changes: [Entry]
}

extension WriterStep {
    /// The templates are the business account's: all its lines have them.
    func apply(_ change: TemplateChange, line: Line, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        var lines = queue.lines(ofAccount: line.settings.wabaID)
        if !lines.contains(line.id) { lines = queue.line(line.id).map { [$0.id] } ?? [] }
        let effect = Effect()
        effect.templatesOf = lines
        effect.refreshes = lines
        switch change {
        case .unknown(let error): effect.reply = (exchange, .refused(error))
        case .made(let template), .changed(let template):
            for id in lines { try tellingOfTemplates(of: id, now) { try queue.put(template, line: id) } }
            var isNew = false
            if case .made = change { isNew = true }
            effect.reply = (exchange, .template(template, line: line.name, isNew: isNew))
        case .removed(let name, let language):
            let known = queue.standings(line: line.id)?.keys.filter { $0.name == name } ?? []
            for id in lines {
                try tellingOfTemplates(of: id, now) {
                    try queue.removeTemplates(named: name, language: language, line: id)
                }
            }
            let languages = language.map { [$0] } ?? known.map(\.language).sorted()
            effect.reply = (exchange, .templatesRemoved(line: line.name, name: name, languages: languages))
        }
        return effect
    }

    /// The answer to who asked for the list to be read now.
    func synced(_ news: LineNews, _ line: Line, _ before: [TemplateName: TemplateStanding]?) -> WriterReply {
        if case .failed(let failure) = news.health { return .refused(unread(failure)) }
        if let failure = news.templateProblem { return .refused(unread(failure)) }
        guard news.templates != nil, let after = queue.standings(line: line.id) else {
            return .refused(APIError(.conflict, "the line has no wabaId: its templates cannot be read"))
        }
        let names = Set(after.keys).union(before?.keys.map { $0 } ?? []).sorted { $0.text < $1.text }
        let changes = names.filter { before?[$0] != after[$0] }.map {
            TemplateSync.Entry(name: $0, now: after[$0], before: before?[$0])
        }
        return .templatesSynced(
            TemplateSync(line: line.name, total: after.count, wasKnown: before != nil, changes: changes))
    }

    private func unread(_ failure: Failure) -> APIError {
        if failure.code == "NO_TOKEN" { return APIError(.conflict, failure.message) }
        return CallEnd(failure).error("the templates were not read")
            ?? APIError(.internalError, "the templates were not read")
    }

    /// A token that is taken no more holds its line; one that is taken again lets it go.
    func heard(_ token: TokenHealth, before: TokenHealth?, of id: Int64, _ now: Timestamp, _ outputs: inout Outputs) {
        guard let line = queue.line(id) else { return }
        if token.state.isOver {
            let failure = Failure(code: "190", message: token.words ?? "the access token is over")
            let changes = gates.block(id, failure, askedFor: .seconds(60), now: now, chance: &chance)
            outputs.log += changes.map { words.line(line.name, failure, $0) }
        } else if before?.state.isOver ?? false, let held = gates.state(id),
            TokenHealth.refusals.contains(held.failure.code)
        {
            gates.changed(subject(id))
        }
    }
}
