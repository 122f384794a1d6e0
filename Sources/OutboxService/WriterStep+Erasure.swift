import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// Somebody asked for a person's data to be erased, and waits for the report.
struct ErasureJob: Sendable {
    var exchange: Exchange
    var asker: Asker
    /// As shown in the journal: masked.
    var person: String
    var erasure: Erasure
    var isBegun = false
    var triesOfLog = 0

    init(_ exchange: Exchange, _ body: ErasureBody, asker: Asker) {
        self.exchange = exchange
        self.asker = asker
        person = maskedNumber(body.address)
        erasure = Erasure(of: body.address, account: asker.account)
    }
}

extension WriterStep {
    /// A reader may stand in the way of emptying the log: so often, so many nanoseconds apart, it is tried.
    private static var triesOfLogMax: Int { 40 }
    private static var betweenTriesOfLog: UInt64 { 50_000_000 }

    /// One step of the first job; inside the transaction.
    func eraseOn(_ now: Timestamp) throws -> Effect {
        guard var job = erasures.first, !job.erasure.waitsForLog else { return Effect() }
        let effect = Effect()
        if !job.isBegun {
            let change = OperatorChange(action: "person.erased")
            try keep(change, by: job.asker, job.asker.reason, now)
            job.isBegun = true
        }
        try queue.erase(&job.erasure, now: now, needed: try queue.oldestNeededEvent())
        effect.goOn = true
        effect.erasure = job
        return effect
    }

    /// Outside the transaction: what was removed goes from the log beside the database, too. Answers when to try again,
    /// on the steady clock.
    func endErasure(_ tick: UInt64, _ outputs: inout Outputs) -> UInt64? {
        guard var job = erasures.first, job.erasure.waitsForLog else { return nil }
        do {
            if try !queue.emptyLog(for: &job.erasure) {
                job.triesOfLog += 1
                guard job.triesOfLog == Self.triesOfLogMax else {
                    erasures[0] = job
                    return tick + Self.betweenTriesOfLog
                }
                job.erasure.giveUpLog()
            }
        } catch let error as StoreError {
            if error.isFatal { outputs.fatal = error }
            job.erasure.giveUpLog()
        } catch {
            preconditionFailure("the store threw \(error)")
        }
        erasures.removeFirst()
        outputs.goOn = outputs.goOn || !erasures.isEmpty
        outputs.replies.append((job.exchange, .erased(job.erasure.report)))
        outputs.log.append(words.erased(job.erasure.report, job.person, by: job.asker.who))
        return nil
    }

    /// The end is near: whoever waits asks the next process.
    func endErasures(_ outputs: inout Outputs) {
        outputs.replies += erasures.map { ($0.exchange, .refused(.stopping)) }
        erasures = []
    }

    /// The step was refused: whoever waits is told, and nothing more is tried.
    func giveUpErasure(_ outputs: inout Outputs) {
        guard !erasures.isEmpty else { return }
        outputs.replies.append((erasures.removeFirst().exchange, .storageFailed(.passing)))
    }
}

extension APIError {
    static let stopping = APIError(.unavailable, "outboxd is stopping; ask the next one", retryAfter: 2)
}
