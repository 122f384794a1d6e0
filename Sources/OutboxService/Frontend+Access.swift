import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Who calls, and how much it may ask for.
final class Standing {
    let guest: Guest
    /// Nil: its account has none.
    let plan: Plan?
    /// The doorkeeper's when this was looked up.
    let version: Int

    init(_ guest: Guest, _ plan: Plan?, version: Int) {
        (self.guest, self.plan, self.version) = (guest, plan, version)
    }
}

/// Who is let in, and the accounts and keys that decide it.
extension Frontend {
    /// Who calls, if it may ask for this; else why not, with the role it needs.
    func admit(
        _ route: Route, _ head: RequestHead, _ peer: Peer, _ exchange: Exchange
    ) throws(APIError) -> Standing {
        let standing: Standing
        do throws(APIError) {
            standing = try identify(route, head, peer, exchange)
        } catch {
            // What everybody may ask for needs no name, and health checks bring anything along.
            if route.role == .none { return Standing(.anybody, nil, version: 0) }
            writeRefusal(error.message, peer)
            throw error
        }
        let guest = standing.guest
        guard guest.role >= route.role else {
            if case .remote = peer, guest.name == .nobody {
                throw APIError(.unauthorized, "this listener needs a key: Authorization: Bearer sk_live_…")
            }
            writeRefusal("it has the role \(guest.role.name), \(route.role.name) is needed", peer)
            var refusal = APIError(
                .forbidden,
                "this needs the role \(route.role.name); you have \(guest.role.name). Roles are given by the settings "
                    + "readers, senders, admins and send-group, see outboxd(8); root and the service's own user may do "
                    + "everything")
            refusal.needs = route.role
            throw refusal
        }
        if route.isOfProcess, guest.home != Account.defaultID {
            throw APIError(
                .forbidden,
                "this is about the whole process: it needs the role \(route.role.name) in the account default")
        }
        return standing
    }

    /// Looks the caller up once for a connection, as long as nobody's rights change and it names neither key nor account.
    private func identify(
        _ route: Route, _ head: RequestHead, _ peer: Peer, _ exchange: Exchange
    ) throws(APIError) -> Standing {
        // Before the look: what changes meanwhile is looked up again.
        let version = parts.door.version
        let isPlain = Doorkeeper.isPlain(head)
        if isPlain, let known = server.knowledge(exchange) as? Standing, known.version == version { return known }
        let guest = try parts.door.identify(head, peer, now: now, takesLogin: route.dialect?.takesLogin ?? false)
        let standing = Standing(guest, parts.door.plan(of: guest), version: version)
        if isPlain { server.keep(standing, of: exchange) }
        return standing
    }

    private func writeRefusal(_ why: String, _ peer: Peer) {
        guard case .local(let pid, let uid, _, _) = peer else {
            return writeSeldom(LogLine(.notice, .callerRefused, "a caller over TCP was refused: \(why)"))
        }
        writeSeldom(
            LogLine(.notice, .callerRefused, "a caller was refused: \(why)", [(.peer, "uid=\(uid) pid=\(pid)")]))
    }

    /// Counts the call; throws when there were too many. What is open to everybody and what admins do is not counted.
    func count(_ standing: Standing, _ route: Route, _ exchange: Exchange) throws(APIError) {
        let (guest, plan) = (standing.guest, standing.plan)
        if case .key(let id, _) = guest.name, parts.door.notes(useOf: id, at: now) {
            parts.writer.post(.keyUsed(id, at: now))
        }
        guard route.role > .none, guest.role < .admin || plan != nil else { return }
        let perMinute = plan?.perMinute ?? parts.limits.withLock { $0 }
        guard perMinute > 0 else { return }
        let quota = rates.take(guest.name, perMinute: perMinute, tick: steadyNanoseconds())
        server.note(exchange, route.dialect?.headers(quota, now: now) ?? quota.headers)
        if let seconds = quota.retryAfter {
            let reason = plan.map { "the plan \($0.name)" } ?? "the setting rate-limit"
            throw APIError(
                .limitReached, "\(perMinute) calls a minute are allowed to each caller (\(reason))",
                retryAfter: Int64(seconds))
        }
    }

    /// Nil: its account has none.
    func plan(of guest: Guest) -> Plan? { parts.door.plan(of: guest) }

