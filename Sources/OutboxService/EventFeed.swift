import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// What the server is to do with answers that go on.
enum StreamOrder: Sendable {
    /// Nothing was begun: a whole answer instead.
    case refuse(Exchange, APIError)
    case begin(Exchange, HTTPResponse, endless: Bool)
    case piece(Exchange, [UInt8])
    case end(Exchange)
    /// It cannot be gone on with, and this shall not look like an end.
    case breakOff(Exchange)
}

/// Tells the log to all who read or follow it, each from its own place: one page to each, and the next when that was
/// taken. Knows neither threads nor clocks.
final class EventFeed {
    struct Limits {
        var followersMax = 64
        var ofOneUserMax = 16
        var pageEvents = 200
        var pageBytes = 128 << 10
        /// Events looked at for one follower before it is the next one's turn.
        var stretch: Int64 = 2000
        /// Somebody told nothing for so long is told that.
        var heartbeatNanoseconds: UInt64 = 15_000_000_000
    }

    enum Input: Sendable {
        case follow(Exchange, EventQuery, message: MessageID?, user: Int64?, account: Int64)
        /// What it was given has been taken.
        case drained(Exchange)
        case gone(Exchange)
        /// The log has grown.
        case grown(Int64)
    }

    struct Outputs {
        var orders: [StreamOrder] = []
        /// Take the next turn at once.
        var goOn = false
        /// Take it at this moment of the steady clock at the latest.
        var wakeTick: UInt64?
        var problem: String?
    }

    private struct Follower {
        let exchange: Exchange
        let user: Int64?
        let account: Int64
        let filter: LogFilter
        let format: EventQuery.Format
        /// Where it ends; nil: it follows.
        let last: Int64?
        var left: Int?
        /// Everything up to here was told, or is not for it.
        var position: Int64
        /// It has not taken the last piece yet.
        var isBusy = true
        /// What it begins with was told.
        var hasBegun = false
        /// Its end was ordered.
        var isOver = false
        var toldAt: UInt64

        /// It has had what it asked for.
        var hasAll: Bool { left == 0 || last.map { position >= $0 } ?? false }

        func isDue(_ end: Int64) -> Bool { !isBusy && (hasAll || position < end) }
    }

    private let limits: Limits
    private let reader: QueueReader
    private let log: LogReader
    private let parser = JSONParser()
    private var followers: [Follower] = []
    /// Where the log ends, as far as we heard.
    private var end: Int64 = 0
    private var prunedTo: Int64 = 0

    init(_ reader: QueueReader, limits: Limits = Limits()) throws {
        self.limits = limits
        self.reader = reader
        log = try LogReader(reader)
    }

    var hasFollowers: Bool { !followers.isEmpty }
    var followerCount: Int { followers.count }

    /// `tick`: the steady clock, in nanoseconds.
    func turn(_ inputs: [Input], tick: UInt64) -> Outputs {
        var outputs = Outputs()
        var asked: [Input] = []
        for input in inputs {
            switch input {
            case .follow: asked.append(input)
            case .drained(let exchange):
                if let index = followers.firstIndex(where: { $0.exchange == exchange }) {
                    followers[index].isBusy = false
                }
            case .gone(let exchange): followers.removeAll { $0.exchange == exchange }
            case .grown(let end): self.end = max(self.end, end)
            }
        }
        do {
            if !asked.isEmpty || followers.contains(where: { [end] in $0.isDue(end) }) {
                try reader.together { try tell(asked, tick, &outputs) }
            }
        } catch {
            // Whoever comes again is told the same reason until it is mended.
            outputs.problem = "the log could not be read: \(error)"
            for case .follow(let exchange, _, _, _, _) in asked {
                outputs.orders.append(
                    .refuse(exchange, APIError(.internalError, "the log could not be read; the journal says why")))
            }
            outputs.orders += followers.map { .breakOff($0.exchange) }
            followers = []
        }
        rest(tick, &outputs)
        return outputs
    }

    // MARK: Everything below sees the log as it stood at one moment

    private func tell(_ asked: [Input], _ tick: UInt64, _ outputs: inout Outputs) throws {
        let range = try log.range()
        end = range?.upperBound ?? 0
        prunedTo = max(try log.prunedTo(), (range?.lowerBound ?? 1) - 1)
        for case .follow(let exchange, let query, let message, let user, let account) in asked {
            do {
                try take(exchange, query, message, user, account, range, tick)
                let type = query.format == .lines ? "application/x-ndjson" : "text/event-stream"
                let head = HTTPResponse(
                    status: 200,
                    headers: [HTTPHeader("content-type", type), HTTPHeader("cache-control", "no-cache")])
                outputs.orders.append(.begin(exchange, head, endless: query.follow))
            } catch let error as APIError {
                outputs.orders.append(.refuse(exchange, error))
            }
        }
        for index in followers.indices where followers[index].isDue(end) {
            try tell(&followers[index], range, tick, &outputs)
        }
        followers.removeAll { $0.isOver }
    }

