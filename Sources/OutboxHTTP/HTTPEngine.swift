import CCurl
import OutboxSystem

/// A request on its way; whoever sends it adds what it wants back.
class HTTPJob: @unchecked Sendable {
    let request: OutgoingRequest
    /// Not before that moment of the steady clock.
    let moment: UInt64

    init(_ request: OutgoingRequest, notBefore moment: UInt64) {
        self.request = request
        self.moment = moment
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
            var loop = Loop(multi: multi, completed: completed)
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
        let completed: ([End]) -> Void
        var underWay: [UnsafeMutableRawPointer: (transfer: Transfer, job: HTTPJob, begun: UInt64)] = [:]
        /// By moment, the next one last.
        var later: [HTTPJob] = []
        /// Handles whose last transfer went well, for the next ones.
        var idle: [Transfer] = []
        var finishing = false

        /// Each holds some 10 KB.
        static let idleMax = 64

        init(multi: MultiHandle, completed: @escaping ([End]) -> Void) {
            self.multi = multi
            self.completed = completed
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
                    multi.wait(anyUnderWay: !underWay.isEmpty, until: later.last?.moment)
                }
            }
        }

        private mutating func obey(_ order: Order) {
            switch order {
            case .send(let job):
                let place = later.lastIndex { $0.moment > job.moment }.map { $0 + 1 } ?? 0
                later.insert(job, at: place)
            case .call(let body): body()
            case .finish: finishing = true
            case .abandon:
                var ends = later.map { End(job: $0, result: .notSent("not begun before the end")) }
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
            while let next = later.last, next.moment <= now {
                later.removeLast()
                if let problem = Transfer.problem(next.request) {
                    ends.append(End(job: next, result: .notSent(problem)))
                    continue
                }
                guard let transfer = idle.popLast() ?? Transfer(), transfer.begin(next.request), multi.add(transfer)
                else {
                    ends.append(End(job: next, result: Transfer.notMade))
                    continue
                }
                underWay[transfer.easy] = (transfer, next, now)
            }
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
