import OutboxCore
import OutboxStore
import Testing

/// Meta's statuses come in any order, repeated, before and after our own commit of its answer.
@Suite struct PermutationTests {
    private static let reports: [Report] = [.sent, .delivered, .read, .failed]

    /// `read` says most, then `delivered`, then `failed`.
    private static func expected(_ heard: Set<Report>) -> MessageState {
        if heard.contains(.read) { return .read }
        if heard.contains(.delivered) { return .delivered }
        return heard.contains(.failed) ? .failed : .sent
    }

    /// Every sequence of four statuses with repetition, the answer's commit at each place among them, with and
    /// without our opaque id.
    @Test(arguments: 0..<5) func theEndIsTheSame(_ place: Int) throws {
        let bench = try Bench()
        try bench.setTier(.unlimited)
        for sequence in 0..<256 {
            for opaque in [true, false] {
                let order = (0..<4).map { Self.reports[sequence >> (2 * $0) & 3] }
                let wamid = "wamid.\(sequence).\(opaque)"
                let id = try bench.submit("1415\(opaque ? 1 : 2)\(100_000 + sequence)")
                let attempt = try #require(try bench.claim().first)
                try bench.run { queue in
                    for index in 0...4 {
                        if index == place {
                            _ = try queue.record(
                                .accepted(wamid: wamid), attempt, now: bench.now, chance: &bench.dice)
                        }
                        guard index < 4 else { break }
                        let status = StatusReport(
                            phoneNumberID: "106", wamid: wamid, opaque: opaque ? attempt.opaque : nil,
                            report: order[index], at: bench.now, failure: nil)
                        _ = try queue.apply(status, now: bench.now)
                    }
                }
                let message = try bench.message(id)
                #expect(message.state == Self.expected(Set(order)), "\(order) with the answer at \(place)")
                #expect(message.wamid == wamid && message.sentAt != nil)
            }
        }
        #expect(try bench.queue.disagreements(nothingRemoved: true) == [])
    }
}
