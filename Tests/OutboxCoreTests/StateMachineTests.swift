import OutboxCore
import TestKit
import Testing

/// Every state × every fact, against a table written by hand.
@Suite struct StateMachineTests {
    /// The columns of the table. Where attempts were made, there were two.
    static let standings: [Standing] = [
        Standing(state: .scheduled), Standing(state: .queued), Standing(state: .queued, attempt: 2),
        Standing(state: .processing, attempt: 2), Standing(state: .processing, attempt: 2, outcomeUnknown: true),
        Standing(state: .retrying, attempt: 2), Standing(state: .sent, attempt: 2),
        Standing(state: .delivered, attempt: 2), Standing(state: .read, attempt: 2),
        Standing(state: .failed, attempt: 2, failedBy: .ours), Standing(state: .failed, attempt: 2, failedBy: .meta),
        Standing(state: .cancelled), Standing(state: .cancelled, attempt: 2),
    ]

    /// Small letters: moves there (t: retrying; R: read). `.`: noted. U: becomes unknown.
    /// Capitals: refused (L: too late, E: already ended, F: not failed, C: not claimable, N: not
    /// unknown).
    static let table: [(Fact, String)] = [
        //                                           S Q Q2 P PU T s d R fo fm X X2
        (.due, "q....q......."),
        (.claimed(attempt: 1), "CpCCCCCCCCCCC"),
        (.claimed(attempt: 2), "CCCCCCCCCCCCC"),
        (.claimed(attempt: 3), "CCpCCCCCCCCCC"),
        (.accepted(attempt: 0), "CCCCCCCCCCCCC"),
        (.accepted(attempt: 1), "CCs..s...s.C."),
        (.accepted(attempt: 2), "CCssss...s.C."),
        (.accepted(attempt: 3), "CCCCCCCCCCCCC"),
        (.refused(attempt: 1, final: true), "CC.........C."),
        (.refused(attempt: 2, final: true), "CC.ff......C."),
        (.refused(attempt: 2, final: false), "CC.tt......C."),
        (.refused(attempt: 3, final: true), "CCCCCCCCCCCCC"),
        (.outcomeUnknown(attempt: 1), "CC.........C."),
        (.outcomeUnknown(attempt: 2), "CC.U.......C."),
        (.outcomeUnknown(attempt: 3), "CCCCCCCCCCCCC"),
        (.settled(resend: true), "....t........"),
        (.settled(resend: false), "....f........"),
        (.resolved(.sent), "NNNNsNNNNNNNN"),
        (.resolved(.failed), "NNNNfNNNNNNNN"),
        (.resolved(.resend), "NNNNtNNNNNNNN"),
        (.reported(.sent, attempt: 1), "CCssss...s.C."),
        (.reported(.sent, attempt: 2), "CCssss...s.C."),
        (.reported(.sent, attempt: nil), "CCssss...s.C."),
        (.reported(.sent, attempt: 3), "CCCCCCCCCCCCC"),
        (.reported(.delivered, attempt: 1), "CCddddd..ddC."),
        (.reported(.delivered, attempt: 2), "CCddddd..ddC."),
        (.reported(.delivered, attempt: nil), "CCddddd..ddC."),
        (.reported(.delivered, attempt: 3), "CCCCCCCCCCCCC"),
        (.reported(.read, attempt: 1), "CCRRRRRR.RRC."),
        (.reported(.read, attempt: 2), "CCRRRRRR.RRC."),
        (.reported(.read, attempt: nil), "CCRRRRRR.RRC."),
        (.reported(.read, attempt: 3), "CCCCCCCCCCCCC"),
        (.reported(.failed, attempt: 1), "CC.........C."),
        (.reported(.failed, attempt: 2), "CCfffff....C."),
        (.reported(.failed, attempt: nil), "CCfffff....C."),
        (.reported(.failed, attempt: 3), "CCCCCCCCCCCCC"),
        (.expired, "fff..f......."),
        (.cancelRequested, "cccLLcLLLEEEE"),
        (.retryRequested, "FFFFFFFFFqqFF"),
    ]

    static func expected(_ letter: Character) -> Decision {
        switch letter {
        case "q": .move(.queued)
        case "p": .move(.processing)
        case "t": .move(.retrying)
        case "s": .move(.sent)
        case "d": .move(.delivered)
        case "R": .move(.read)
        case "f": .move(.failed)
        case "c": .move(.cancelled)
        case "U": .becomeUnknown
        case "L": .refuse(.tooLate)
        case "E": .refuse(.alreadyEnded)
        case "F": .refuse(.notFailed)
        case "C": .refuse(.notClaimable)
        case "N": .refuse(.notUnknown)
        default: .note
        }
    }

