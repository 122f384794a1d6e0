import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Lines and the files with their tokens, which are changed together.
extension Frontend {
    func putLine(
        _ asker: Asker, _ name: String, _ body: [UInt8], _ exchange: Exchange
    ) throws(APIError) {
        switch LineBody.read(try parse(body), name: name) {
        case .wrong(let errors): throw .validation(errors)
        case .complete(let line):
            try put(line, asker, exchange)
        }
    }

    /// The token is kept first: a line never stands without it.
    func put(_ line: LineBody, _ asker: Asker, _ exchange: Exchange) throws(APIError) {
        var line = line
        try placeSecret(of: &line, asker)
        try beginChange(of: line.settings.name, asker.account, exchange)
        if let token = line.token {
            linesChanging[exchange]?.secret = line.settings.credential
            linesChanging[exchange]?.tokenBefore = secrets.value(line.settings.credential)
            do {
                try secrets.store(line.settings.credential, token)
            } catch {
                linesChanging[exchange] = nil
                journal.write(LogLine(.error, .secretNotKept, "\(error)", [(.line, line.settings.name)]))
                throw APIError(.internalError, "the token could not be stored; the journal says why")
            }
        }
        post(asker, .putLine(exchange, line.settings))
    }

    /// Lines of two accounts may have one name, and must not have one token.
    private func tokenSecret(_ line: String, _ account: Int64) -> String {
        secretPrefix(account) + LineBody.tokenSecretName(line: line)
    }

    private func secretPrefix(_ account: Int64) -> String {
        // An account is never removed: one that is not listed cannot have been asked for.
        parts.door.accountName(account).map(Account.secretPrefix) ?? "account.\(account)."
    }

    /// The token it was given goes where the account's secrets are; it may name no other account's.
    private func placeSecret(of line: inout LineBody, _ asker: Asker) throws(APIError) {
        let prefix = secretPrefix(asker.account)
        if line.settings.credential == LineBody.tokenSecretName(line: line.settings.name) {
            line.settings.credential = prefix + line.settings.credential
        } else if !asker.isOperator, !line.settings.credential.hasPrefix(prefix) {
            throw .validation([FieldError("tokenSecret", "must begin with \(prefix): others are of other accounts")])
        }
    }

    /// A line and the file with its token are changed together: one change at a time.
    func beginChange(of line: String, _ account: Int64, _ exchange: Exchange) throws(APIError) {
        guard !linesChanging.values.contains(where: { $0.line == line && $0.account == account }) else {
            throw APIError(.conflict, "another change of the line \(line) is under way; try again")
        }
        linesChanging[exchange] = LineChange(line: line, account: account)
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
        if line.settings.credential != tokenSecret(line.name, line.account) {
            removeToken(ofLine: line.name, line.account)
        }
    }

    func removeToken(ofLine name: String, _ account: Int64) {
        do {
            try secrets.remove(tokenSecret(name, account))
        } catch {
            journal.write(LogLine(.warning, .secretNotKept, "\(error)", [(.line, name)]))
        }
    }
}
