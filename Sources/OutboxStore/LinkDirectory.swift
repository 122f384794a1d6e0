package import OutboxCore

/// Every link there is: few, and needed with every call of their pages.
package struct LinkDirectory: Equatable, Sendable {
    package private(set) var onboarding: [MessageID: OnboardingLink] = [:]
    package private(set) var inbox: [MessageID: SharedInboxLink] = [:]
    private var onboardingByHash: [[UInt8]: MessageID] = [:]
    private var inboxByHash: [[UInt8]: MessageID] = [:]

    package init(onboarding: [OnboardingLink] = [], inbox: [SharedInboxLink] = []) {
        for link in onboarding { put(link) }
        for link in inbox { put(link) }
    }

    package mutating func put(_ link: OnboardingLink) {
        onboarding[link.id] = link
        onboardingByHash[link.hash] = link.id
    }

    /// The token it had before leads nowhere any more.
    package mutating func put(_ link: SharedInboxLink) {
        if let before = inbox[link.id] { inboxByHash[before.hash] = nil }
        inbox[link.id] = link
        inboxByHash[link.hash] = link.id
    }

    package mutating func removeInbox(ofLine name: String, account: Int64) {
        for link in inbox.values where link.account == account && link.lineName == name {
            inbox[link.id] = nil
            inboxByHash[link.hash] = nil
        }
    }

    package func onboarding(hash: [UInt8]) -> OnboardingLink? { onboardingByHash[hash].flatMap { onboarding[$0] } }
    package func inbox(hash: [UInt8]) -> SharedInboxLink? { inboxByHash[hash].flatMap { inbox[$0] } }
}

/// What became of a link by which a number was connected.
package enum LinkCompletion: Equatable, Sendable {
    case done(OnboardingLink, AccessKey)
    /// It was used, revoked or has expired meanwhile, or the line was removed.
    case over
    case tooManyKeys(Int)
}

extension OnboardingLink {
    static let columns = """
        id, account, name, redirect_url, role, hash, created_at, created_by, expires_at, completed_at,
        (SELECT name FROM line WHERE id = onboarding_link.line), revoked_at
        """

    init(_ row: Row) {
        self.init(
            id: MessageID(rawValue: row.integer(0)), account: row.integer(1), name: row.text(2),
            redirectURL: row.optionalText(3), role: Role(rawValue: row.integer(4)) ?? .none, hash: row.bytes(5),
            createdAt: Timestamp(milliseconds: row.integer(6)), createdBy: row.text(7),
            expiresAt: Timestamp(milliseconds: row.integer(8)))
        completedAt = row.optionalInteger(9).map(Timestamp.init(milliseconds:))
        lineName = row.optionalText(10)
        revokedAt = row.optionalInteger(11).map(Timestamp.init(milliseconds:))
    }
}

extension SharedInboxLink {
    static let columns = """
        id, account, line, (SELECT name FROM line WHERE id = shared_inbox_link.line), name, permissions, expires_at, hash,
        created_at, created_by, updated_at, rotated_at, revoked_at
        """

    init(_ row: Row) {
        self.init(
            id: MessageID(rawValue: row.integer(0)), account: row.integer(1), line: row.integer(2),
            lineName: row.text(3),
            settings: Settings(
                name: row.text(4), permissions: InboxPermissions(rawValue: row.integer(5)),
                expiresAt: row.optionalInteger(6).map(Timestamp.init(milliseconds:))),
            hash: row.bytes(7), createdAt: Timestamp(milliseconds: row.integer(8)), createdBy: row.text(9),
            updatedAt: Timestamp(milliseconds: row.integer(10)))
        rotatedAt = row.optionalInteger(11).map(Timestamp.init(milliseconds:))
        revokedAt = row.optionalInteger(12).map(Timestamp.init(milliseconds:))
    }
}

/// Links for people without keys. Each change answers the link as it is then; nil: the account has no such link.
extension Queue {
    /// Of each kind and account, those that have ended included.
    package static let linksMax = 2000
    /// How long one that has ended is still shown.
    package static let linkKept = Duration.seconds(30 * 86_400)

