import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxMeta
import OutboxStore

/// On whose behalf something is done.
struct Asker: Equatable, Sendable {
    var account: Int64
    /// By name, for the journal and for what is kept of an operator's changes; nil: neither tells of it.
    var who: String?
    /// Why, in the operator's words.
    var reason: String?
    /// Looks after all accounts.
    var isOperator: Bool

    init(account: Int64, who: String? = nil, reason: String? = nil, isOperator: Bool = false) {
        self.isOperator = isOperator
        self.account = account
        self.who = who
        self.reason = reason
    }

    /// outboxd itself.
    static let ourselves = Asker(account: Account.defaultID)
}

/// What the writer is asked or told. Requests carry the exchange their reply goes to.
///
/// Indirect, for it is handed on often: a copy costs what a reference costs.
indirect enum WriterInput: Sendable {
    /// Somebody on a socket asks.
    case asked(Asker, WriterInput)
    case submit(Exchange, Draft, IdempotencyKey? = nil)
    /// A message that is wrong in itself: what was answered to its key, else `otherwise`.
    case recall(Exchange, IdempotencyKey, otherwise: APIError)
    case estimate(Exchange, [Draft])
    case slice(Exchange, BulkSlice)
    case keyedSlice(Exchange, KeyedSlice)
    /// All of a bulk with a key was looked at; the body of its answer.
    case endBulk(Exchange, IdempotencyKey, batch: MessageID, answer: [UInt8])
    case cancel(Exchange, MessageID)
    case retry(Exchange, MessageID)
    case move(Exchange, MessageID, MoveBody, who: String)
    case resolve(Exchange, MessageID, ResolveBody, who: String)
    case putLine(Exchange, LineSettings)
    case removeLine(Exchange, name: String)
    case putPool(Exchange, name: String, PoolBody)
    /// The batch is a number of the store already.
    case pause(Exchange, PauseBody, who: String)
    case resume(Exchange, id: Int64, who: String)
    case putRetention(Exchange, RetentionKind, RetentionRule)
    case moveCursor(Exchange, name: String, CursorBody)
    case removeCursor(Exchange, name: String)
    case subscribe(Exchange, SubscriptionBody, secret: String)
    case changeSubscription(Exchange, Int64, SubscriptionSettings)
    case unsubscribe(Exchange, Int64)
    case findSubscription(Exchange, Int64)
    case replay(Exchange, Int64, ReplayBody)
    case marketing(Exchange, MarketingWish)
    case addAccount(Exchange, AccountBody)
    case setAccount(Exchange, AccountBody)
    case addKey(Exchange, KeyBody, hash: [UInt8])
    case rotateKey(Exchange, Int64, hash: [UInt8], oldUntil: Timestamp)
    case removeKey(Exchange, Int64)
    case keyUsed(Int64, at: Timestamp)
    case link(Exchange, LinkWish)
    /// Answered when it is done, some turns later.
    case erase(Exchange, ErasureBody)
    /// An operator changed what is no part of the queue.
    case changed(OperatorChange)
    /// What became of calls of a subscription.
    case callbacks(CallbackReport)
    case lineNews(LineNews)
    /// What Meta answered to a change of a template of this line.
    case templateChanged(Exchange, Line, TemplateChange)
    case outcome(AttemptOutcome)
    /// Meta took the mark.
    case markRead(Exchange, MessageID, typing: Bool)
    case caughtUp(CatchUpNews)
    /// Its bytes are on the disk.
    case keepMedia(Exchange, MediaDraft)
    case removeMedia(Exchange, MessageID)
    case uploadEnded(UploadEnd)
    case webhook(Exchange?, ReceivedWebhook)
    /// Claim no more: the end is near.
    case stopClaiming
    /// Something was mended: lines that are held may try at once.
    case releaseLines
    case limitIntake(IntakeLimits)
    /// Somebody looked at a line: what is known of it shall not be old; `anew`: Meta is to be asked anyway.
    case lookedAt(line: String, anew: Bool)
    case ping(UInt64)
    /// What is counted; answered behind the turn.
    case measure(Exchange)
    /// Called when everything posted before has been done.
    case barrier(@Sendable () -> Void)
}

