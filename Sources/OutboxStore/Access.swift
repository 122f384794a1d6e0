package import OutboxCore

/// Every account and key there is: few, and needed with every call.
package struct AccessDirectory: Equatable, Sendable {
    package var accounts: [Account]
    package var keys: [AccessKey]

    package init(accounts: [Account] = [], keys: [AccessKey] = []) {
        self.accounts = accounts
        self.keys = keys
    }
}

/// What came of making something of which there may be so many.
package enum Making<Made: Equatable & Sendable>: Equatable, Sendable {
    case done(Made)
    /// The name is taken.
    case exists
    case tooMany(Int)
}

extension Account {
    static let columns = "id, name, created_at, label, email, plan"

    init(_ row: Row) {
        self.init(
            id: row.integer(0), name: row.text(1), createdAt: Timestamp(milliseconds: row.integer(2)),
            profile: Profile(
                label: row.optionalText(3), email: row.optionalText(4),
                plan: row.optionalInteger(5).flatMap(Plan.init(rawValue:))))
    }
}

extension AccessKey {
    static let columns = """
        id, account, name, role, hash, old_hash, old_until, created_at, created_by, rotated_at, last_used_at,
        prefix
        """

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }
        var old: Old?
        if let hash = row.optionalBytes(5), let until = time(6) { old = Old(hash: hash, until: until) }
        self.init(
            id: row.integer(0), account: row.integer(1), name: row.text(2),
            role: Role(rawValue: row.integer(3)) ?? .none, prefix: Prefix(rawValue: row.integer(11)) ?? .outboxd,
            hash: row.bytes(4), old: old, createdAt: Timestamp(milliseconds: row.integer(7)),
            createdBy: row.text(8), rotatedAt: time(9), lastUsedAt: time(10))
    }
}

extension Queue {
    package static let accountsMax = 1000
    package static let keysMax = 10_000

    /// Read from the file: it is asked for at the start and after a change.
    package func accessDirectory() throws -> AccessDirectory {
        AccessDirectory(
            accounts: try database.prepare("SELECT \(Account.columns) FROM account ORDER BY id").all { Account($0) },
            keys: try database.prepare("SELECT \(AccessKey.columns) FROM access_key ORDER BY id").all {
                AccessKey($0)
            })
    }

    package func addAccount(_ name: String, _ profile: Account.Profile = .init(), now: Timestamp) throws
        -> Making<Account>
    {
        guard try database.integer("SELECT count(*) FROM account") < Self.accountsMax else {
            return .tooMany(Self.accountsMax)
        }
        let made = try database.prepare(
            """
            INSERT INTO account (name, created_at, label, email, plan) VALUES (:name, :now, :label, :email, :plan)
            ON CONFLICT DO NOTHING RETURNING \(Account.columns)
            """
        ).first(
            .text(name), .integer(now.milliseconds), .optional(profile.label), .optional(profile.email),
            .optional(profile.plan?.rawValue)
        ) { Account($0) }
        return made.map { .done($0) } ?? .exists
    }

    /// Nil: there is no such account.
    package func setAccount(_ name: String, _ profile: Account.Profile) throws -> Account? {
        try database.prepare(
            """
            UPDATE account SET label = :label, email = :email, plan = :plan WHERE name = :name
            RETURNING \(Account.columns)
            """
        ).first(
            .optional(profile.label), .optional(profile.email), .optional(profile.plan?.rawValue), .text(name)
        ) { Account($0) }
    }

    package func addKey(
        _ name: String, _ role: Role, _ prefix: AccessKey.Prefix = .outboxd, hash: [UInt8], account: Int64,
        by who: String, now: Timestamp
    ) throws -> Making<AccessKey> {
        guard try database.integer("SELECT count(*) FROM access_key") < Self.keysMax else {
            return .tooMany(Self.keysMax)
        }
        let made = try database.prepare(
            """
            INSERT INTO access_key (account, name, role, prefix, hash, created_at, created_by)
            VALUES (:account, :name, :role, :prefix, :hash, :now, :who) ON CONFLICT (account, name) DO NOTHING
            RETURNING \(AccessKey.columns)
            """
        ).first(
            .integer(account), .text(name), .integer(role.rawValue), .integer(prefix.rawValue), .blob(hash),
            .integer(now.milliseconds), .text(who)
        ) { AccessKey($0) }
        return made.map { .done($0) } ?? .exists
    }

    /// Another key in place of the one there is, which counts until `oldUntil`. Nil: there is no such key.
    package func rotateKey(
        _ id: Int64, to hash: [UInt8], oldUntil: Timestamp, account: Int64, now: Timestamp
    ) throws -> AccessKey? {
        try database.prepare(
            """
            UPDATE access_key SET old_hash = hash, old_until = :until, hash = :hash, rotated_at = :now
            WHERE id = :id AND account = :account RETURNING \(AccessKey.columns)
            """
        ).first(
            .integer(oldUntil.milliseconds), .blob(hash), .integer(now.milliseconds), .integer(id), .integer(account)
        ) { AccessKey($0) }
    }

    /// Nil: there is no such key.
    package func removeKey(_ id: Int64, account: Int64) throws -> AccessKey? {
        try database.prepare(
            "DELETE FROM access_key WHERE id = :id AND account = :account RETURNING \(AccessKey.columns)"
        ).first(.integer(id), .integer(account)) { AccessKey($0) }
    }

    package func keyUsed(_ id: Int64, at moment: Timestamp) throws {
        try database.prepare(
            "UPDATE access_key SET last_used_at = max(:at, coalesce(last_used_at, 0)) WHERE id = :id"
        ).run(.integer(moment.milliseconds), .integer(id))
    }

    /// Whose a batch is; nil: there is no such batch.
    package func account(ofBatch id: Int64) throws -> Int64? {
        try database.prepare("SELECT account FROM batch WHERE id = :id").first(.integer(id)) { $0.integer(0) }
    }
}

extension QueueReader {
    package func accountNames() throws -> [Int64: String] {
        let all = try database.prepare("SELECT id, name FROM account").all { ($0.integer(0), $0.text(1)) }
        return Dictionary(uniqueKeysWithValues: all)
    }
}
