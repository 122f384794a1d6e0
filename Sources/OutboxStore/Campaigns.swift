package import OutboxCore
import OutboxJSON

/// What is counted of a campaign's recipients. The numbers are stored.
enum CampaignCountKind: Int64 {
    /// Not yet in the queue, by zone.
    case pending = 0
    /// By the number of the message's state.
    case state = 1
    /// By the number of the reason.
    case skipped = 2
    /// By code.
    case failure = 3
    /// Delivered or read, by country.
    case delivered = 4
    case duplicates = 5
}

/// A campaign as the writer remembers it.
struct CampaignBook {
    struct Key: Hashable {
        var kind: CampaignCountKind
        var key: String
    }

    var campaign: Campaign
    private(set) var counts: [Key: Int64] = [:]
    /// Not in the file as they are here.
    private(set) var changed: Set<Key> = []
    /// Of the last recipient.
    var place: Int64 = 0
    /// Messages of it that wait are taken back from here downwards; nil: that is done.
    var cancelBelow: Int64?
    /// Recipients that are not in the queue yet.
    private(set) var waiting: Int64 = 0
    /// Messages in the queue or on their way.
    private(set) var underWay: Int64 = 0

    init(_ campaign: Campaign) { self.campaign = campaign }

    mutating func load(_ key: Key, _ count: Int64) {
        counts[key] = count
        sum(count, key)
    }

    mutating func add(_ difference: Int64, _ kind: CampaignCountKind, _ key: String) {
        let key = Key(kind: kind, key: key)
        counts[key, default: 0] += difference
        changed.insert(key)
        sum(difference, key)
    }

    private mutating func sum(_ difference: Int64, _ key: Key) {
        if key.kind == .pending { waiting += difference }
        if key.kind == .state, let state = Int64(key.key).flatMap(MessageState.init(rawValue:)),
            state.isWaiting || state == .processing
        {
            underWay += difference
        }
    }

    /// Nothing is left to leave.
    var isSettled: Bool { waiting == 0 && underWay == 0 }

    mutating func saved() { changed = [] }

    func count(_ kind: CampaignCountKind, _ key: String) -> Int64 { counts[Key(kind: kind, key: key)] ?? 0 }

    /// Zones with recipients that wait, in the order of their names.
    var pending: [(zone: RecipientZone, count: Int64)] {
        counts.filter { $0.key.kind == .pending && $0.value > 0 }
            .map { (zone: RecipientZone(text: $0.key.key), count: $0.value) }.sorted { $0.zone.text < $1.zone.text }
    }

    var summed: CampaignCounts { CampaignCounts(counts.map { ($0.key.kind, $0.key.key, $0.value) }) }
}

extension CampaignCounts {
    init(_ rows: [(kind: CampaignCountKind, key: String, count: Int64)]) {
        self.init()
        for (kind, key, count) in rows {
            switch kind {
            case .pending: pending += count
            case .state: if let state = Int64(key).flatMap(MessageState.init(rawValue:)) { states[state] = count }
            case .skipped: if let reason = Int64(key).flatMap(SkipReason.init(rawValue:)) { skipped[reason] = count }
            case .failure: failures[key] = count
            case .delivered: delivered[key] = count
            case .duplicates: duplicates += count
            }
        }
    }
}

extension Campaign {
    static let columns = """
        id, account, line, name, template, components, quiet_from, quiet_to, canary_first, canary_wait, canary_share,
        canary_until, canary_over, expires_at, state, aborted, reason, created_at, created_by, start_at, started_at,
        paused_at, ended_at, category
        """

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        var settings = CampaignSettings(
            name: row.text(3), template: TemplateName(text: row.text(4)) ?? TemplateName(name: "", language: ""),
            components: row.optionalBytes(5), expiresAt: time(13))
        if let from = row.optionalInteger(6) { settings.quietHours = QuietHours(from: from, to: row.integer(7)) }
        if let first = row.optionalInteger(8) {
            settings.canary = Canary(
                first: first, wait: .seconds(row.integer(9)),
                abortAboveFailureShare: Double(row.integer(10)) / 1_000_000)
        }
        self.init(
            id: MessageID(rawValue: row.integer(0)), account: row.integer(1), line: row.integer(2), settings: settings,
            state: CampaignState(rawValue: row.integer(14)) ?? .draft,
            createdAt: Timestamp(milliseconds: row.integer(17)), createdBy: row.text(18))
        canaryUntil = time(11)
        canaryIsOver = row.integer(12) != 0
        isAborted = row.integer(15) != 0
        reason = row.optionalText(16)
        startAt = time(19)
        startedAt = time(20)
        pausedAt = time(21)
        endedAt = time(22)
    }
}

/// One recipient whose turn has come.
package struct CampaignRecipient: Equatable, Sendable {
    package var campaign: MessageID
    package var place: Int64
    package var to: String
    /// JSON: texts by name.
    package var variables: [UInt8]
    package var zone: RecipientZone
}

