import OutboxCore
import OutboxHTTP
import OutboxStore

/// The account of every caller, until keys and user ids are mapped.
let defaultAccount: Int64 = 1

/// What the writer is asked or told. Requests carry the exchange their reply goes to.
enum WriterInput: Sendable {
    case submit(Exchange, Draft)
    case estimate(Exchange, [Draft])
    case slice(Exchange, BulkSlice)
    case cancel(Exchange, MessageID)
    case retry(Exchange, MessageID)
    case putLine(Exchange, LineSettings)
    case removeLine(Exchange, name: String)
    case outcome(AttemptOutcome)
    case webhook(Exchange?, ReceivedWebhook)
    /// Claim no more: the end is near.
    case stopClaiming
    /// Something was mended: lines that are held may try at once.
    case releaseLines
    case ping(UInt64)
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
}

struct ReceivedWebhook: Sendable {
    var app: String
    var body: [UInt8]
    var statuses: [StatusReport]
    /// Messages received, by number.
    var inbound: [String: Int] = [:]
    /// Why nothing could be read out of it.
    var problem: String?
}

/// What the writer answers to an exchange.
enum WriterReply: Sendable {
    case submitted(SubmitResult<Submitted>)
    case estimated([SubmitResult<Estimate>])
    case sliceStored(batch: MessageID, [SubmitResult<Submitted>])
    /// An atomic slice with a refusal in it: nothing is stored.
    case sliceRefused([SubmitResult<Estimate>])
    case request(RequestResult)
    case line(Line, isNew: Bool)
    case lineRemoved(LineRemoval, name: String)
    case webhookStored
    /// Nothing is stored.
    case storageFailed(full: Bool)
}

/// A sign of life, and how much there is to do.
struct WriterPong: Sendable {
    var number: UInt64
    /// Messages scheduled, queued or retrying.
    var waiting: Int64
    var underWay: Int
}
