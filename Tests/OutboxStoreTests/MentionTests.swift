import OutboxCore
import OutboxStore
import Testing

/// Messages that answer or react to others.
@Suite struct MentionTests {
    private func mention(_ bench: Bench, _ role: Mention.Role, _ id: MessageID) throws -> Mention {
        Mention(role, .ours(try QueueReader(path: bench.path).codec.text(id)))
    }

    private func reaction(_ bench: Bench, to target: Mention.Target) throws -> Draft {
        var draft = try bench.draft()
        (draft.type, draft.content) = ("reaction", Array(#"{"emoji":"x"}"#.utf8))
        draft.mention = Mention(.reaction, target)
        return draft
    }

    private func sent(_ bench: Bench) throws -> MessageID {
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        return id
    }

    @Test func whatLeavesNamesMetasID() throws {
        let bench = try Bench()
        let first = try sent(bench)
        var answer = try bench.draft()
        answer.mention = try mention(bench, .answer, first)
        #expect(try bench.submitted(answer) != .refused(.windowClosed("message")))
        let attempt = try #require(try bench.claim().first)
        #expect(
            String(decoding: attempt.content, as: UTF8.self)
                == #"{"body":"hi"},"context":{"message_id":"wamid.1"}"#)
        try bench.record(.accepted(wamid: "wamid.2"), attempt)
        _ = try bench.submitted(reaction(bench, to: mention(bench, .reaction, first).target))
        let content = try #require(try bench.claim().first).content
        #expect(String(decoding: content, as: UTF8.self) == #"{"message_id":"wamid.1","emoji":"x"}"#)
    }

    @Test func nobodyReactsAfterThirtyDaysButAnswers() throws {
        let bench = try Bench()
        let first = try sent(bench)
        try bench.tick(.seconds(30 * 86_400 + 1))
        let late = try bench.submitted(reaction(bench, to: mention(bench, .reaction, first).target))
        guard case .refused(.mention(let problem)) = late else {
            Issue.record("taken: \(late)")
            return
        }
        #expect(problem.field == "reaction.message_id")
        var answer = try bench.draft()
        answer.mention = try mention(bench, .answer, first)
        guard case .done = try bench.submitted(answer) else {
            Issue.record("refused")
            return
        }
    }

    @Test func whatIsNotSentOrNotThereCannotBeAnswered() throws {
        let bench = try Bench()
        let first = try bench.submit()
        for target in [first, MessageID(rawValue: first.rawValue + 7)] {
            var answer = try bench.draft()
            answer.mention = try mention(bench, .answer, target)
            guard case .refused(.mention(let problem)) = try bench.submitted(answer) else {
                Issue.record("taken")
                continue
            }
            #expect(problem.field == "replyTo")
            let refusal = try bench.run { try $0.refusal(of: answer, account: 1, now: bench.now) }
            #expect(refusal == .mention(problem))
        }
    }

    /// Meta never tells of a reaction's delivery: its silence says nothing.
    @Test func aReactionIsNotMissed() throws {
        let bench = try Bench()
        let known = try #require(WhatsAppID("wamid.9"))
        guard case .done(let submitted) = try bench.submitted(reaction(bench, to: .known(known))) else {
            throw Unexpected()
        }
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        try bench.tick(.seconds(40 * 86_400))
        #expect(try bench.message(submitted.id).state == .sent && !bench.message(submitted.id).hasNoReceipt)
    }
}
