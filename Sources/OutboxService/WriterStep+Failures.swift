import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What becomes of operations that were not stored.
extension WriterStep {
    /// One operation was undone; the others hold.
    func refused(_ operation: Operation, _ error: StoreError, _ outputs: inout Outputs) {
        outputs.log.append(LogLine(.error, .writeRefused, "a write was refused: \(error)"))
        switch operation {
        case .input(let input):
            if let exchange = input.exchange { outputs.replies.append((exchange, .storageFailed(error.trouble))) }
            if case .callbacks(let report) = input {
                outputs.recordedReports[report.subscription, default: 0] += 1
                outputs.changedSubscriptions.append(report.subscription)
            }
        case .apply(let news):
            // The raw call stays on disk, marked, and Meta was told 200 for it already.
            let marked = queue.together(1) { _ in try queue.keepWebhook(news.id, problem: "\(error)") }
            if case .nothing(let second) = marked {
                unmarked.append(news)
                outputs.wake = Timestamp(milliseconds: 0)
                if second.isFatal, !second.isConstraint { outputs.fatal = second }
            }
        case .erase: giveUpErasure(&outputs)
        case .clock, .breakers, .feed, .claim, .prune:
            // What it met it will meet again: not at once.
            outputs.goOn = false
            outputs.wake = Timestamp(milliseconds: 0)
        }
    }

    /// Nothing of the turn is stored: nobody is told otherwise, and what must not be lost is kept for the next one.
    func failed(
        _ operations: [Operation], _ error: StoreError, _ now: Timestamp, _ outputs: inout Outputs
    ) {
        for operation in operations {
            switch operation {
            case .input(let input) where input.comesOnce: unrecorded.append(input)
            case .input(let input):
                if let exchange = input.exchange {
                    outputs.replies.append((exchange, .storageFailed(error.trouble)))
                }
            case .apply(let news): toApply.append(news)
            case .clock, .breakers, .feed, .claim, .prune, .erase: break
            }
        }
        feedRests = true
        outputs.log.append(LogLine(.error, .writeFailed, "nothing could be written: \(error)"))
        outputs.wake = now + Self.retryAfterFailure
        if error.isFatal { outputs.fatal = error }
    }
}

extension StoreError {
    fileprivate var trouble: StorageTrouble { isFull ? .full : isPassing || isConstraint ? .passing : .unsure }
}
