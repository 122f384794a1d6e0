import CLinux
import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

/// Hears the log from one place on, each event once, over restarts of outboxd.
struct LogFollower {
    let client: Client
    /// The filters, as parameters.
    let query: [String]
    /// The last event heard; nil: all that are kept shall be.
    private(set) var after: Int64?
    var follows = true
    /// Nil: without limit.
    var deadline: ContinuousClock.Instant?
    /// Whether outboxd was there before: who is there no more is waited for, who never was is not.
    var hasConnected = false

    enum Ending { case end, stopped, timedOut }

    private static let quietMax = Duration.seconds(60)
    private static let firstWait = Duration.milliseconds(50)
    private static let longestWait = Duration.seconds(2)
    /// How long outboxd may be away before that is told, and told again.
    private static let silenceMax = Duration.seconds(5)
    private static let silenceAgain = Duration.seconds(60)

    init(_ client: Client, _ query: [String], after: Int64?) {
        self.client = client
        self.query = query
        self.after = after
    }

    /// `hear` gets every event and its line, and what tells of events no longer kept; `pause` is called when what has come was heard, with the number of the
    /// last event; either says whether to go on.
    mutating func run(
        _ hear: (JSONValue, ArraySlice<UInt8>) throws -> Bool, pause: (Int64?) throws -> Bool = { _ in true }
    ) throws -> Ending {
        var wait = Self.firstWait
        var goneSince: ContinuousClock.Instant?
        var tellAt: ContinuousClock.Instant?
        var wasTold = false
        while true {
            var lines = Lines()
            var problem: (any Error)?
            var goesOn = true
            let result = callAndHear(try nextRequest()) { piece in
                hasConnected = true
                if wasTold { complain("outboxctl: outboxd is back") }
                (wait, goneSince, tellAt, wasTold) = (Self.firstWait, nil, nil, false)
                do {
                    goesOn = try take(piece, &lines, hear) && pause(after)
                } catch {
                    problem = error
                    goesOn = false
                }
                return goesOn
            }
            if let problem { throw problem }
            if !goesOn { return .stopped }
            if !follows { return try ended(result) }
            if case .answered(let status, _, let body) = result, !(200...299).contains(status),
                status != 503 || !hasConnected
            {
                throw client.refused(status, try? JSONParser().parse(body))
            }
            if case .notSent(let text) = result, !hasConnected { throw client.notRunning(text) }
            let now = ContinuousClock.now
            if let deadline, now >= deadline { return .timedOut }
            goneSince = goneSince ?? now
            if now >= tellAt ?? ((goneSince ?? now) + Self.silenceMax) {
                complain("outboxctl: \(reason(of: result)); waiting for it, will go on \(place)")
                tellAt = now + Self.silenceAgain
                wasTold = true
            }
            pauseFor(deadline.map { min(wait, $0 - now) } ?? wait)
            wait = min(wait * 2, Self.longestWait)
        }
    }

    /// It may be there and have no room.
    private func reason(of result: HTTPResult) -> String {
        guard case .answered(_, _, let body) = result,
            let message = (try? JSONParser().parse(body))?["error"]?["message"]?.string
        else { return "outboxd is gone" }
        return "outboxd says: \(message)"
    }

    private func ended(_ result: HTTPResult) throws -> Ending {
        switch result {
        case .answered(200...299, _, _): return .end
        case .answered(let status, _, let body): throw client.refused(status, try? JSONParser().parse(body))
        case .notSent(let text): throw client.notRunning(text)
        case .broken(let text):
            complain("outboxctl: outboxd broke off \(place): \(text)")
            throw ExitStatus.failed
        }
    }

    private var place: String { after.map { "after event \($0)" } ?? "from the beginning" }

    private func nextRequest() throws -> OutgoingRequest {
        let words = query + (after.map { ["after=\($0)"] } ?? []) + (follows ? ["follow=true"] : [])
        var request = client.request("GET", "/v1/events?\(words.joined(separator: "&"))")
        request.quietMax = Self.quietMax
        let left = deadline.map { max($0 - .now, .milliseconds(1)) }
        request.timeout = left ?? .zero
        return request
    }

    private mutating func take(
        _ piece: [UInt8], _ lines: inout Lines, _ hear: (JSONValue, ArraySlice<UInt8>) throws -> Bool
    ) throws -> Bool {
        lines.add(piece)
        while let line = lines.next() {
            // An empty one says that there is nothing new.
            if line.isEmpty { continue }
            let event = try JSONParser().parse(line)
            // A gap has no place of its own: what is left of it follows.
            if event["event"]?.string != "log.gap" {
                guard let sequence = event["seq"]?.integer, sequence > after ?? 0 else { continue }
                after = sequence
            }
            if try !hear(event, line) { return false }
        }
        return true
    }

    private func pauseFor(_ span: Duration) {
        let (seconds, attoseconds) = span.components
        guard seconds >= 0, attoseconds >= 0 else { return }
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&time, nil)
    }
}

/// Cuts what comes in pieces into lines.
private struct Lines {
    private var bytes: [UInt8] = []
    private var start = 0

    mutating func add(_ piece: [UInt8]) {
        bytes.removeFirst(start)
        start = 0
        bytes += piece
    }

    /// The next whole line, without its end.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = bytes[start...].firstIndex(of: 0x0A) else { return nil }
        defer { start = end + 1 }
        return bytes[start..<end]
    }
}