/// Some messages of a bulk, to be stored in one transaction.
struct BulkSlice: Sendable {
    /// Nil for the first one: the batch is opened with it.
    var batch: MessageID?
    var drafts: [Draft]
    /// Items refused before they got here, since the last slice.
    var refusedBefore: Int
    /// One refusal refuses all.
    var atomic: Bool
}

struct AttemptOutcome: Sendable {
    var attempt: Attempt
    var outcome: Outcome
    /// The POST, from its beginning; nil when there was none.
    var took: Duration?
}

struct ReceivedWebhook: Sendable {
    var app: String
    var body: [UInt8]
    var statuses: [StatusReport]
    var inbound: [InboundMessage] = []
    var news: [AccountNews] = []
    /// What else is in it, by field or kind.
    var others: [String: Int] = [:]
    /// Why nothing could be read out of it.
    var problem: String?
}

/// What a webhook on disk tells.
struct StoredNews: Sendable {
    var id: Int64
    var statuses: [StatusReport]
    var inbound: [InboundMessage]
    var news: [AccountNews]
    var others: [String: Int]

    init(id: Int64, _ webhook: ReceivedWebhook) {
        self.id = id
        statuses = webhook.statuses
        inbound = webhook.inbound
        news = webhook.news
        others = webhook.others
    }
}

/// What the writer answers to an exchange. Indirect like the input.
indirect enum WriterReply: Sendable {
    case submitted(SubmitResult<Submitted>)
    /// To a repeat: what was submitted then.
    case replayed(Submitted)
    case refused(APIError)
    /// Of each what speaks against it, the first of the others, and more than one of them all together.
    case estimated([SubmitRefusal?], Estimate?, Forecast?)
    case sliceStored(batch: MessageID, [SubmitResult<Submitted>], Forecast?)
    /// An atomic slice with a refusal in it: nothing is stored.
    case sliceRefused([SubmitRefusal?])
    case keyedStored(batch: MessageID, [KeyedSlice.Result], Forecast?)
    /// The key stands for something else.
    case keyedRefused(SubmitRefusal)
    /// The body of a bulk's answer; `replayed`: an earlier call's.
    case bulkAnswer([UInt8], replayed: Bool)
    case request(RequestResult)
    case moved(MoveResult)
    case markedRead(MessageID, typing: Bool)
    case line(Line, isNew: Bool)
    case lineRemoved(LineRemoval, name: String)
    /// Nil: there is no such pool.
    case pool(PoolStatus?)
    /// With the line's name.
    case paused(Pause, line: String?)
    /// Nil: there is no such pause.
    case resumed(Pause?)
    case retention(RetentionKind, RetentionRule)
    case cursor(CursorMove)
    /// False: there was none.
    case cursorRemoved(Bool)
    case subscription(Subscription, isNew: Bool)
    case unsubscribed(Subscription)
    case noSubscription
    case eventsReplayed(Queue.Replayed)
    /// A field that names nothing.
    case wrong(FieldError)
    case webhookStored
    case account(Making<Account>, AccessDirectory)
    /// Nil: there is no such account.
    case accountSet(Account?, AccessDirectory)
    case key(Making<AccessKey>, AccessDirectory)
    /// Nil: there is no such key.
    case keyRotated(AccessKey?, AccessDirectory)
    case keyRemoved(AccessKey?, AccessDirectory)
    case marketing(MarketingReply)
    case link(LinkReply)
    case erased(ErasureReport)
    case template(Template, line: String, isNew: Bool)
    case templatesRemoved(line: String, name: String, languages: [String])
    case templatesSynced(TemplateSync)
    case measured(WriterMeasures)
    case media(KeptMedia)
    case mediaRemoved(MediaRemoval)
    case storageFailed(StorageTrouble)
}

/// Why a request was not carried out.
enum StorageTrouble: Sendable {
    /// Nothing of it is stored.
    case full
    /// Nothing of it is stored.
    case passing
    /// The next process reads from the disk whether it is stored.
    case unsure
}

/// A sign of life, and how much there is to do.
struct WriterPong: Sendable {
    var number: UInt64
    /// Messages scheduled, queued or retrying.
    var waiting: Int64
    var underWay: Int
}