    package func linkDirectory() throws -> LinkDirectory {
        LinkDirectory(
            onboarding: try database.prepare("SELECT \(OnboardingLink.columns) FROM onboarding_link").all {
                OnboardingLink($0)
            },
            inbox: try database.prepare("SELECT \(SharedInboxLink.columns) FROM shared_inbox_link").all {
                SharedInboxLink($0)
            })
    }

    private func count(_ table: String, of account: Int64) throws -> Int {
        try database.prepare("SELECT count(*) FROM \(table) WHERE account = :account").first(.integer(account)) {
            Int($0.integer(0))
        } ?? 0
    }

    // MARK: Onboarding

    /// `.exists` does not come: names need not differ.
    package func addOnboardingLink(
        _ name: String, redirectURL: String?, role: Role, hash: [UInt8], expiresAt: Timestamp, account: Int64,
        by who: String, now: Timestamp
    ) throws -> Making<OnboardingLink> {
        guard try count("onboarding_link", of: account) < Self.linksMax else {
            return .tooMany(Self.linksMax)
        }
        let link = OnboardingLink(
            id: nextID(now), account: account, name: name, redirectURL: redirectURL, role: role, hash: hash,
            createdAt: now, createdBy: who, expiresAt: expiresAt)
        try database.prepare(
            """
            INSERT INTO onboarding_link (id, account, name, redirect_url, role, hash, created_at, created_by, expires_at)
            VALUES (:id, :account, :name, :redirect_url, :role, :hash, :now, :who, :expires_at)
            """
        ).run(
            .integer(link.id.rawValue), .integer(account), .text(name), .optional(redirectURL),
            .integer(role.rawValue), .blob(hash), .integer(now.milliseconds), .text(who),
            .integer(expiresAt.milliseconds))
        return .done(link)
    }

    /// One that was used stays as it is.
    package func revokeOnboardingLink(_ id: MessageID, account: Int64, now: Timestamp) throws -> OnboardingLink? {
        try database.prepare(
            """
            UPDATE onboarding_link SET revoked_at = CASE WHEN completed_at IS NULL THEN coalesce(revoked_at, :now) END
            WHERE id = :id AND account = :account RETURNING \(OnboardingLink.columns)
            """
        ).first(.integer(now.milliseconds), .integer(id.rawValue), .integer(account)) { OnboardingLink($0) }
    }

    /// Uses the link up for a line, and makes the key whose hash is `keyHash`: both, or nothing.
    package func complete(
        onboardingLink id: MessageID, line name: String, keyHash: [UInt8], account: Int64, by who: String,
        now: Timestamp
    ) throws -> LinkCompletion {
        guard try database.integer("SELECT count(*) FROM access_key") < Self.keysMax else {
            return .tooManyKeys(Self.keysMax)
        }
        guard let line = line(named: name, account: account) else { return .over }
        let done = try database.prepare(
            """
            UPDATE onboarding_link SET completed_at = ?1, line = ?2 WHERE id = ?3 AND account = ?4
                AND completed_at IS NULL AND revoked_at IS NULL AND expires_at > ?1
            RETURNING \(OnboardingLink.columns)
            """
        ).first(
            .integer(now.milliseconds), .integer(line.id), .integer(id.rawValue), .integer(account)
        ) { OnboardingLink($0) }
        guard let done else { return .over }
        let first = String(String.UnicodeScalarView("onboarding \(done.name)".unicodeScalars.prefix(56)))
        for number in 1...Self.keysMax + 1 {
            let made = try addKey(
                number == 1 ? first : "\(first) \(number)", done.role, .organization, hash: keyHash,
                account: account, by: who, now: now)
            if case .done(let key) = made { return .done(done, key) }
        }
        preconditionFailure("more keys than there may be have that name")
    }

    // MARK: Shared inboxes

