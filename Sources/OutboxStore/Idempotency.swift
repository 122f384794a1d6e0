package import OutboxCore

/// What an earlier call with the same key left.
package enum EarlierCall: Equatable, Sendable {
    /// The same call: this was answered.
    case submitted(Submitted)
    /// The same bulk has begun.
    case bulk(EarlierBulk)
    /// The key belongs to something else.
    case other(since: Timestamp)
}

package struct EarlierBulk: Equatable, Sendable {
    package var batch: MessageID
    package var since: Timestamp
    /// Nil while it did not come to its end.
    package var answer: [UInt8]?
    /// Of the body that was answered.
    package var digest: [UInt8]
}

/// What an earlier call with the same key did with the item at the same place.
package enum EarlierItem: Equatable, Sendable {
    /// It is stored.
    case queued
    /// It was refused, and so were these bytes or others.
    case refused(same: Bool, at: Timestamp)
    /// Another item is stored.
    case other(since: Timestamp)
}

/// Keys of callers who may have to repeat a call. Each stands in the transaction of what it names.
extension Queue {
    /// Rows of old keys removed at once, so that one-time codes never wait long for it.
    private static let forgottenAtOnce = 200
    /// Old keys count as free at once; their rows may stay so much longer, for a wake-up serves many of them.
    private static let forgetSlack = Duration.seconds(60)

    private static let callItem: Int64 = -1

    private func place(_ key: IdempotencyKey, _ account: Int64) -> (SQLValue, SQLValue, SQLValue) {
        (.integer(account), .integer(key.caller), .text(key.text))
    }

    /// What the key stands for; nil: nothing, it is free.
    package func earlierCall(_ key: IdempotencyKey, account: Int64, now: Timestamp) throws -> EarlierCall? {
        let (account, caller, text) = place(key, account)
        let row = try keys.load.first(account, caller, text, .integer(Self.callItem)) { IdempotencyRow($0) }
        guard let row, row.createdAt + keysKept > now else { return nil }
        guard row.form == key.form.rawValue, key.form == .stream || row.digest == key.digest else {
            return .other(since: row.createdAt)
        }
        if let batch = row.batch {
            return .bulk(
                EarlierBulk(batch: batch, since: row.createdAt, answer: row.answer, digest: row.digest))
        }
        guard let id = row.message, let state = row.state else { return .other(since: row.createdAt) }
        return .submitted(Submitted(id: id, state: state, sendAt: row.sendAt))
    }

    /// The key, which is free, stands for a message that was submitted in this transaction.
    package func keep(_ key: IdempotencyKey, account: Int64, for submitted: Submitted, now: Timestamp) throws {
        try insertCall(key, account, batch: nil, submitted, now)
    }

    /// The key, which is free, stands for a bulk that begins.
    package func keep(_ key: IdempotencyKey, account: Int64, forBulk batch: MessageID, now: Timestamp) throws {
        try insertCall(key, account, batch: batch, nil, now)
    }

    private func insertCall(
        _ key: IdempotencyKey, _ account: Int64, batch: MessageID?, _ submitted: Submitted?, _ now: Timestamp
    ) throws {
        let (account, caller, text) = place(key, account)
        let changed = try keys.insert.run(
            account, caller, text, .integer(Self.callItem), .integer(key.form.rawValue),
            .blob(key.form == .stream ? IdempotencyKey.noDigest : key.digest), .integer(now.milliseconds),
            .optional(batch?.rawValue), .optional(submitted?.id.rawValue), .optional(submitted?.state.rawValue),
            .optional(submitted?.sendAt?.milliseconds), .integer((now - keysKept).milliseconds))
        precondition(changed == 1, "a key was taken under its only writer")
        memory.oldestKey = min(memory.oldestKey ?? now, now)
    }

    // MARK: Bulks

