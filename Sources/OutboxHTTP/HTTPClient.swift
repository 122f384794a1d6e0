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

    /// A request with what its sender wants back.
    private final class ContextJob: HTTPJob, @unchecked Sendable {
        let context: Context

        init(_ request: OutgoingRequest, _ context: Context, _ place: HTTPPlace) {
            self.context = context
            super.init(request, place)
        }
    }

    private let engine: HTTPEngine

    /// `connectionsMax` open at a time, idle ones included.
    package init(name: String, connectionsMax: Int, completed: @escaping @Sendable ([Completion]) -> Void) {
        engine = HTTPEngine(name: name, connectionsMax: connectionsMax) { ends in
            completed(
                ends.map { end in
                    // All its jobs were made here.
                    let job = unsafeDowncast(end.job, to: ContextJob.self)
                    return Completion(context: job.context, result: end.result, took: end.took)
                })
        }
    }

    package func send(_ requests: [(OutgoingRequest, Context)]) {
        engine.send(requests.map { ContextJob($0.0, $0.1, HTTPPlace()) })
    }

    /// Each at its place, once a connection is free for it.
    package func send(_ requests: [(OutgoingRequest, Context, HTTPPlace)]) {
        engine.send(requests.map { ContextJob($0.0, $0.1, $0.2) })
    }

    /// Calls `body` on the client's thread, as a sign that it goes on.
    package func call(_ body: @escaping @Sendable () -> Void) { engine.call(body) }

    /// Waits until nothing is under way, then ends; what is still under way by then is broken off and reported so.
    package func finish(within patience: Duration) { engine.finish(within: patience) }
}

/// One request, and wait for its end; for tools and tests.
package func callAndWait(_ request: OutgoingRequest) -> HTTPResult {
    curl_global_init(Int(CURL_GLOBAL_ALL))
    if let problem = Transfer.problem(request) { return .notSent(problem) }
    guard let transfer = Transfer(), transfer.begin(request) else { return Transfer.notMade }
    return transfer.result(curl_easy_perform(transfer.easy))
}

/// One request whose answer is heard piece by piece, as it comes, until its end or until `hear` says no; then the
/// result is `broken`. The first piece is empty: the answer has begun. An answer that is no 2xx is not heard but stands in the result.
package func callAndHear(_ request: OutgoingRequest, _ hear: ([UInt8]) -> Bool) -> HTTPResult {
    curl_global_init(Int(CURL_GLOBAL_ALL))
    if let problem = Transfer.problem(request) { return .notSent(problem) }
    return withoutActuallyEscaping(hear) { hear in
        guard let transfer = Transfer(), transfer.begin(request, hear: hear) else { return Transfer.notMade }
        return transfer.result(curl_easy_perform(transfer.easy))
    }
}