    package func addSharedInboxLink(
        _ settings: SharedInboxLink.Settings, line: Line, hash: [UInt8], by who: String, now: Timestamp
    ) throws -> Making<SharedInboxLink> {
        guard try count("shared_inbox_link", of: line.account) < Self.linksMax else {
            return .tooMany(Self.linksMax)
        }
        let link = SharedInboxLink(
            id: nextID(now), account: line.account, line: line.id, lineName: line.name, settings: settings,
            hash: hash, createdAt: now, createdBy: who, updatedAt: now)
        try database.prepare(
            """
            INSERT INTO shared_inbox_link
                (id, account, line, name, permissions, hash, created_at, created_by, updated_at, expires_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?9)
            """
        ).run(
            .integer(link.id.rawValue), .integer(line.account), .integer(line.id), .text(settings.name),
            .integer(settings.permissions.rawValue), .blob(hash), .integer(now.milliseconds), .text(who),
            .optional(settings.expiresAt?.milliseconds))
        return .done(link)
    }

    package func changeSharedInboxLink(
        _ id: MessageID, _ settings: SharedInboxLink.Settings, account: Int64, now: Timestamp
    ) throws -> SharedInboxLink? {
        try database.prepare(
            """
            UPDATE shared_inbox_link SET name = :name, permissions = :permissions, expires_at = :expires_at,
                updated_at = :now
            WHERE id = :id AND account = :account RETURNING \(SharedInboxLink.columns)
            """
        ).first(
            .text(settings.name), .integer(settings.permissions.rawValue),
            .optional(settings.expiresAt?.milliseconds), .integer(now.milliseconds), .integer(id.rawValue),
            .integer(account)
        ) { SharedInboxLink($0) }
    }

    /// The token before ends at once. One that was revoked stays as it is.
    package func rotateSharedInboxLink(_ id: MessageID, to hash: [UInt8], account: Int64, now: Timestamp) throws
        -> SharedInboxLink?
    {
        try database.prepare(
            """
            UPDATE shared_inbox_link SET hash = ?1, rotated_at = ?2, updated_at = ?2
            WHERE id = ?3 AND account = ?4 AND revoked_at IS NULL RETURNING \(SharedInboxLink.columns)
            """
        ).first(.blob(hash), .integer(now.milliseconds), .integer(id.rawValue), .integer(account)) {
            SharedInboxLink($0)
        }
    }

    package func revokeSharedInboxLink(_ id: MessageID, account: Int64, now: Timestamp) throws -> SharedInboxLink? {
        try database.prepare(
            """
            UPDATE shared_inbox_link SET revoked_at = coalesce(revoked_at, ?1), updated_at = ?1
            WHERE id = ?2 AND account = ?3 RETURNING \(SharedInboxLink.columns)
            """
        ).first(.integer(now.milliseconds), .integer(id.rawValue), .integer(account)) { SharedInboxLink($0) }
    }

    // MARK: Their end

    func removeSharedInboxLinks(ofLine line: Int64) throws {
        try database.prepare("DELETE FROM shared_inbox_link WHERE line = :line").run(.integer(line))
    }

    private static let linksLookedAt: Int64 = 50

    /// One step of pruning: links that ended long ago.
    func pruneLinks(_ now: Timestamp) throws -> PruneStep {
        let before = SQLValue.integer((now - Self.linkKept).milliseconds)
        var removed = try database.prepare(
            """
            DELETE FROM onboarding_link WHERE id IN (SELECT id FROM onboarding_link
                WHERE coalesce(completed_at, revoked_at, expires_at) <= :before LIMIT :limit)
            """
        ).run(before, .integer(Self.linksLookedAt))
        removed += try database.prepare(
            """
            DELETE FROM shared_inbox_link WHERE id IN (SELECT id FROM shared_inbox_link
                WHERE coalesce(revoked_at, expires_at) <= :before LIMIT :limit)
            """
        ).run(before, .integer(Self.linksLookedAt))
        return removed > 0 ? PruneStep(removed: Int64(removed)) : go(to: .space)
    }
}
