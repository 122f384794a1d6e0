import CCurl
import OutboxSystem

/// When a request may be written.
package struct HTTPPlace: Sendable {
    /// Not before that moment of the steady clock.
    var moment: UInt64
    /// Those of a lane wait for a connection before they are begun.
    var lane: HTTPLane?

    package init(moment: UInt64 = 0, lane: HTTPLane? = nil) {
        self.moment = moment
        self.lane = lane
    }
}

/// Requests that keep their distance: their moments are right in themselves, and when some are begun late, for want of
/// a connection, those behind do not catch up on them.
package struct HTTPLane: Sendable {
    var id: Int64
    /// Nanoseconds from one to the next.
    var interval: UInt64
    /// So many may be written at once after a pause.
    var burst: UInt64
    /// Nanoseconds behind its moment after which a request is not begun any more, but ends as not sent.
    var waitMax: UInt64

    package init(id: Int64, interval: UInt64, burst: UInt64, waitMax: UInt64 = .max) {
        self.waitMax = waitMax
        self.id = id
        self.interval = interval
        self.burst = max(burst, 1)
    }
}

/// A request on its way; whoever sends it adds what it wants back.
class HTTPJob: @unchecked Sendable {
    let request: OutgoingRequest
    let place: HTTPPlace

    init(_ request: OutgoingRequest, _ place: HTTPPlace) {
        self.request = request
        self.place = place
    }

    /// It has waited too long for a connection to be begun.
    func isOverdue(_ now: UInt64) -> Bool {
        guard let lane = place.lane, now > place.moment else { return false }
        return now - place.moment > lane.waitMax
    }
}

/// What `HTTPClient` does, for any kind of context: the thread that owns libcurl's handles.
final class HTTPEngine: Sendable {
    struct End {
        var job: HTTPJob
        var result: HTTPResult
        /// From the moment it was begun; nil when it was not.
        var took: Duration?
    }

    private enum Order: Sendable {
        case send(HTTPJob)
        /// Call it when its turn comes.
        case call(@Sendable () -> Void)
        /// Break off what is still under way, report it, and end.
        case abandon
        /// End when nothing is under way.
        case finish
    }

    private let mailbox: Mailbox<Order>
    private let ended: Bell
    private let thread: Thread

    init(name: String, connectionsMax: Int, completed: @escaping @Sendable ([End]) -> Void) {
        curl_global_init(Int(CURL_GLOBAL_ALL))
        let multi = MultiHandle(connectionsMax: connectionsMax)
        let mailbox = Mailbox<Order> { multi.wake() }
        let ended = Bell()
        self.mailbox = mailbox
        self.ended = ended
        thread = Thread(name) {
            var loop = Loop(multi: multi, connectionsMax: connectionsMax, completed: completed)
            loop.run(mailbox)
            ended.ring()
        }
    }

    func send(_ jobs: [HTTPJob]) { mailbox.post(jobs.map(Order.send)) }

    func call(_ body: @escaping @Sendable () -> Void) { mailbox.post(.call(body)) }

    func finish(within patience: Duration) {
        mailbox.post(.finish)
        if !ended.wait(milliseconds: Int32(clamping: patience.inMilliseconds)) { mailbox.post(.abandon) }
        thread.join()
    }

    /// What the thread knows.
    private struct Loop {
        let multi: MultiHandle
        let connectionsMax: Int
        let completed: ([End]) -> Void
        var underWay: [UnsafeMutableRawPointer: (transfer: Transfer, job: HTTPJob, begun: UInt64)] = [:]
        /// By moment, the next one last.
        var later: [(job: HTTPJob, moment: UInt64)] = []
        /// By lane: when all it has written is paid for, one interval each (GCRA, ITU-T I.371).
        var lanes: [Int64: UInt64] = [:]
        /// When somebody last waited for a connection.
        var lastFull: UInt64 = 0
        /// Handles whose last transfer went well, for the next ones.
        var idle: [Transfer] = []
        var finishing = false

        /// Each holds some 10 KB.
        static let idleMax = 64

        init(multi: MultiHandle, connectionsMax: Int, completed: @escaping ([End]) -> Void) {
            self.multi = multi
            self.connectionsMax = connectionsMax
            self.completed = completed
        }

        /// Nil while nothing can be begun but when something ends.
        private var nextMoment: UInt64? {
            guard let next = later.last else { return nil }
            return next.job.place.lane != nil && underWay.count >= connectionsMax ? nil : next.moment
        }

        var isDone: Bool { finishing && underWay.isEmpty && later.isEmpty }

        mutating func run(_ mailbox: Mailbox<Order>) {
            while !isDone {
                for order in mailbox.take() { obey(order) }
                var ends: [End] = []
                beginDue(&ends)
                takeEnded(&ends)
                if !ends.isEmpty {
                    completed(ends)
                } else if !isDone {
                    multi.wait(anyUnderWay: !underWay.isEmpty, until: nextMoment)
                }
            }
        }

