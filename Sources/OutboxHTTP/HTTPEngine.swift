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
        let bell = Bell()
        let multi = MultiHandle(connectionsMax: connectionsMax, bell: bell)
        let mailbox = Mailbox<Order>(bell: bell)
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
        /// Each transfer knows its place.
        var underWay: [(transfer: Transfer, job: HTTPJob, begun: UInt64)] = []
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
                takeEnded(multi.goOn(), &ends)
                if ends.isEmpty, !isDone {
                    takeEnded(multi.wait(anyUnderWay: !underWay.isEmpty, until: nextMoment), &ends)
                }
                if !ends.isEmpty { completed(ends) }
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
                breakOff(CURLE_ABORTED_BY_CALLBACK, &ends)
                if !ends.isEmpty { completed(ends) }
                finishing = true
            }
        }

        /// Ends everything under way.
        private mutating func breakOff(_ code: CURLcode, _ ends: inout [End]) {
            ends += underWay.map { entry in
                multi.remove(entry.transfer)
                return End(job: entry.job, result: entry.transfer.result(code))
            }
            underWay = []
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
                } else if let transfer = idle.popLast() ?? Transfer(multi.sockets), transfer.begin(job.request),
                    multi.add(transfer)
                {
                    transfer.place = underWay.count
                    underWay.append((transfer, job, now))
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

        /// Behind those of the same moment.
        private mutating func put(_ job: HTTPJob, _ moment: UInt64) {
            var range = 0..<later.count
            while let middle = range.isEmpty ? nil : (range.lowerBound + range.upperBound) / 2 {
                range = later[middle].moment > moment ? middle + 1..<range.upperBound : range.lowerBound..<middle
            }
            later.insert((job, moment), at: range.lowerBound)
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

        /// `isWhole`: libcurl could go on with all that are left.
        private mutating func takeEnded(_ isWhole: Bool, _ ends: inout [End]) {
            takeEnded(&ends)
            guard !isWhole else { return }
            breakOff(CURLE_OUT_OF_MEMORY, &ends)
            multi.startAnew()
        }

        private mutating func takeEnded(_ ends: inout [End]) {
            guard var ended = multi.nextEnded() else { return }
            let now = steadyNanoseconds()
            while true {
                let (transfer, code) = ended
                let (_, job, begun) = underWay[transfer.place]
                underWay[transfer.place] = underWay[underWay.count - 1]
                underWay[transfer.place].transfer.place = transfer.place
                underWay.removeLast()
                multi.remove(transfer)
                ends.append(End(job: job, result: transfer.result(code), took: .nanoseconds(now - begun)))
                if code == CURLE_OK, idle.count < Self.idleMax { idle.append(transfer) }
                guard let next = multi.nextEnded() else { return }
                ended = next
            }
        }
    }
}