/// A recipient that is to be added, checked completely.
package struct CampaignAddition: Equatable, Sendable {
    package var to: String
    package var variables: [UInt8]
    package var zone: RecipientZone

    package init(to: String, variables: [UInt8], zone: RecipientZone) {
        self.to = to
        self.variables = variables
        self.zone = zone
    }
}

extension Queue {
    /// Recipients of one campaign at most.
    package static let campaignRecipientsMax: Int64 = 10_000_000
    /// Campaigns of one account at most that are not over.
    package static let campaignsOpenMax = 1000

    func loadCampaigns() throws {
        for campaign in try database.prepare("SELECT \(Campaign.columns) FROM campaign").all(body: { Campaign($0) }) {
            memory.campaigns[campaign.id.rawValue] = CampaignBook(campaign)
        }
        try database.prepare("SELECT campaign, kind, key, count FROM campaign_count").each { row in
            guard let kind = CampaignCountKind(rawValue: row.integer(1)) else { return }
            memory.campaigns[row.integer(0)]?.load(CampaignBook.Key(kind: kind, key: row.text(2)), row.integer(3))
        }
        let last = try database.prepare("SELECT max(place) FROM campaign_recipient WHERE campaign = :id")
        for (id, book) in memory.campaigns where !book.campaign.state.isOver {
            memory.openCampaigns.insert(id)
            memory.campaigns[id]?.place = try last.first(.integer(id)) { $0.integer(0) } ?? 0
        }
        // What was to be taken back when the process ended.
        for (id, book) in memory.campaigns where book.campaign.state == .cancelled && book.underWay > 0 {
            takeBack(id)
        }
    }

    /// Part of the transaction that made the changes.
    func saveCampaignCounts() throws {
        guard !memory.campaignsChanged.isEmpty else { return }
        for id in memory.campaignsChanged {
            guard let book = memory.campaigns[id] else { continue }
            for key in book.changed {
                let count = book.count(key.kind, key.key)
                if count < 0 { preconditionFailure("a campaign counts less than none") }
                try campaigns.saveCount.run(
                    .integer(id), .integer(key.kind.rawValue), .text(key.key), .integer(count))
            }
            memory.campaigns[id]?.saved()
        }
        memory.campaignsChanged = []
    }

    func count(_ difference: Int64, _ kind: CampaignCountKind, _ key: String, of id: Int64) {
        memory.campaigns[id]?.add(difference, kind, key)
        memory.campaignsChanged.insert(id)
    }

    package func campaign(_ id: MessageID, account: Int64) -> Campaign? {
        memory.campaigns[id.rawValue].flatMap { $0.campaign.account == account ? $0.campaign : nil }
    }

    package func counts(of id: MessageID) -> CampaignCounts {
        memory.campaigns[id.rawValue]?.summed ?? CampaignCounts()
    }

    // MARK: What becomes of its messages

    /// A message of a batch is new.
    func campaignEntered(_ batch: MessageID?, _ state: MessageState) {
        guard let id = batch?.rawValue, memory.campaigns[id] != nil else { return }
        count(1, .state, String(state.rawValue), of: id)
    }

    /// A message has moved, and its row is written: the campaign ends with the last one.
    func campaignMoved(_ record: Record, from old: MessageState, _ oldFailure: Failure?, _ now: Timestamp) throws {
        guard let id = record.batch?.rawValue, memory.campaigns[id] != nil else { return }
        let new = record.standing.state
        if old != new {
            count(-1, .state, String(old.rawValue), of: id)
            count(1, .state, String(new.rawValue), of: id)
            let (was, isNow) = (old == .delivered || old == .read, new == .delivered || new == .read)
            if was != isNow {
                let country = CallingCodes.country(of: record.person)?.code ?? RecipientZone.unknown
                count(isNow ? 1 : -1, .delivered, country, of: id)
            }
        }
        let before = old == .failed ? oldFailure?.code : nil
        let after = new == .failed ? record.failure?.code : nil
        if before != after {
            if let before { count(-1, .failure, before, of: id) }
            if let after { count(1, .failure, after, of: id) }
        }
        guard old != new else { return }
        // An attempt that came back after the rest was taken back is to be tried no more.
        if new.isWaiting, memory.campaigns[id]?.campaign.state == .cancelled { takeBack(id) }
        try completeCampaign(id, now)
    }

    /// Everything of a campaign that waits in the queue is to be taken back, slice by slice.
    func takeBack(_ id: Int64) {
        memory.campaigns[id]?.cancelBelow = .max
        memory.takenBack.insert(id)
    }

    /// Tells that nothing is left to leave, once.
    func completeCampaign(_ id: Int64, _ now: Timestamp) throws {
        guard var campaign = memory.campaigns[id]?.campaign, campaign.state == .running,
            memory.campaigns[id]?.isSettled ?? false
        else { return }
        campaign.state = .completed
        campaign.endedAt = now
        try save(campaign, .campaignCompleted, by: nil, now)
    }

