import OutboxCore

extension Queue {
    /// What the writer remembers of the file; goes back when a transaction does.
    struct Memory {
        var lastID: MessageID?
        /// Where the next message goes.
        var lot = Lot(after: nil)
        var lastEvent: Int64 = 0
        var lines: [Int64: Line] = [:]
        var counters = Counters()
        var cohorts = Cohorts()
        var wamids = WamidRuns()
        var earlyStatuses: Int64 = 0
        var alarms = Alarms()
        /// Nobody's wait with a person ends before then, by the limits' clock.
        var nextContact = Timestamp.distantFuture
        /// Messages whose outcome is unknown, by line.
        var unknown: [Int64: Int64] = [:]
        var nextEarlyPrune: Timestamp?
        /// Webhooks stored and not applied.
        var webhooksUnread: Int64 = 0
        /// By line.
        var evidence: [Int64: EvidenceBook] = [:]
        var lastLineServed: Int64?
        var lastLineReleased: Int64?
        var pools: [Int64: Pool] = [:]
        /// People counted in each pool, and when the first of them no longer counts.
        var slotsUsed: [Int64: Int64] = [:]
        var nextSlotFree: [Int64: Timestamp] = [:]
        var turns: [LineClass: FairTurns] = [:]
        var shares: [Int64: ClassShare] = [:]
        /// How often a message came back from a gate to its place in the queue.
        var returned: UInt64 = 0
        /// Messages let go from the tier's gate that were not looked at since.
        var released: [LineClass: Int64] = [:]
        var pauses: [Pause] = []
        var sweeps: [Sweep] = []
        var health: [Int64: LineHealth] = [:]
        var tokens: [Int64: TokenHealth] = [:]
        /// Lines whose list of templates was read.
        var templates: [Int64: [TemplateName: TemplateStanding]] = [:]
        var templateHolds: [Int64: [TemplateHold]] = [:]
        var knowsAliases = false
        var retention: [RetentionKind: RetentionRule] = [:]
        var pass = PrunePass()
        /// The last event that was removed.
        var logPrunedTo: Int64 = 0
        var webhookCounts = WebhookCounts()
        /// Removed, and not all of their deliveries are gone.
        var removedSubscriptions: Set<Int64> = []
        /// Something was kept by the limits' clock: where it stands is to be stored.
        var clockUsed = false
        /// No idempotency key in the file was first used before then; nil: there is none.
        var oldestKey: Timestamp?
        /// Not yet taken by whoever tells people of it.
        var told: [Told] = []
        /// Who asked for what is being done.
        var actor: String?
        /// Uploads to be made.
        var uploadsWaiting: Int64 = 0
        /// Uploads whose id Meta did not know, and that have not served since.
        var uploadsRejected: Set<MediaUpload.Key> = []
        /// How often a message made its file be uploaded anew, for Meta did not know the id it gave.
        var reuploads: [MessageID: Int] = [:]
        /// Uploads that ended: their messages are to be let go.
        var uploadsEnded: [MediaUpload.Key] = []
        /// Files no row names any more, by SHA-256; not yet taken by whoever removes them.
        var filesToRemove: [[UInt8]] = []
        var campaigns: [Int64: CampaignBook] = [:]
        /// Their counts are not in the file as they are here.
        var campaignsChanged: Set<Int64> = []
        /// Those that are not over.
        var openCampaigns: Set<Int64> = []
        /// Those that were cancelled and have messages in the queue.
        var takenBack: Set<Int64> = []
        var lastCampaignFed: Int64?
        /// Not yet taken by whoever tells people of it.
        var campaignTold: [CampaignTold] = []
        /// Accounts with somebody who wants no marketing.
        var optOutAccounts: Set<Int64> = []
        /// By account; those without are not here.
        var marketingCaps: [Int64: [MarketingCap]] = [:]
        /// There may be uses that no cap counts.
        var forgetsMarketing = true
    }

    struct LineClass: Hashable {
        var line: Int64
        var priority: Priority
    }
}
