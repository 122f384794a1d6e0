import CCurl
import OutboxSystem

/// Sends requests over many kept-alive connections, on a thread of its own.
///
/// Every request ends exactly once, in the batch handed to `completed` on the client's thread.
package final class HTTPClient<Context: Sendable>: Sendable {
    package struct Completion: Sendable {
        package var context: Context
        package var result: HTTPResult
        /// From the moment it was begun; nil when it was not.
        package var took: Duration?
    }

    private enum Order: Sendable {
        /// Not before that moment of the steady clock.
        case send(OutgoingRequest, Context, notBefore: UInt64)
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

    /// `connectionsMax` open at a time, idle ones included.
    package init(name: String, connectionsMax: Int, completed: @escaping @Sendable ([Completion]) -> Void) {
        curl_global_init(Int(CURL_GLOBAL_ALL))
        let multi = MultiHandle(connectionsMax: connectionsMax)
        let mailbox = Mailbox<Order> { multi.wake() }
        let ended = Bell()
        self.mailbox = mailbox
        self.ended = ended
        thread = Thread(name) {
            Self.run(multi, mailbox, completed)
            ended.ring()
        }
    }

    package func send(_ requests: [(OutgoingRequest, Context)]) {
        mailbox.post(requests.map { .send($0.0, $0.1, notBefore: 0) })
    }

    /// Each not before its moment of the steady clock.
    package func send(_ requests: [(OutgoingRequest, Context, notBefore: UInt64)]) {
        mailbox.post(requests.map { .send($0.0, $0.1, notBefore: $0.notBefore) })
    }

    /// Calls `body` on the client's thread, as a sign that it goes on.
    package func call(_ body: @escaping @Sendable () -> Void) { mailbox.post(.call(body)) }

    /// Waits until nothing is under way, then ends; what is still under way by then is broken off and reported so.
    package func finish(within patience: Duration) {
        mailbox.post(.finish)
        if !ended.wait(milliseconds: Int32(clamping: patience.inMilliseconds)) { mailbox.post(.abandon) }
        thread.join()
    }

    private static func run(
        _ multi: MultiHandle, _ mailbox: Mailbox<Order>, _ completed: ([Completion]) -> Void
    ) {
        var underWay: [UnsafeMutableRawPointer: (transfer: Transfer, context: Context, begun: UInt64)] = [:]
        // By moment, the next one last.
        var later: [(request: OutgoingRequest, context: Context, moment: UInt64)] = []
        var finishing = false
        while !(finishing && underWay.isEmpty && later.isEmpty) {
            for order in mailbox.take() {
                switch order {
                case .send(let request, let context, let moment):
                    let place = later.lastIndex { $0.moment > moment }.map { $0 + 1 } ?? 0
                    later.insert((request, context, moment), at: place)
                case .call(let body): body()
                case .finish: finishing = true
                case .abandon:
                    var ends = later.map {
                        Completion(context: $0.context, result: .notSent("not begun before the end"))
                    }
                    later = []
                    ends += underWay.values.map { entry in
                        multi.remove(entry.transfer)
                        return Completion(
                            context: entry.context, result: entry.transfer.result(CURLE_ABORTED_BY_CALLBACK))
                    }
                    underWay = [:]
                    if !ends.isEmpty { completed(ends) }
                    finishing = true
                }
            }
            let now = steadyNanoseconds()
            var notBegun: [Completion] = []
            while let next = later.last, next.moment <= now {
                later.removeLast()
                if let problem = Transfer.problem(next.request) {
                    notBegun.append(Completion(context: next.context, result: .notSent(problem)))
                    continue
                }
                guard let transfer = Transfer(next.request), multi.add(transfer) else {
                    notBegun.append(Completion(context: next.context, result: Transfer.notMade))
                    continue
                }
                underWay[transfer.easy] = (transfer, next.context, now)
            }
            let ended = multi.perform()
            let end = ended.isEmpty ? 0 : steadyNanoseconds()
            let ends =
                notBegun
                + ended.compactMap { easy, code -> Completion? in
                    guard let entry = underWay.removeValue(forKey: easy) else { return nil }
                    multi.remove(entry.transfer)
                    return Completion(
                        context: entry.context, result: entry.transfer.result(code),
                        took: .nanoseconds(end - entry.begun))
                }
            if !ends.isEmpty {
                completed(ends)
            } else if !(finishing && underWay.isEmpty && later.isEmpty) {
                multi.wait(anyUnderWay: !underWay.isEmpty, until: later.last?.moment)
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

/// One request, and wait for its end; for tools and tests.
package func callAndWait(_ request: OutgoingRequest) -> HTTPResult {
    curl_global_init(Int(CURL_GLOBAL_ALL))
    if let problem = Transfer.problem(request) { return .notSent(problem) }
    guard let transfer = Transfer(request) else { return Transfer.notMade }
    return transfer.result(curl_easy_perform(transfer.easy))
}

/// One request whose answer is heard piece by piece, as it comes, until its end or until `hear` says no; then the
/// result is `broken`. The first piece is empty: the answer has begun. An answer that is no 2xx is not heard but stands in the result.
package func callAndHear(_ request: OutgoingRequest, _ hear: ([UInt8]) -> Bool) -> HTTPResult {
    curl_global_init(Int(CURL_GLOBAL_ALL))
    if let problem = Transfer.problem(request) { return .notSent(problem) }
    return withoutActuallyEscaping(hear) { hear in
        guard let transfer = Transfer(request, hear: hear) else { return Transfer.notMade }
        return transfer.result(curl_easy_perform(transfer.easy))
    }
}