    /// Writes a changed campaign, and tells of it.
    func save(_ campaign: Campaign, _ kind: EventKind?, by who: String?, _ now: Timestamp) throws {
        try campaigns.save.run(
            .integer(campaign.state.rawValue), .integer(campaign.isAborted ? 1 : 0), .optional(campaign.reason),
            .optional(campaign.startAt?.milliseconds), .optional(campaign.startedAt?.milliseconds),
            .optional(campaign.pausedAt?.milliseconds), .optional(campaign.endedAt?.milliseconds),
            .optional(campaign.canaryUntil?.milliseconds), .integer(campaign.canaryIsOver ? 1 : 0),
            .integer(campaign.id.rawValue))
        memory.campaigns[campaign.id.rawValue]?.campaign = campaign
        if campaign.state.isOver { memory.openCampaigns.remove(campaign.id.rawValue) }
        guard let kind else { return }
        memory.campaignTold.append(CampaignTold(kind: kind, campaign: campaign, actor: who ?? memory.actor))
        let line = memory.lines[campaign.line]
        let detail = campaignDetail(
            campaign, codec.text(campaign.id, .batch), line?.name ?? "", counts(of: campaign.id), who ?? memory.actor)
        _ = try appendEvent(
            account: campaign.account, line: line?.id, message: nil, previous: nil, at: now, kind: kind, state: nil,
            attempt: 0, detail: detail)
    }

    /// What happened to campaigns in the last transaction.
    package func takeCampaignTold() -> [CampaignTold] {
        defer { memory.campaignTold = [] }
        return memory.campaignTold
    }
}

/// A step of a campaign, for whoever tells people of it.
package struct CampaignTold: Equatable, Sendable {
    package var kind: EventKind
    package var campaign: Campaign
    /// Who asked for it; nil: nobody did.
    package var actor: String?
}

/// The statements about campaigns, prepared once.
final class CampaignStatements {
    /// One row in, or its count changed.
    let saveCount: Statement
    /// One row by primary key.
    let save: Statement
    /// One row in, unless the campaign has the recipient.
    let add: Statement
    /// The first that wait in a zone; index campaign_recipient_pending.
    let pending: Statement
    /// Whether a campaign has a person under another address; one row by each address: campaign_recipient_once.
    let isSamePerson: Statement
    /// One row by primary key; so does the next.
    let feed: Statement
    let skip: Statement
    /// The zone of a message's recipient; index campaign_recipient_message.
    let zone: Statement
    /// Messages of a batch from the newest on, whatever their state; index message_batch.
    let newest: Statement
    /// What a message is removed with; index campaign_recipient_message.
    let forgetMessage: Statement
    /// Recipients without a message, some of them; primary key.
    let forgetRest: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        saveCount = try prepare(
            """
            INSERT INTO campaign_count (campaign, kind, key, count) VALUES (:campaign, :kind, :key, :count)
            ON CONFLICT (campaign, kind, key) DO UPDATE SET count = excluded.count
            """)
        save = try prepare(
            """
            UPDATE campaign SET state = :state, aborted = :aborted, reason = :reason, start_at = :start_at,
                started_at = :started_at, paused_at = :paused_at, ended_at = :ended_at, canary_until = :canary_until,
                canary_over = :canary_over WHERE id = :id
            """)
        add = try prepare(
            """
            INSERT INTO campaign_recipient (campaign, place, recipient, variables, zone)
            VALUES (:campaign, :place, :recipient, :variables, :zone) ON CONFLICT (campaign, recipient) DO NOTHING
            """)
        pending = try prepare(
            """
            SELECT place, recipient, variables FROM campaign_recipient
            WHERE campaign = :campaign AND zone = :zone AND message IS NULL AND skipped IS NULL
            ORDER BY place LIMIT :limit
            """)
        isSamePerson = try prepare(
            """
            SELECT EXISTS (SELECT 1 FROM campaign_recipient
                WHERE campaign = :campaign AND recipient = :person AND recipient <> :address AND message IS NOT NULL)
            OR EXISTS (SELECT 1 FROM alias AS a CROSS JOIN campaign_recipient AS r
                ON r.campaign = :campaign AND r.recipient = a.address AND r.message IS NOT NULL
                WHERE a.account = :account AND a.person = :person AND a.address <> :address)
            """)
        feed = try prepare(
            "UPDATE campaign_recipient SET message = :message WHERE campaign = :campaign AND place = :place")
        skip = try prepare(
            "UPDATE campaign_recipient SET skipped = :reason WHERE campaign = :campaign AND place = :place")
        zone = try prepare("SELECT zone FROM campaign_recipient WHERE message = :message")
        newest = try prepare(
            "SELECT id, state FROM message WHERE batch = :batch AND id < :below ORDER BY id DESC LIMIT :limit")
        forgetMessage = try prepare("DELETE FROM campaign_recipient WHERE message = :message")
        forgetRest = try prepare(
            """
            DELETE FROM campaign_recipient WHERE campaign = ?1 AND place IN (SELECT place FROM campaign_recipient
                WHERE campaign = ?1 AND message IS NULL LIMIT 200)
            """)
    }
}
