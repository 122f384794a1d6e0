import OutboxCore
import OutboxJSON
import OutboxStore

/// What was promised and what was seen, and whether the two agree. Knows what callers, Meta and readers of the log
/// see, and nothing of how it comes about.
struct History {
    struct Known {
        var state: MessageState
        var at: Int64
        var attempt: Int64
    }

    /// What a caller was promised, by the number it gave the message.
    private(set) var promised: [Int: MessageID] = [:]
    /// Where the log says that each message stands.
    private(set) var known: [MessageID: Known] = [:]
    /// Messages an operator or a caller sent again by name.
    private(set) var forced: Set<MessageID> = []
    /// What Meta told of each message.
    private var heard: [String: Set<String>] = [:]
    private(set) var problems: [String] = []
    /// Of all that happened, for telling two runs apart.
    private(set) var digest: UInt64 = 14_695_981_039_346_656_037
    private var readUpTo: Int64 = 0
    private var cursors: [String: Int64] = [:]

    mutating func problem(_ text: String) { if problems.count < 20 { problems.append(text) } }

    mutating func note(_ numbers: Int64...) {
        for number in numbers {
            digest = (digest ^ UInt64(bitPattern: number)) &* 1_099_511_628_211
        }
    }

    mutating func accepted(_ number: Int, as id: MessageID) {
        if let before = promised[number], before != id { problem("call \(number) is \(before) and \(id)") }
        promised[number] = id
    }

    /// Meta told it, and was answered that it is stored.
    mutating func told(_ report: String, of message: String) { heard[message, default: []].insert(report) }

    /// Answered: a reader of the log is done with everything up to there.
    mutating func moved(_ cursor: String, to position: Int64) { cursors[cursor] = position }

    mutating func sentAgain(_ id: MessageID) { forced.insert(id) }

    // MARK: The log

    /// Reads on where it ended last time, as a subscriber does.
    mutating func follow(_ log: LogReader, at moment: Int64, _ each: (LoggedEvent) throws -> Void) throws {
        while case let events = try log.events(after: readUpTo, limit: 500, account: 1), let last = events.last {
            for event in events {
                take(event, moment)
                try each(event)
            }
            readUpTo = last.sequence
        }
    }

    private mutating func take(_ event: LoggedEvent, _ moment: Int64) {
        guard let message = event.message else { return note(event.sequence, event.kind.rawValue) }
        note(event.sequence, message.id.rawValue, message.state.rawValue, message.attempt)
        let new = Known(state: message.state, at: moment, attempt: message.attempt)
        if let old = known[message.id] {
            if !Self.mayFollow(old.state, new.state) {
                problem("message \(message.id) went from \(old.state) to \(new.state) at event \(event.sequence)")
            }
            if new.attempt < old.attempt { problem("message \(message.id) lost an attempt") }
        } else if new.state != .queued, new.state != .scheduled {
            problem("message \(message.id) began as \(new.state)")
        }
        known[message.id] = new
    }

    /// Forwards, and the corrections the design names.
    static func mayFollow(_ old: MessageState, _ new: MessageState) -> Bool {
        if old == new { return true }
        switch (old, new) {
        case (.scheduled, .queued), (.scheduled, .cancelled), (.scheduled, .failed): return true
        case (.queued, _): return new != .scheduled
        case (.processing, .retrying), (.processing, .sent), (.processing, .delivered), (.processing, .read),
            (.processing, .failed):
            return true
        case (.retrying, _): return new != .scheduled && new != .processing
        case (.sent, .delivered), (.sent, .read), (.sent, .failed), (.delivered, .read): return true
        // A late success corrects a failure; an explicit retry queues it again.
        case (.failed, .queued), (.failed, .sent), (.failed, .delivered), (.failed, .read): return true
        default: return false
        }
    }

    // MARK: Against the file

    mutating func compareCursors(_ reader: QueueReader) throws {
        for (name, position) in cursors {
            let found = try reader.cursor(name, account: 1)?.position ?? -1
            if found < position { problem("cursor \(name) went back from \(position) to \(found)") }
        }
    }

    /// Everything promised is there, and is what the log says; `pruned` tells what may have gone.
    mutating func compare(_ reader: QueueReader, codec: IDCodec, pruned: (Known) -> Bool) throws {
        for (number, id) in promised.sorted(by: { $0.key < $1.key }) {
            guard let message = try reader.message(id, account: 1) else {
                if let last = known[id], pruned(last) { continue }
                problem("call \(number) was accepted as \(id), which is gone")
                continue
            }
            if let last = known[id], last.state != message.state {
                problem("\(id) is \(message.state), the log says \(last.state)")
            }
        }
    }

    /// One message for a call, however often it was repeated, and none that nobody asked for.
    private mutating func countCalls(_ reader: QueueReader, isBroadcast: (StoredMessage) -> Bool) throws {
        let parser = JSONParser()
        var filter = ListFilter()
        filter.limit = 200
        var seen: Set<Int64> = []
        while true {
            let page = try reader.list(filter, account: 1)
            for message in page.messages where !isBroadcast(message) {
                guard let number = try message.metadata.flatMap({ try parser.parse($0)["n"]?.integer }) else {
                    problem("\(message.id) is nobody's")
                    continue
                }
                if !seen.insert(number).inserted { problem("call \(number) made two messages") }
                if promised[Int(number)] != message.id { problem("\(message.id) was never told to call \(number)") }
            }
            guard let next = page.next else { return }
            filter.before = next
        }
    }

    /// At the end, when nothing more happens: all have ended, or wait for a reason that has a name.
    mutating func settle(
        _ reader: QueueReader, posts: [SimulatedMeta.Post], codec: IDCodec, isBroadcast: (StoredMessage) -> Bool
    ) throws {
        var copies: [String: Int] = [:]
        var seen: Set<String> = []
        for post in posts {
            if !seen.insert(post.opaque).inserted { problem("attempt \(post.opaque) was posted twice") }
            if post.accepted { copies[String(post.opaque.split(separator: ".")[0]), default: 0] += 1 }
        }
        try countCalls(reader, isBroadcast: isBroadcast)
        for id in promised.values {
            guard let message = try reader.message(id, account: 1) else { continue }
            let arrived = copies[codec.text(id)] ?? 0
            switch message.state {
            case .sent, .delivered, .read:
                if arrived == 0 { problem("\(id) is \(message.state) and never got to Meta") }
            case .failed, .cancelled: break
            case .processing:
                if !message.outcomeUnknown { problem("\(id) is on its way for ever") }
            case .scheduled, .queued, .retrying:
                problem("\(id) still is \(message.state), it waits at \(message.waitsAt?.name ?? "nothing")")
            }
            let heard = heard[codec.text(id)] ?? []
            if heard.contains("read")
                ? message.state != .read : heard.contains("delivered") && message.state != .delivered
            {
                problem("\(id) is \(message.state), Meta told \(heard.sorted())")
            }
            if heard == ["sent"], arrived == 1, message.state == .failed, !forced.contains(id) {
                problem("\(id) is failed by \(message.failure?.code ?? "?"), Meta told that it was sent")
            }
            // Held means held: a second copy takes a policy or a person that wanted it.
            if arrived > 1, message.onUnknown == .hold || message.onUnknown == .fail, !forced.contains(id) {
                problem("\(id) was held and went out \(arrived) times")
            }
        }
    }
}
