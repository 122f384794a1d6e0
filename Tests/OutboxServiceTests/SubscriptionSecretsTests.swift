import Foundation
import OutboxAPI
import OutboxCore
import OutboxStore
import OutboxSystem
import TestKit
import Testing

@testable import OutboxService

@Suite struct SubscriptionSecretsTests {
    private let folder = TemporaryFolder()
    private let log = Lock<[LogLine]>([])

    /// As a new process has them.
    private func secrets() throws -> SubscriptionSecrets {
        let log = log
        return SubscriptionSecrets(files: try Secrets(credentials: nil, folder: folder.file("secrets"))) { line in
            log.withLock { $0.append(line) }
        }
    }

    private func write(_ name: String) throws {
        try Data("x\n".utf8).write(to: URL(fileURLWithPath: folder.file("secrets/\(name)")))
    }

    private var entries: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.file("secrets")).sorted() }
    }

    @Test func whatAKillLeftIsSweptAndNothingElse() throws {
        let before = try secrets()
        let kept = try before.make(nil)
        let left = try before.make(nil)
        #expect(kept.name != left.name)
        // Half a file, a token, and what somebody else put there.
        for name in [".\(left.name).new", ".line.main.token.new", "line.main.token", "subscription.mine", ".hidden"] {
            try write(name)
        }
        let after = try secrets()
        after.sweep(inUse: nil)
        #expect(try entries.contains(left.name))
        after.sweep(inUse: [kept.name])
        #expect(try entries == [".hidden", "line.main.token", kept.name, "subscription.mine"].sorted())
        #expect(after.files.value(kept.name) == kept.secret.text)
        #expect(log.withLock { $0.isEmpty })
    }

    @Test func onlyWhatIsCertainlyNotStoredIsTakenBack() throws {
        let secrets = try secrets()
        let (name, _) = try secrets.make(nil)
        // The next process reads from the disk whether there is a row.
        secrets.takeBack(name, after: .storageFailed(.unsure))
        #expect(try entries == [name])
        secrets.takeBack(name, after: .storageFailed(.full))
        #expect(try entries.isEmpty)
    }

    @Test func namesInUseAreThoseOfRowsThatStay() throws {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "b", tick: 1, wall: now, isSynchronised: true))
        #expect(try queue.secretsInUse() == nil)
        _ = queue.together(1) { _ in
            for name in ["a", "b"] {
                _ = try queue.subscribe(
                    SubscriptionSettings(url: "https://example.com/"), line: nil, secret: name, after: nil, account: 1,
                    now: now)
            }
            _ = try queue.unsubscribe(1, account: 1, now: now)
        }
        #expect(try queue.secretsInUse() == ["b"])
        _ = queue.together(1) { _ in _ = try queue.unsubscribe(2, account: 1, now: now) }
        #expect(try queue.secretsInUse() == [])
    }
}
