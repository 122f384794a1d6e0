import OutboxCore
import OutboxStore
import Testing

@Suite struct AccessStoreTests {
    private func hash(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    @Test func accountsHaveNamesOfTheirOwn() throws {
        let bench = try Bench()
        let made = try bench.run { try $0.addAccount("shop", now: bench.now) }
        #expect(made == .done(Account(id: 2, name: "shop", createdAt: bench.now)))
        #expect(try bench.run { try $0.addAccount("shop", now: bench.now) } == .exists)
        #expect(try bench.run { try $0.addAccount("default", now: bench.now) } == .exists)
        try bench.reopen()
        #expect(try bench.queue.accessDirectory().accounts.map(\.name) == ["default", "shop"])
    }

    @Test func keysAreTheirAccountsAndKnownByTheirHash() throws {
        let bench = try Bench()
        _ = try bench.run { try $0.addAccount("shop", now: bench.now) }
        let made = try bench.run {
            try $0.addKey("till", .send, .callMissed, hash: hash(1), account: 2, by: "ann", now: bench.now)
        }
        guard case .done(let key) = made else {
            Issue.record("\(made)")
            return
        }
        let again = try bench.run {
            try $0.addKey("till", .read, hash: hash(2), account: 2, by: "ann", now: bench.now)
        }
        #expect(again == .exists)
        #expect(
            try bench.run { try $0.rotateKey(key.id, to: hash(3), oldUntil: bench.now, account: 1, now: bench.now) }
                == nil)
        #expect(try bench.run { try $0.removeKey(key.id, account: 1) } == nil)
        let later = bench.now + .seconds(60)
        let rotated = try bench.run {
            try $0.rotateKey(key.id, to: hash(3), oldUntil: later, account: 2, now: bench.now)
        }
        #expect(rotated?.prefix == .callMissed)
        #expect(rotated?.hash == hash(3) && rotated?.old == AccessKey.Old(hash: hash(1), until: later))
        try bench.run {
            try $0.keyUsed(key.id, at: later)
            try $0.keyUsed(key.id, at: bench.now)
        }
        try bench.reopen()
        #expect(try bench.queue.accessDirectory().keys.first?.lastUsedAt == later)
        #expect(try bench.run { try $0.removeKey(key.id, account: 2) }?.id == key.id)
        #expect(try bench.queue.accessDirectory().keys == [])
    }
}
