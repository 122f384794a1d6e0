import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// What the other threads say.
extension Frontend {
    func bellRang() {
        for mail in mailbox.take() {
            switch mail {
            case .replies(let replies): for (exchange, reply) in replies { deliver(reply, exchange) }
            case .answers(let answers):
                for (exchange, response) in answers {
                    uploads[exchange] = nil
                    uploadsEnded.remove(exchange)
                    respond(exchange, response)
                }
            case .resume(let exchange): server.resume(exchange)
            case .streams(let orders): for order in orders { carryOut(order) }
            case .ping(let number): parts.pong(number)
            case .accessChanged: expelStrangers()
            case .exchanged(let exchange, let result): exchanged(exchange, result)
            case .drain: server.drain()
            }
        }
    }

    private func deliver(_ reply: WriterReply, _ exchange: Exchange) {
        if case .measured(let measures) = reply { return tell(measures, exchange) }
        if uploads.take(exchange) != nil {
            uploadsEnded.remove(exchange)
            parts.media.kept(exchange)
        }
        if let response = accessReply(reply, exchange) { return respond(exchange, response) }
        if let response = linkResponse(to: reply, exchange) { return respond(exchange, response) }
        if !bulks.isEmpty, bulks[exchange] != nil { return bulkReply(reply, exchange) }
        if !recipientUploads.isEmpty, recipientUploads[exchange] != nil { return uploadReply(reply, exchange) }
        if let change = secretsChanging.take(exchange) {
            return respond(exchange, finish(change, reply))
        }
        if case .unsubscribed(let subscription) = reply { parts.subscriptionSecrets.remove(subscription.secret) }
        let change = linesChanging.take(exchange)
        if let change { takeBack(change, unlessDone: reply) }
        if case .line(let line, _) = reply { forgetUnusedToken(of: line) }
        if case .lineRemoved(.done, let name) = reply, let change {
            removeToken(ofLine: name, change.account)
            links.removeInbox(ofLine: name, account: change.account)
        }
        respond(exchange, words.response(to: reply, draft: draftsToTell.take(exchange)))
    }
}

extension Dictionary {
    /// Removes a value and answers it. Most of what is asked for waits nowhere: nothing is hashed for that.
    mutating func take(_ key: Key) -> Value? { isEmpty ? nil : removeValue(forKey: key) }
}
