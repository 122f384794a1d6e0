import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

@testable import OutboxService

/// Meta's webhooks and callers' messages until they are answered.
extension Simulation {
    // MARK: Webhooks

    func webhook(_ word: SimulatedMeta.Word, _ tries: Int) {
        guard isRunning else { return retryWebhook(word, tries) }
        let exchange = exchange()
        webhooksAwaited.append((exchange, word, tries))
        post(.webhook(exchange, ReceivedWebhook.reading(app: "default", body: word.body, parser: parser)))
    }

    /// Meta tries for days, less and less often.
    func retryWebhook(_ word: SimulatedMeta.Word, _ tries: Int) {
        guard tries < 16 else { return }
        agenda.add(.webhook(word, tries: tries + 1), at: time + (60_000 << min(tries, 9)))
    }

    // MARK: Answers

    func answered(_ exchange: Exchange, _ reply: WriterReply) {
        if let index = webhooksAwaited.firstIndex(where: { $0.exchange == exchange }) {
            let call = webhooksAwaited.remove(at: index)
            guard case .webhookStored = reply else { return retryWebhook(call.word, call.tries) }
            if let status = call.word.status { history.told(status.report, of: status.message) }
            received.isStored(call.word.inbound)
            return
        }
        if case .marketing(.campaign(.done(let campaign, _), _, isNew: true)) = reply { broadcasts.made(campaign.id) }
        if let request = requests.removeValue(forKey: exchange) { return answered(request, reply) }
        guard let number = awaited.removeValue(forKey: exchange) else { return }
        switch reply {
        case .submitted(.done(let submitted)), .replayed(let submitted):
            calls[number].isAnswered = true
            history.accepted(number, as: submitted.id)
        case .submitted(.refused), .refused:
            // Nothing is stored: the caller gives up. Had it been stored before, this would be a broken promise.
            if history.promised[number] != nil { history.problem("call \(number) was accepted and then refused") }
            calls[number].isAnswered = true
        case .storageFailed: repeatCall(number)
        default: history.problem("call \(number) was answered as something else")
        }
    }

    func call(_ number: Int) {
        guard !calls[number].isAnswered else { return }
        calls[number].tries += 1
        if isRunning {
            let exchange = exchange()
            awaited[exchange] = number
            post(.submit(exchange, calls[number].draft, calls[number].key))
        }
        // It asks again until it is answered: it does not know whether it was heard.
        repeatCall(number)
    }

    private func repeatCall(_ number: Int) {
        agenda.add(.call(number), at: time + (10_000 << Int64(min(calls[number].tries, 6))))
    }
}