    /// What was done with the item at a place of this batch; nil: nothing.
    package func earlierItem(
        _ index: Int64, _ digest: [UInt8], of key: IdempotencyKey, account: Int64, batch: MessageID
    ) throws -> EarlierItem? {
        let (account, caller, text) = place(key, account)
        let row = try keys.load.first(account, caller, text, .integer(index)) { IdempotencyRow($0) }
        // Rows of another batch are left over from an older use of the key.
        guard let row, row.batch == batch else { return nil }
        if row.message == nil { return .refused(same: row.digest == digest, at: row.createdAt) }
        return row.digest == digest ? .queued : .other(since: row.createdAt)
    }

    /// What became of the item at a place that holds nothing, or something that was refused; nil: refused.
    package func keepItem(
        _ index: Int64, _ digest: [UInt8], of key: IdempotencyKey, account: Int64, batch: MessageID,
        message: MessageID?, now: Timestamp
    ) throws {
        let (account, caller, text) = place(key, account)
        let changed = try keys.insert.run(
            account, caller, text, .integer(index), .integer(key.form.rawValue), .blob(digest),
            .integer(now.milliseconds), .integer(batch.rawValue), .optional(message?.rawValue), .null, .null,
            .integer((now - keysKept).milliseconds))
        precondition(changed == 1, "an item was stored twice under its only writer")
    }

    /// What a bulk is answered now that all of it was looked at, `key.digest` being that of its whole body. Nil: not
    /// yet, for something new came.
    package func setAnswer(_ answer: [UInt8]?, to key: IdempotencyKey, account: Int64) throws {
        let (account, caller, text) = place(key, account)
        let changed = try keys.answer.run(.optional(answer), .blob(key.digest), account, caller, text)
        precondition(changed == 1, "only a bulk that has begun is answered")
    }

    // MARK: Old keys

    func loadOldestKey() throws -> Timestamp? {
        (try keys.first.first { $0.optionalInteger(0) } ?? nil).map(Timestamp.init(milliseconds:))
    }

    /// When old keys are to be removed at the latest.
    var nextForgetting: Timestamp? { memory.oldestKey.map { $0 + keysKept + Self.forgetSlack } }

    /// Removes some of the rows of keys that are free again. Answers whether there are more.
    func forgetKeys(_ now: Timestamp) throws -> Bool {
        guard let oldest = memory.oldestKey, oldest + keysKept <= now else { return false }
        let until = SQLValue.integer((now - keysKept).milliseconds)
        var left = Self.forgottenAtOnce
        while left > 0, let call = try keys.oldest.first(until, body: { ($0.integer(0), $0.integer(1), $0.text(2)) }) {
            let (account, caller, text) = (SQLValue.integer(call.0), SQLValue.integer(call.1), SQLValue.text(call.2))
            left -= try keys.deleteItems.run(account, caller, text, .integer(Int64(left)))
            // The call goes last: it leads to what is left of its items.
            guard left > 0 else { break }
            left -= try keys.deleteCall.run(account, caller, text)
        }
        memory.oldestKey = try loadOldestKey()
        return memory.oldestKey.map { $0 + keysKept <= now } ?? false
    }
}

private struct IdempotencyRow {
    var form: Int64
    var digest: [UInt8]
    var createdAt: Timestamp
    var batch: MessageID?
    var message: MessageID?
    var state: MessageState?
    var sendAt: Timestamp?
    var answer: [UInt8]?

    init(_ row: Row) {
        form = row.integer(0)
        digest = row.bytes(1)
        createdAt = Timestamp(milliseconds: row.integer(2))
        batch = row.optionalInteger(3).map(MessageID.init(rawValue:))
        message = row.optionalInteger(4).map(MessageID.init(rawValue:))
        state = row.optionalInteger(5).flatMap(MessageState.init(rawValue:))
        sendAt = row.optionalInteger(6).map(Timestamp.init(milliseconds:))
        answer = row.optionalBytes(7)
    }
}
