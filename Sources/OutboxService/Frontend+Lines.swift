import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Lines and the files with their tokens, which are changed together.
extension Frontend {
    func putLine(_ name: String, _ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
        switch LineBody.read(try parse(request.body), name: name) {
        case .wrong(let errors): throw .validation(errors)
        case .complete(let line):
            try beginChange(of: name, exchange)
            if let token = line.token {
                linesChanging[exchange]?.secret = line.settings.credential
                linesChanging[exchange]?.tokenBefore = secrets.value(line.settings.credential)
                do {
                    try secrets.store(line.settings.credential, token)
                } catch {
                    linesChanging[exchange] = nil
                    journal.write(LogLine(.error, .secretNotKept, "\(error)", [(.line, name)]))
                    throw APIError(.internalError, "the token could not be stored; the journal says why")
                }
            }
            ask(.putLine(exchange, line.settings), request)
        }
    }

    /// A line and the file with its token are changed together: one change at a time.
    func beginChange(of line: String, _ exchange: Exchange) throws(APIError) {
        guard !linesChanging.values.contains(where: { $0.line == line }) else {
            throw APIError(.conflict, "another change of the line \(line) is under way; try again")
        }
        linesChanging[exchange] = LineChange(line: line)
    }

    /// A line that was not changed keeps its token.
    func takeBack(_ change: LineChange, unlessDone reply: WriterReply) {
        switch reply {
        case .line, .lineRemoved: return
        default: break
        }
        guard let secret = change.secret else { return }
        do {
            if let before = change.tokenBefore { try secrets.store(secret, before) } else { try secrets.remove(secret) }
        } catch {
            journal.write(LogLine(.error, .secretNotKept, "\(error)", [(.line, change.line)]))
        }
    }

    /// A line that now names its own secret needs the token it was once given no longer.
    func forgetUnusedToken(of line: Line) {
        if line.settings.credential != LineBody.tokenSecretName(line: line.name) { removeToken(ofLine: line.name) }
    }

    func removeToken(ofLine name: String) {
        do {
            try secrets.remove(LineBody.tokenSecretName(line: name))
        } catch {
            journal.write(LogLine(.warning, .secretNotKept, "\(error)", [(.line, name)]))
        }
    }
}
