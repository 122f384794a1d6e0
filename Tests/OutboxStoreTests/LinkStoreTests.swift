import OutboxCore
import OutboxStore
import Testing

@Suite struct LinkStoreTests {
    private func hash(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    private func onboarding(_ bench: Bench, _ byte: UInt8, account: Int64 = 1) throws -> OnboardingLink {
        let made = try bench.run {
            try $0.addOnboardingLink(
                "Acme", redirectURL: nil, role: .send, hash: hash(byte), expiresAt: bench.now + .seconds(60),
                account: account, by: "ann", now: bench.now)
        }
        guard case .done(let link) = made else { throw Missing() }
        return link
    }

    private func inbox(_ bench: Bench, _ byte: UInt8, expiresAt: Timestamp? = nil) throws -> SharedInboxLink {
        let line = try #require(bench.queue.line(named: "main", account: 1))
        let made = try bench.run {
            try $0.addSharedInboxLink(
                SharedInboxLink.Settings(name: "Support", permissions: [.readInbox], expiresAt: expiresAt),
                line: line, hash: hash(byte), by: "ann", now: bench.now)
        }
        guard case .done(let link) = made else { throw Missing() }
        return link
    }

    private struct Missing: Error {}

    @Test func anOnboardingLinkIsUsedOnceAndItsKeyMadeWithIt() throws {
        let bench = try Bench()
        let link = try onboarding(bench, 1)
        let second = try onboarding(bench, 2)
        let late = try onboarding(bench, 3)
        func complete(_ link: OnboardingLink, _ key: UInt8, account: Int64 = 1, after seconds: Int64 = 0) throws
            -> LinkCompletion
        {
            try bench.run {
                try $0.complete(
                    onboardingLink: link.id, line: "main", keyHash: hash(key), account: account, by: "link",
                    now: bench.now + .seconds(seconds))
            }
        }
        #expect(try complete(link, 10, account: 2) == .over)
        guard case .done(let done, let key) = try complete(link, 10) else {
            Issue.record("not completed")
            return
        }
        #expect(done.status(bench.now) == .completed && done.lineName == "main")
        #expect(key.prefix == .organization && key.role == .send && key.name == "onboarding Acme")
        #expect(try complete(link, 11) == .over)
        // Names of keys differ.
        guard case .done(_, let other) = try complete(second, 12) else {
            Issue.record("not completed")
            return
        }
        #expect(other.name == "onboarding Acme 2")
        #expect(try complete(late, 13, after: 60) == .over)
        // What was used is not revoked.
        #expect(try bench.run { try $0.revokeOnboardingLink(link.id, account: 1, now: bench.now) }?.revokedAt == nil)
        try bench.reopen()
        let directory = try bench.queue.linkDirectory()
        #expect(directory.onboarding(hash: hash(1)) == done && directory.onboarding(hash: hash(9)) == nil)
        #expect(try bench.queue.accessDirectory().keys.map(\.hash) == [hash(10), hash(12)])
    }

    @Test func aTokenThatWasRotatedLeadsNowhere() throws {
        let bench = try Bench()
        let link = try inbox(bench, 1)
        var directory = try bench.queue.linkDirectory()
        #expect(directory.inbox(hash: hash(1)) == link)
        #expect(
            try bench.run { try $0.rotateSharedInboxLink(link.id, to: hash(2), account: 2, now: bench.now) } == nil)
        let rotated = try bench.run {
            try $0.rotateSharedInboxLink(link.id, to: hash(2), account: 1, now: bench.now)
        }
        directory.put(try #require(rotated))
        #expect(directory.inbox(hash: hash(1)) == nil && directory.inbox(hash: hash(2)) == rotated)
        #expect(try bench.queue.linkDirectory() == directory)
        let revoked = try bench.run { try $0.revokeSharedInboxLink(link.id, account: 1, now: bench.now) }
        #expect(revoked?.status(bench.now) == .revoked)
        #expect(
            try bench.run { try $0.rotateSharedInboxLink(link.id, to: hash(3), account: 1, now: bench.now) } == nil)
        _ = try inbox(bench, 4)
        #expect(
            try bench.run { try $0.removeLine(named: "main", account: 1, now: bench.now) } == .done)
        #expect(try bench.queue.linkDirectory().inbox.isEmpty)
    }

    @Test func linksThatEndedLongAgoAreForgotten() throws {
        let bench = try Bench()
        let old = try onboarding(bench, 1)
        let short = try inbox(bench, 2, expiresAt: bench.now + .seconds(5))
        let open = try inbox(bench, 3)
        let begin = bench.now
        func prune(_ seconds: Int64) throws -> Set<MessageID> {
            bench.now = begin + .seconds(seconds)
            for _ in 0..<100 where try bench.run({ try $0.prune(bench.now, needed: nil) }).isDone { break }
            let directory = try bench.queue.linkDirectory()
            return Set(directory.onboarding.keys).union(directory.inbox.keys)
        }
        let kept = Queue.linkKept.components.seconds
        #expect(try prune(kept) == [old.id, short.id, open.id])
        #expect(try prune(kept + 10) == [old.id, open.id])
        #expect(try prune(kept + 70) == [open.id])
    }
}
