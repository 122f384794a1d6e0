import OutboxCore
import OutboxHTTP
import OutboxStore

/// What an operation of a turn did; counts only when the transaction holds.
final class Effect {
    var reply: (Exchange, WriterReply)?
    var attempts: [Attempt]
    var log: [LogLine]
    var toApply: StoredNews?
    /// Lines whose breakers were stored.
    var saved: Set<Int64>
    /// Lines whose templates are others now.
    var templatesOf: [Int64] = []
    /// Of a line's token something new was heard.
    var token: (line: Int64, before: TokenHealth?, now: TokenHealth)?
    /// Lines Meta is to be asked about at once.
    var refreshes: [Int64] = []
    var changedSubscription: Int64?
    /// Whose report was stored.
    var reportOf: Int64?
    var goOn: Bool
    var pruned: PruneStep?
    var erasure: ErasureJob?
    /// When a campaign may go on.
    var feedWake: Timestamp?
    /// What has ended is to be looked through at once.
    var prunesNow: Bool
    /// Waits for an upload.
    var waiter: UploadsUnderWay.Waiter?
    /// How an upload stands after a try.
    var upload: MediaUpload?

    init(
        reply: (Exchange, WriterReply)? = nil, attempts: [Attempt] = [], log: [LogLine] = [],
        toApply: StoredNews? = nil,
        saved: Set<Int64> = [], changedSubscription: Int64? = nil, reportOf: Int64? = nil, goOn: Bool = false,
        pruned: PruneStep? = nil, feedWake: Timestamp? = nil, prunesNow: Bool = false,
        waiter: UploadsUnderWay.Waiter? = nil, upload: MediaUpload? = nil
    ) {
        self.reply = reply
        self.attempts = attempts
        self.log = log
        self.toApply = toApply
        self.saved = saved
        self.changedSubscription = changedSubscription
        self.reportOf = reportOf
        self.goOn = goOn
        self.pruned = pruned
        self.feedWake = feedWake
        self.prunesNow = prunesNow
        self.waiter = waiter
        self.upload = upload
    }
}
