import OutboxAPI
import OutboxCore
import OutboxMeta
import OutboxStore

/// Messages people send.
extension WriterStep {
    /// Opens the window, keeps the message, and tells the log of it once.
    func apply(_ message: InboundMessage, _ now: Timestamp) throws -> [LogLine] {
        let lines = queue.lines(ofNumber: message.phoneNumberID)
        if lines.isEmpty { queue.count(.foreignMessages) }
        var log: [LogLine] = []
        for line in lines {
            try openWindow(message, line, now)
            guard let kept = try queue.keep(message, line: line, now: now) else {
                queue.count(.repeatedMessages)
                continue
            }
            queue.count(.messages)
            try keepKeyword(message, line, now)
            let ids = queue.codec.ids(of: kept)
            try queue.tell(kept, line: line, detail: kept.eventData(ids, parser: parser), now: now)
            log.append(words.received(kept, id: ids.message))
            log += try autoReply(to: message, kept: kept, line: line, now)
        }
        return log
    }

    private func openWindow(_ message: InboundMessage, _ line: Int64, _ now: Timestamp) throws {
        // A message to a group, or one without its time, opens no window.
        let number = message.from ?? message.payload.waID
        guard !message.isGroup, let at = message.at, let from = number ?? message.userID else { return }
        // One person under two names: next time one of them may be missing.
        if let number, let userID = message.userID {
            try queue.learn(
                userID, is: number, account: queue.line(line)?.account ?? Account.defaultID, now: now)
        }
        try queue.received(from: from, by: line, at: at, adClick: message.isAdClick, now: now)
    }
}
