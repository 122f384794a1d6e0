import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// Calls that bring a key, inside the transaction: what they ask for is done once.
extension WriterStep {
    /// What is answered to a repeat of a single message; nil: the key is free.
    func recall(_ key: IdempotencyKey, _ now: Timestamp) throws -> WriterReply? {
        switch try queue.earlierCall(key, account: account, now: now) {
        case nil: nil
        case .submitted(let submitted): .replayed(submitted)
        case .other(let since): .submitted(.refused(.keyUsed(since: since)))
        case .bulk: preconditionFailure("a key of a single message stands for no bulk")
        }
    }

    func submit(_ draft: Draft, _ key: IdempotencyKey, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        if let reply = try recall(key, now) { return Effect(reply: (exchange, reply)) }
        let result = try submit(draft, batch: nil, now)
        if case .done(let submitted) = result {
            try queue.keep(key, account: account, for: submitted, now: now)
        }
        return Effect(reply: (exchange, .submitted(result)))
    }

    // MARK: Bulks

    /// A slice of a bulk: what an earlier call with the key has stored is not stored again.
    func store(_ slice: KeyedSlice, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        var earlier: EarlierBulk?
        switch try queue.earlierCall(slice.key, account: account, now: now) {
        case nil: break
        case .submitted: preconditionFailure("a key of a bulk stands for no single message")
        case .other(let since): return Effect(reply: (exchange, .keyedRefused(.keyUsed(since: since))))
        case .bulk(let bulk):
            if slice.key.form == .array, let answer = bulk.answer {
                return Effect(reply: (exchange, .bulkAnswer(answer, replayed: true)))
            }
            // The key was free for a moment in the middle of this bulk, and another one took it.
            if let batch = slice.batch, batch != bulk.batch {
                return Effect(reply: (exchange, .keyedRefused(.keyUsed(since: bulk.since))))
            }
            earlier = bulk
        }
        if let error = slice.otherwise, earlier == nil { return Effect(reply: (exchange, .refused(error))) }
        if slice.atomic, earlier == nil {
            let refusals = try slice.items.map { try $0.draft.flatMap { try refusal(of: $0, now) } }
            if refusals.contains(where: { $0 != nil }) || slice.items.contains(where: { $0.draft == nil }) {
                return Effect(reply: (exchange, .sliceRefused(refusals)))
            }
        }
        let batch = try earlier?.batch ?? slice.batch ?? queue.openBatch(account: account, now: now)
        if earlier == nil { try queue.keep(slice.key, account: account, forBulk: batch, now: now) }
        return try store(slice, batch, isAnswered: earlier?.answer != nil, exchange, now)
    }

    private func store(
        _ slice: KeyedSlice, _ batch: MessageID, isAnswered: Bool, _ exchange: Exchange, _ now: Timestamp
    ) throws -> Effect {
        var (queued, failed): (Int64, Int64) = (0, 0)
        let results = try slice.items.map { item -> KeyedSlice.Result in
            let index = Int64(item.index)
            let earlier = try queue.earlierItem(
                index, item.digest, of: slice.key, account: account, batch: batch)
            var wasRefused = false
            switch earlier {
            case nil: break
            case .queued: return .queued
            case .other(let since): return .refused(.keyUsed(since: since))
            case .refused(same: true, let moment) where isAnswered:
                // The answer that was given shall stay true.
                return item.draft == nil ? .wrong : .refused(.refusedBefore(moment))
            case .refused: wasRefused = true
            }
            let result = try item.draft.map { try submit($0, batch: batch, now) }
            var message: MessageID?
            if case .done(let done) = result { message = done.id }
            try queue.keepItem(
                index, item.digest, of: slice.key, account: account, batch: batch, message: message, now: now)
            if message != nil { queued += 1 }
            if wasRefused != (message == nil) { failed += wasRefused ? -1 : 1 }
            guard let result else { return .wrong }
            if case .refused(let refusal) = result { return .refused(refusal) }
            return .queued
        }
        if queued != 0 || failed != 0 { try queue.addToBatch(batch, queued: queued, failed: failed) }
        // A stream that goes on after its end has another answer.
        if isAnswered, queued > 0 { try queue.setAnswer(nil, to: slice.key, account: account) }
        let forecast = try forecast(of: slice.items.compactMap(\.draft).map(\.line), now)
        return Effect(
            reply: (exchange, .keyedStored(batch: batch, results, forecast)))
    }

    /// All of a bulk was looked at: keeps its answer for repeats, or says the earlier one's.
    func end(
        _ key: IdempotencyKey, _ batch: MessageID, _ answer: [UInt8], _ exchange: Exchange, _ now: Timestamp
    ) throws -> Effect {
        guard case .bulk(let earlier) = try queue.earlierCall(key, account: account, now: now),
            earlier.batch == batch
        else {
            // So much time went by that the key is free again: there is nothing to keep the answer with.
            return Effect(reply: (exchange, .bulkAnswer(answer, replayed: false)))
        }
        if let first = earlier.answer {
            // A stream of other lines than the answered one that brought nothing new has an answer of its own.
            let isSame = earlier.digest == key.digest
            return Effect(reply: (exchange, .bulkAnswer(isSame ? first : answer, replayed: isSame)))
        }
        try queue.setAnswer(answer, to: key, account: account)
        return Effect(reply: (exchange, .bulkAnswer(answer, replayed: false)))
    }
}