    private func take(
        _ exchange: Exchange, _ query: EventQuery, _ message: MessageID?, _ user: Int64?, _ account: Int64,
        _ range: ClosedRange<Int64>?, _ tick: UInt64
    ) throws {
        if followers.count >= limits.followersMax {
            throw APIError(.unavailable, "\(limits.followersMax) callers read the log already; try again later")
        }
        if followers.count(where: { $0.user == user }) >= limits.ofOneUserMax {
            throw APIError(.unavailable, "\(limits.ofOneUserMax) callers of this user read the log already")
        }
        if let line = query.line, try !reader.hasLine(named: line, account: account) {
            throw APIError.validation([FieldError("line", "there is no line \(line); see outboxctl line ls")])
        }
        if let message, try reader.message(message, account: account) == nil {
            throw APIError(.notFound, "there is no such message")
        }
        var filter = query.kinds.map { LogFilter(kinds: $0) } ?? LogFilter()
        filter.line = query.line
        filter.to = query.to?.text
        filter.message = message
        followers.append(
            Follower(
                exchange: exchange, user: user, account: account, filter: filter, format: query.format,
                last: query.follow ? nil : end,
                left: query.limit, position: try start(of: query, account, range), toldAt: tick))
    }

    private func start(of query: EventQuery, _ account: Int64, _ range: ClosedRange<Int64>?) throws -> Int64 {
        if let after = query.after {
            guard after <= end else {
                throw APIError.validation([FieldError("after", "lies beyond the end of the log: that is \(end)")])
            }
            return after
        }
        if let name = query.cursor {
            guard let cursor = try reader.cursor(name, account: account) else {
                throw APIError.validation(
                    [FieldError("cursor", "there is no cursor \(name); PUT /v1/cursors/\(name) makes it")])
            }
            return min(cursor.position, end)
        }
        return query.follow ? end : (range?.lowerBound ?? 1) - 1
    }

    private func tell(
        _ follower: inout Follower, _ range: ClosedRange<Int64>?, _ tick: UInt64, _ outputs: inout Outputs
    ) throws {
        let goal = min(follower.last ?? end, end)
        var piece = EventPiece(follower.format)
        // Once: what is removed while somebody reads on is told to who asks for it anew. A message is kept with all its
        // events.
        if !follower.hasBegun, follower.position < min(prunedTo, goal), follower.filter.message == nil {
            piece.addGap(from: follower.position + 1, to: prunedTo)
        }
        follower.hasBegun = true
        if let first = range?.lowerBound, follower.position + 1 < first, follower.position < goal {
            follower.position = first - 1
        }
        if follower.position < goal {
            let last = follower.filter.message == nil ? min(goal, follower.position + limits.stretch) : goal
            let wanted = min(limits.pageEvents, follower.left ?? .max)
            let events = try log.events(
                in: follower.position + 1...last, follower.filter, limit: wanted, account: follower.account)
            var told = 0
            for event in events where piece.bytes.count < limits.pageBytes {
                piece.add(event, reader.codec, parser)
                follower.position = event.sequence
                told += 1
            }
            if let left = follower.left { follower.left = left - told }
            if told == events.count, told < wanted { follower.position = last }
        }
        if !piece.bytes.isEmpty {
            outputs.orders.append(.piece(follower.exchange, piece.bytes))
            follower.isBusy = true
            follower.toldAt = tick
        }
        if follower.hasAll {
            outputs.orders.append(.end(follower.exchange))
            follower.isOver = true
        }
    }

    /// Who is behind goes on at once; who is not hears now and then that nothing is lost.
    private func rest(_ tick: UInt64, _ outputs: inout Outputs) {
        for index in followers.indices where !followers[index].isBusy {
            let follower = followers[index]
            if tick >= follower.toldAt + limits.heartbeatNanoseconds {
                outputs.orders.append(.piece(follower.exchange, EventPiece.heartbeat(follower.format)))
                followers[index].toldAt = tick
                followers[index].isBusy = true
            } else if follower.isDue(end) {
                outputs.goOn = true
            } else {
                let at = follower.toldAt + limits.heartbeatNanoseconds
                outputs.wakeTick = min(outputs.wakeTick ?? at, at)
            }
        }
    }
}
