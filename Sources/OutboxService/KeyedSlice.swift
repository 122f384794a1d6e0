import OutboxAPI
import OutboxCore
import OutboxStore

/// Some items of a bulk that brought an idempotency key, to be stored in one transaction.
///
/// What is wrong in itself is among them: before it is refused, the writer looks whether it was taken before, when it
/// was still right (its `sendAt` may have passed since).
struct KeyedSlice: Sendable {
    struct Item: Sendable {
        /// Its place in the bulk.
        var index: Int
        /// The first 16 bytes of the SHA-256 of a stream's line; of an array's items the key knows.
        var digest: [UInt8]
        /// Nil: it is wrong in itself.
        var draft: Draft?
    }

    enum Result: Equatable, Sendable {
        /// Now or before.
        case queued
        case refused(SubmitRefusal)
        /// In itself.
        case wrong
    }

    var key: IdempotencyKey
    /// Nil for the first slice of a call.
    var batch: MessageID?
    var items: [Item]
    /// One refusal refuses all.
    var atomic: Bool
    /// There is no room for a bulk whose key is new: what it is answered.
    var otherwise: APIError?
}
