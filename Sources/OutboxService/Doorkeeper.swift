import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// A caller that was let in.
struct Guest: Equatable, Sendable {
    enum Name: Hashable, Sendable {
        case user(UInt32)
        case key(Int64, String)
        /// Whoever has the link.
        case link(MessageID, String)
        case nobody
    }

    var name: Name
    var role: Role
    /// Its own account.
    var home: Int64
    /// The account it acts in: its own, unless it looks after all of them and names another.
    var account: Int64

    /// Looks after the process and all accounts.
    var isOperator: Bool { role == .admin && home == Account.defaultID }

    /// For the log and the journal.
    var words: String {
        switch name {
        case .user(let uid): userName(uid)
        case .key(let id, let label): "key \(id) (\(label))"
        case .link(_, let label): label
        case .nobody: "unknown"
        }
    }

    /// Whose idempotency keys it uses; nil: nobody's.
    var caller: Int64? {
        switch name {
        case .user(let uid): Int64(uid)
        case .key(let id, _): -id
        case .link, .nobody: nil
        }
    }
}

/// Knows who may come in: by the kernel's word, or by a key. Shared by the threads that serve, reload and start.
final class Doorkeeper: Sendable {
    private struct State {
        var access: Access
        var accounts: [String: Int64] = [:]
        /// By the hash of each, the old ones of rotated keys included.
        var keys: [[UInt8]: AccessKey] = [:]
        var directory = AccessDirectory()
        var usedAt: [Int64: Timestamp] = [:]
        /// How often roles, accounts or keys became others.
        var version = 0
    }

    /// How exactly the last use of a key is known.
    private static let useSpan = Duration.seconds(60)

    private let state: Lock<State>
    private let changed: @Sendable () -> Void

    /// `changed` is called when roles or keys are others than before.
    init(_ access: Access, _ directory: AccessDirectory, changed: @escaping @Sendable () -> Void = {}) {
        state = Lock(State(access: access))
        self.changed = changed
        set(directory)
    }

    var directory: AccessDirectory { state.withLock { $0.directory } }

    func set(_ access: Access) {
        state.withLock { state in
            state.access = access
            state.version += 1
        }
        changed()
    }

    func set(_ directory: AccessDirectory) {
        var keys: [[UInt8]: AccessKey] = [:]
        for key in directory.keys {
            keys[key.hash] = key
            if let old = key.old { keys[old.hash] = key }
        }
        let accounts = Dictionary(uniqueKeysWithValues: directory.accounts.map { ($0.name, $0.id) })
        state.withLock { state in
            state.directory = directory
            state.keys = keys
            state.accounts = accounts
            state.version += 1
        }
        changed()
    }

    /// Another one whenever somebody may do something else than before.
    var version: Int { state.withLock { $0.version } }

    /// Whether somebody who was let in as `guest` would be still.
    func stillAdmits(_ guest: Guest, _ peer: Peer) -> Bool {
        switch guest.name {
        case .key(let id, _): directory.keys.contains { $0.id == id && $0.role >= guest.role }
        case .user: role(of: peer) >= guest.role
        // A link's end is told elsewhere.
        case .link: true
        case .nobody: false
        }
    }

    /// What the account of a guest may ask for; nil: it has no plan.
    func plan(of guest: Guest) -> Plan? {
        state.withLock { $0.directory.accounts.first { $0.id == guest.home }?.profile.plan }
    }

    func hasAccount(_ name: String) -> Bool { state.withLock { $0.accounts[name] != nil } }

    func accountName(_ id: Int64) -> String? { directory.accounts.first { $0.id == id }?.name }

    /// What a local caller without a key may do.
    func role(of peer: Peer) -> Role { state.withLock { $0.access }.standing(of: peer).role }

    /// A call that names neither a key nor an account: it is the caller's own, by the kernel's word.
    static func isPlain(_ head: RequestHead) -> Bool {
        head["authorization"] == nil && head["outboxd-account"] == nil
    }

    /// Who calls. On a socket that is no Unix socket a key is needed for all that is not everybody's. `takesLogin`: it
    /// may come as the password of a Basic login, too, whatever the name (RFC 7617).
    func identify(_ head: RequestHead, _ peer: Peer, now: Timestamp, takesLogin: Bool = false) throws(APIError) -> Guest
    {
        var guest = try person(head, peer, now, takesLogin)
        guard let wanted = head["outboxd-account"] else { return guest }
        let isClear = head.headers.count { $0.name == "outboxd-account" } == 1
        let (account, home) = state.withLock { state in
            (state.accounts[wanted], state.directory.accounts.first { $0.id == guest.home }?.name)
        }
        guard isClear, guest.isOperator || home == wanted else {
            throw APIError(.forbidden, "only who has the role admin in the account default may act in another one")
        }
        guard let account else {
            throw APIError(.notFound, "there is no such account; see outboxctl account ls")
        }
        guest.account = account
        return guest
    }

    private func person(
        _ head: RequestHead, _ peer: Peer, _ now: Timestamp, _ takesLogin: Bool
    ) throws(APIError) -> Guest {
        if let authorization = head["authorization"] {
            let isClear = head.headers.count { $0.name == "authorization" } == 1
            guard isClear, let text = Self.key(in: authorization, takesLogin), let key = key(text, now) else {
                throw APIError(
                    .unauthorized,
                    "the key is not known: give Authorization: Bearer and a key made by outboxctl key add, or none "
                        + "on the Unix socket")
            }
            return Guest(name: .key(key.id, key.name), role: key.role, home: key.account, account: key.account)
        }
        guard case .local(_, let uid, _, _) = peer else {
            return Guest(name: .nobody, role: .none, home: Account.defaultID, account: Account.defaultID)
        }
        let (access, accounts) = state.withLock { ($0.access, $0.accounts) }
        let standing = access.standing(of: peer)
        guard let account = accounts[standing.account] else {
            throw APIError(
                .forbidden,
                "the settings give you the account \(standing.account), which is not there yet: it is made with "
                    + "outboxctl account add \(standing.account)")
        }
        return Guest(name: .user(uid), role: standing.role, home: account, account: account)
    }

    private static func key(in authorization: String, _ takesLogin: Bool) -> String? {
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return String(parts[1])
        case "basic" where takesLogin:
            guard let login = Base64.bytes(parts[1]), let colon = login.firstIndex(of: UInt8(ascii: ":")) else {
                return nil
            }
            return String(validating: login[(colon + 1)...], as: UTF8.self)
        default: return nil
        }
    }

    private func key(_ text: String, _ now: Timestamp) -> AccessKey? {
        guard AccessKey.isKey(text) else { return nil }
        // What is looked up is a hash: how long that takes tells nothing of a key.
        let hash = sha256(Array(text.utf8))
        guard let key = state.withLock({ $0.keys[hash] }) else { return nil }
        if key.hash != hash, key.old.map({ $0.until <= now }) ?? true { return nil }
        return key
    }

    /// Whether this use of a key is to be noted: the last noted one is a while ago.
    func notes(useOf key: Int64, at now: Timestamp) -> Bool {
        state.withLock { state in
            if let before = state.usedAt[key], before <= now, now < before + Self.useSpan { return false }
            state.usedAt[key] = now
            if let index = state.directory.keys.firstIndex(where: { $0.id == key }) {
                state.directory.keys[index].lastUsedAt = now
            }
            return true
        }
    }
}