    @Test(arguments: table.indices)
    func everyStateMeetsTheFact(_ row: Int) {
        let (fact, letters) = Self.table[row]
        #expect(letters.count == Self.standings.count)
        for (standing, letter) in zip(Self.standings, letters) {
            #expect(standing.decide(fact) == Self.expected(letter), "\(standing.state) \(standing) meets \(fact)")
        }
    }

    @Test func everyStateIsInTheTable() {
        #expect(Set(Self.standings.map(\.state)) == Set(MessageState.allCases))
    }

    @Test func attemptsBeforeAnExplicitRetryAreClosed() {
        let again = Standing(state: .queued, attempt: 2, closedAttempt: 2)
        #expect(again.decide(.reported(.sent, attempt: 2)) == .note)
        #expect(again.decide(.reported(.failed, attempt: 2)) == .note)
        #expect(again.decide(.accepted(attempt: 2)) == .note)
        // It did arrive after all: sending again would double it.
        #expect(again.decide(.reported(.delivered, attempt: 2)) == .move(.delivered))
        #expect(again.decide(.reported(.read, attempt: 1)) == .move(.read))
        let underWay = Standing(state: .processing, attempt: 3, closedAttempt: 2)
        #expect(underWay.decide(.reported(.failed, attempt: 2)) == .note)
        #expect(underWay.decide(.reported(.failed, attempt: 3)) == .move(.failed))
    }

    /// Applies a decision as the store does.
    static func apply(_ decision: Decision, _ fact: Fact, to standing: inout Standing) {
        guard case .move(let state) = decision else {
            if decision == .becomeUnknown { standing.outcomeUnknown = true }
            return
        }
        if case .claimed(let attempt) = fact { standing.attempt = attempt }
        if case .retryRequested = fact { standing.closedAttempt = standing.attempt }
        standing.state = state
        standing.outcomeUnknown = false
        standing.failedBy = nil
        if state == .failed {
            if case .reported = fact { standing.failedBy = .meta } else { standing.failedBy = .ours }
        }
    }

    /// In every order of what Meta may say, twice each, before and after our own answer, the end is the same.
    @Test func theOrderOfReportsDoesNotMatter() {
        let facts: [Fact] = [
            .accepted(attempt: 1), .reported(.sent, attempt: 1), .reported(.delivered, attempt: 1),
            .reported(.read, attempt: 1), .reported(.failed, attempt: 1), .reported(.delivered, attempt: 1),
        ]
        var ends: Set<MessageState> = []
        permute(facts) { order in
            var standing = Standing(state: .processing, attempt: 1)
            for fact in order { Self.apply(standing.decide(fact), fact, to: &standing) }
            ends.insert(standing.state)
        }
        #expect(ends == [.read])
    }

    private func permute(_ facts: [Fact], _ body: ([Fact]) -> Void) {
        func go(_ done: [Fact], _ rest: [Fact]) {
            if rest.isEmpty { return body(done) }
            for index in rest.indices {
                var rest = rest
                let fact = rest.remove(at: index)
                go(done + [fact], rest)
            }
        }
        go([], facts)
    }

    /// Random lives: with Meta a status never goes back, but for the corrections the rules name.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func statesNeverGoBackwards(_ seed: UInt64) {
        let rank: [MessageState: Int] = [.sent: 1, .delivered: 2, .read: 3]
        var dice = Dice(seed: seed)
        for _ in 0..<500 {
            var standing = Standing(state: Bool.random(using: &dice) ? .scheduled : .queued)
            for _ in 0..<40 {
                let (row, _) = Self.table[Int.random(in: 0..<Self.table.count, using: &dice)]
                let before = standing
                let decision = standing.decide(row)
                Self.apply(decision, row, to: &standing)
                guard case .move(let state) = decision else { continue }
                if let old = rank[before.state] {
                    let later = rank[state].map { $0 > old } ?? false
                    #expect(later || (before.state == .sent && state == .failed), "seed \(seed): \(before) to \(state)")
                }
                #expect(before.state != .cancelled, "seed \(seed)")
                #expect(before.state != .read, "seed \(seed)")
            }
        }
    }
}