        private mutating func obey(_ order: Order) {
            switch order {
            case .send(let job): put(job, job.place.moment)
            case .call(let body): body()
            case .finish: finishing = true
            case .abandon:
                var ends = later.map { End(job: $0.job, result: .notSent("not begun before the end")) }
                later = []
                ends += underWay.values.map { entry in
                    multi.remove(entry.transfer)
                    return End(job: entry.job, result: entry.transfer.result(CURLE_ABORTED_BY_CALLBACK))
                }
                underWay = [:]
                if !ends.isEmpty { completed(ends) }
                finishing = true
            }
        }

        private mutating func beginDue(_ ends: inout [End]) {
            guard !later.isEmpty else { return }
            let now = steadyNanoseconds()
            while let (job, moment) = later.last, moment <= now {
                if job.place.lane != nil, underWay.count >= connectionsMax {
                    lastFull = now
                    return endOverdue(now, &ends)
                }
                later.removeLast()
                if job.isOverdue(now) {
                    ends.append(Self.overdue(job))
                } else if let open = enter(job, moment, now) {
                    put(job, open)
                } else if let problem = Transfer.problem(job.request) {
                    ends.append(End(job: job, result: .notSent(problem)))
                } else if let transfer = idle.popLast() ?? Transfer(), transfer.begin(job.request), multi.add(transfer)
                {
                    underWay[transfer.easy] = (transfer, job, now)
                } else {
                    ends.append(End(job: job, result: Transfer.notMade))
                }
            }
        }

        private static func overdue(_ job: HTTPJob) -> End {
            End(job: job, result: .notSent("no connection became free in time"))
        }

        /// Those that have waited too long for a connection.
        private mutating func endOverdue(_ now: UInt64, _ ends: inout [End]) {
            guard let next = later.last, next.job.isOverdue(now) else { return }
            ends += later.filter { $0.job.isOverdue(now) }.map { Self.overdue($0.job) }
            later.removeAll { $0.job.isOverdue(now) }
        }

        private mutating func put(_ job: HTTPJob, _ moment: UInt64) {
            let place = later.lastIndex { $0.moment > moment }.map { $0 + 1 } ?? 0
            later.insert((job, moment), at: place)
        }

        /// Counts a request in its lane; or answers when that has room for it.
        private mutating func enter(_ job: HTTPJob, _ moment: UInt64, _ now: UInt64) -> UInt64? {
            guard let lane = job.place.lane else { return nil }
            let paid = lanes[lane.id] ?? 0
            let open = paid - min(paid, (lane.burst - 1) * lane.interval)
            if open > now { return open }
            // What only the timer's grain made late keeps its moment.
            lanes[lane.id] = max(paid, moment < lastFull ? now : moment) + lane.interval
            return nil
        }

        private mutating func takeEnded(_ ends: inout [End]) {
            let ended = multi.perform()
            guard !ended.isEmpty else { return }
            let now = steadyNanoseconds()
            for (easy, code) in ended {
                guard let entry = underWay.removeValue(forKey: easy) else { continue }
                multi.remove(entry.transfer)
                ends.append(
                    End(job: entry.job, result: entry.transfer.result(code), took: .nanoseconds(now - entry.begun)))
                if code == CURLE_OK, idle.count < Self.idleMax { idle.append(entry.transfer) }
            }
        }
    }
}

/// libcurl's multi handle. Everything but `wake` belongs to one thread.
private final class MultiHandle: @unchecked Sendable {
    private let multi: UnsafeMutableRawPointer

    init(connectionsMax: Int) {
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl gave no multi handle") }
        self.multi = multi
        _ = ob_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connectionsMax)
        _ = ob_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connectionsMax)
        _ = ob_curl_multi_set_long(multi, CURLMOPT_PIPELINING, 0)
    }

    deinit { curl_multi_cleanup(multi) }

    func wake() { curl_multi_wakeup(multi) }

    /// False when libcurl lacks memory for it.
    func add(_ transfer: Transfer) -> Bool { curl_multi_add_handle(multi, transfer.easy) == CURLM_OK }

    func remove(_ transfer: Transfer) { curl_multi_remove_handle(multi, transfer.easy) }

    /// Goes on with every transfer and answers the ended ones.
    func perform() -> [(UnsafeMutableRawPointer, CURLcode)] {
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
        var ended: [(UnsafeMutableRawPointer, CURLcode)] = []
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            if message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle {
                ended.append((easy, message.pointee.data.result))
            }
        }
        return ended
    }

    /// Sleeps until a socket, a timer of libcurl's, that moment of the steady clock, or `wake`.
    func wait(anyUnderWay: Bool, until moment: UInt64?) {
        var milliseconds: UInt64 = anyUnderWay ? 1000 : 3_600_000
        if let moment {
            milliseconds = min(milliseconds, UInt64(pollTimeout(untilTick: moment)))
        }
        curl_multi_poll(multi, nil, 0, Int32(milliseconds), nil)
    }
}
