import OutboxCore
import Testing

/// How a token stands as its end comes nearer.
@Suite struct TokenHealthTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    private func state(endsIn seconds: Int64?) -> TokenHealth.State {
        TokenHealth(expiresAt: seconds.map { now + .seconds($0) }, now: now).state
    }

    @Test func itIsWarnedOfAWeekAndADayBefore() {
        #expect(state(endsIn: nil) == .valid)
        #expect(state(endsIn: 7 * 86_400 + 1) == .valid)
        #expect(state(endsIn: 7 * 86_400) == .expiring)
        #expect(state(endsIn: 86_401) == .expiring)
        #expect(state(endsIn: 86_400) == .lastDay)
        #expect(state(endsIn: 1) == .lastDay)
        #expect(state(endsIn: 0) == .expired)
    }

    @Test func timeGoesOnWithoutMeta() {
        let token = TokenHealth(expiresAt: now + .seconds(10 * 86_400), now: now)
        #expect(token.state == .valid && token.at(now + .seconds(4 * 86_400)).state == .expiring)
        let over = token.at(now + .seconds(11 * 86_400))
        #expect(over.state == .expired && over.checkedAt == now && over.words?.contains("ended") == true)
        let refused = TokenHealth(state: .refused, expiresAt: nil, checkedAt: now, reason: "revoked")
        #expect(refused.at(now + .seconds(1)) == refused && refused.words?.contains("revoked") == true)
    }

    @Test func everyStateHasItsNameAndAllButOneItsWords() {
        for state in TokenHealth.State.allCases {
            #expect(TokenHealth.State(name: state.name) == state)
            let health = TokenHealth(state: state, expiresAt: now, checkedAt: now)
            #expect((health.words == nil) == (state == .valid))
        }
        #expect(TokenHealth.State.allCases.filter(\.isOver) == [.expired, .refused])
    }
}