    /// On whose behalf the writer is asked; what an operator changes bears a name.
    func asker(_ guest: Guest, _ route: Route, _ head: RequestHead) throws(APIError) -> Asker {
        switch route {
        case .cancel, .retry, .createCampaign, .launchCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign,
            .putOptOut, .deleteOptOut:
            return Asker(account: guest.account, who: guest.words)
        case .move: break
        case _ where route.role < .admin: return Asker(account: guest.account)
        default: break
        }
        let given = head.headers.filter { $0.name == ChangeReason.header }.map(\.value)
        let texts = given.compactMap { percentDecoded($0) }
        guard given.count <= 1, texts.count == given.count else {
            throw .validation([FieldError("Outboxd-Reason", "must come once, as UTF-8 with % escapes")])
        }
        return Asker(
            account: guest.account, who: guest.words, reason: try ChangeReason.read(texts.first),
            isOperator: guest.isOperator)
    }

    func post(_ asker: Asker, _ input: WriterInput) { parts.writer.post(.asked(asker, input)) }

    // MARK: Accounts and keys

    func listAccounts(_ guest: Guest) -> HTTPResponse {
        let all = parts.door.directory.accounts.filter { guest.isOperator || $0.id == guest.home }
        return .json(200) { json in json.array("data") { for account in all { account.write(to: &$0) } } }
    }

    func listKeys(_ guest: Guest) -> HTTPResponse {
        let own = parts.door.directory.keys.filter { $0.account == guest.account }
        let now = now
        return .json(200) { json in json.array("data") { for key in own { key.write(to: &$0, now: now) } } }
    }

    func addKey(_ asker: Asker, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let body = try KeyBody.read(try parse(body))
        let text = madeKey(body.prefix)
        keysMade[exchange] = text
        post(asker, .addKey(exchange, body, hash: sha256(Array(text.utf8))))
    }

    func rotateKey(_ asker: Asker, _ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let overlap = try RotationBody.read(try parse(body.isEmpty ? Array("{}".utf8) : body))
        let text = madeKey(parts.door.directory.keys.first { $0.id == id }?.prefix ?? .outboxd)
        keysMade[exchange] = text
        post(asker, .rotateKey(exchange, id, hash: sha256(Array(text.utf8)), oldUntil: now + overlap))
    }

    func removeKey(_ asker: Asker, _ id: Int64, _ exchange: Exchange) throws(APIError) {
        let keys = parts.door.directory.keys
        if parts.needsKeys, keys.count == 1, keys[0].id == id, keys[0].account == asker.account {
            throw APIError(
                .conflict,
                "it is the last key, and outboxd listens on TCP, which it does not without one: make another one first, "
                    + "or take the setting listen away")
        }
        post(asker, .removeKey(exchange, id))
    }

    func keyID(_ text: String) throws(APIError) -> Int64 {
        guard let id = Int64(text) else { throw APIError(.notFound, "there is no such key") }
        return id
    }

    func madeKey(_ prefix: AccessKey.Prefix) -> String {
        prefix.name + hexadecimal(randomBytes(AccessKey.byteCount))
    }

    /// Takes up what changed before anybody hears of it; nil: it is no such reply, or it is told like others.
    func accessReply(_ reply: WriterReply, _ exchange: Exchange) -> HTTPResponse? {
        let text = keysMade.take(exchange)
        switch reply {
        case .account(_, let directory), .accountSet(_, let directory), .keyRemoved(_, let directory):
            parts.door.set(directory)
            return nil
        case .key(.done(let key), let directory):
            parts.door.set(directory)
            return .json(201) { key.write(to: &$0, name: "data", text: text, now: now) }
        case .keyRotated(let key?, let directory):
            parts.door.set(directory)
            if key.old.map({ $0.until <= now }) ?? true { expel { $0.guest.isOfKey(key.id) } }
            return .json(200) { key.write(to: &$0, name: "data", text: text, now: now) }
        default: return nil
        }
    }
}

extension Guest {
    func isOfKey(_ id: Int64) -> Bool {
        if case .key(id, _) = name { return true }
        return false
    }

    /// Who asks for what is open to all.
    static let anybody = Guest(name: .nobody, role: .none, home: Account.defaultID, account: Account.defaultID)
}
