import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem
import TestKit
import Testing

@testable import OutboxService

@Suite struct AccessRuleTests {
    private func peer(_ uid: UInt32, _ gid: UInt32 = 7000, _ groups: UInt32...) -> Peer {
        .local(pid: 1, uid: uid, gid: gid, groups: groups)
    }

    private func access(_ settings: (name: String, value: String)...) throws -> Access {
        var all = Settings()
        all.sendGroup = "7100"
        for (name, value) in settings { try all.set(name, value) }
        return Access(all)
    }

    @Test func theDefaultsNeedNoThought() throws {
        let access = try access()
        #expect(access.standing(of: peer(0)).role == .admin)
        #expect(access.standing(of: peer(getuid())).role == .admin)
        #expect(access.standing(of: peer(7001, 7100)).role == .send)
        #expect(access.standing(of: peer(7001, 7000, 7099, 7100)).role == .send)
        #expect(access.standing(of: peer(7001)).role == .none)
        #expect(access.standing(of: .remote).role == .none)
    }

    @Test func usersCountBeforeGroupsAndHigherRolesFirst() throws {
        let access = try access(
            ("readers", "7001, @7200:shop @7300"), ("senders", "@7300:shop"), ("admins", "7002:shop 7003 @7200"))
        typealias Standing = Access.Standing
        #expect(access.standing(of: peer(7001, 7100)) == Standing(role: .read, account: "default"))
        #expect(access.standing(of: peer(7002)) == Standing(role: .admin, account: "shop"))
        #expect(access.standing(of: peer(7003)) == Standing(role: .admin, account: "default"))
        #expect(access.standing(of: peer(7009, 7200)) == Standing(role: .admin, account: "default"))
        #expect(access.standing(of: peer(7009, 7000, 7300)) == Standing(role: .send, account: "shop"))
    }

    @Test func whatIsNotThereLetsNobodyInAndIsTold() throws {
        let access = try access(("admins", "no-such-user-here, @no-such-group-here"))
        #expect(access.problems.count == 2)
        #expect(access.problems.contains { $0.contains("no group no-such-group-here") })
    }

    @Test(arguments: ["@", "a:b:c", "a:", ":x", "a:b.c", "@:x"]) func whatIsNoListIsRefused(_ text: String) {
        #expect(AccessEntry.list(text) == nil)
        #expect(throws: Settings.Problem.self) {
            var settings = Settings()
            try settings.set("senders", text)
        }
    }

    @Test(arguments: [
        "0.0.0.0:80", "192.0.2.1:80", "localhost:80", "127.0.0.1", "[::]:80", "::1:80", "127.0.0.1:70000",
    ])
    func onlyLoopbackAddressesAreListenedOn(_ text: String) {
        #expect(throws: Settings.Problem.self) {
            var settings = Settings()
            try settings.set("listen", text)
        }
    }

    @Test func loopbackAddressesAreTaken() throws {
        var settings = Settings()
        for text in ["127.0.0.1:8080", "[::1]:8080", "127.9.9.9:1"] {
            try settings.set("listen", text)
            #expect(settings.listen?.description == text)
        }
    }
}

@Suite struct DoorkeeperTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)
    private let stranger = Peer.local(pid: 1, uid: 7001, gid: 7000, groups: [])
    private let root = Peer.local(pid: 1, uid: 0, gid: 0, groups: [])

    private func text(_ digit: String, _ prefix: AccessKey.Prefix = .outboxd) -> String {
        prefix.name + String(repeating: digit, count: 48)
    }

    private func head(_ headers: (String, String)...) -> RequestHead {
        RequestHead(method: "GET", target: "/", headers: headers.map { HTTPHeader($0.0, $0.1) })
    }

    private func door() -> Doorkeeper {
        var key = AccessKey(
            id: 5, account: 2, name: "till", role: .send, hash: sha256(Array(text("a").utf8)), createdAt: now,
            createdBy: "ann")
        key.old = AccessKey.Old(hash: sha256(Array(text("b").utf8)), until: now + .seconds(60))
        let accounts = [
            Account(id: 1, name: "default", createdAt: now), Account(id: 2, name: "shop", createdAt: now),
        ]
        var settings = Settings()
        settings.readers = AccessEntry.list("7002:gone") ?? []
        return Doorkeeper(Access(settings), AccessDirectory(accounts: accounts, keys: [key]))
    }

    @Test func aKeyCountsBeforeTheKernelsWordOnEverySocket() throws {
        let door = door()
        for peer in [Peer.remote, stranger, root] {
            let guest = try door.identify(head(("authorization", "Bearer \(text("a"))")), peer, now: now)
            #expect(guest == Guest(name: .key(5, "till"), role: .send, home: 2, account: 2))
            #expect(guest.caller == -5 && !guest.isOperator && guest.words == "key 5 (till)")
        }
        #expect(try door.identify(head(), root, now: now).isOperator)
        #expect(try door.identify(head(), .remote, now: now).role == .none)
    }

    @Test func whatWasFoundOutOfACallerHoldsUntilRightsChange() {
        let door = door()
        let before = door.version
        #expect(door.notes(useOf: 5, at: now) && door.version == before)
        door.set(Access(Settings()))
        #expect(door.version == before + 1)
        door.set(door.directory)
        #expect(door.version == before + 2)
        #expect(Doorkeeper.isPlain(head()) && !Doorkeeper.isPlain(head(("outboxd-account", "shop"))))
    }

    @Test func anOldKeyCountsUntilItsTimeIsOver() throws {
        let bearer = head(("authorization", "bearer  \(text("b"))"))
        #expect(try door().identify(bearer, .remote, now: now + .seconds(59)).role == .send)
        #expect(throws: APIError.self) { try door().identify(bearer, .remote, now: now + .seconds(60)) }
    }

    @Test(arguments: [("sk_live_", true), ("cm_", true), ("sk_org_", true), ("sk_test_", false), ("", false)])
    func aKeyIsKnownByItsPrefix(_ prefix: String, _ isKey: Bool) {
        let digits = String(repeating: "0a", count: 24)
        #expect(AccessKey.isKey(prefix + digits) == isKey)
        for wrong in [digits + "0", String(digits.dropLast()), digits.uppercased()] {
            #expect(!AccessKey.isKey(prefix + wrong))
        }
    }

    @Test(arguments: ["", "Bearer", "Bearer sk_live_0", "Basic cm9vdDo=", "Bearer x y", "sk_live_"])
    func whatIsNoKeyIsRefusedEvenToRoot(_ value: String) {
        let door = door()
        for value in [value, "Bearer \(text("c"))"] {
            do {
                _ = try door.identify(head(("authorization", value)), root, now: now)
                Issue.record("taken: \(value)")
            } catch let error {
                #expect(error.status == 401)
            }
        }
        #expect(throws: APIError.self) {
            let twice = ("authorization", "Bearer \(text("a"))")
            return try door.identify(head(twice, twice), root, now: now)
        }
    }

    @Test func onlyOperatorsActInAnotherAccount() throws {
        let door = door()
        let shop = ("outboxd-account", "shop")
        let acting = try door.identify(head(shop), root, now: now)
        #expect(acting.account == 2 && acting.home == 1 && acting.isOperator)
        let key = ("authorization", "Bearer \(text("a"))")
        #expect(try door.identify(head(key, shop), .remote, now: now).account == 2)
        func status(_ head: RequestHead, _ peer: Peer) -> Int? {
            do {
                _ = try door.identify(head, peer, now: now)
                return nil
            } catch {
                return error.status
            }
        }
        #expect(status(head(key, ("outboxd-account", "default")), .remote) == 403)
        #expect(status(head(("outboxd-account", "nowhere")), root) == 404)
        #expect(status(head(("outboxd-account", "nowhere")), stranger) == 403)
        #expect(status(head(shop, shop), root) == 403)
        // What the settings name is not made yet.
        #expect(status(head(), .local(pid: 1, uid: 7002, gid: 7000, groups: [])) == 403)
    }

    @Test func theUseOfAKeyIsNotedNowAndThen() {
        let door = door()
        #expect(door.notes(useOf: 5, at: now))
        #expect(!door.notes(useOf: 5, at: now + .seconds(59)))
        #expect(door.notes(useOf: 5, at: now + .seconds(61)))
        #expect(door.notes(useOf: 5, at: now))
    }
}

@Suite struct RateLimitTests {
    @Test func callsComeBackWithTime() {
        var rates = RateLimits()
        let second: UInt64 = 1_000_000_000
        for left in (0..<60).reversed() {
            let quota = rates.take(.user(1), perMinute: 60, tick: second)
            #expect(quota.remaining == left && quota.retryAfter == nil && quota.limit == 60)
        }
        let refused = rates.take(.user(1), perMinute: 60, tick: second)
        #expect(refused.retryAfter == 1 && refused.remaining == 0 && refused.reset == 60)
        #expect(rates.take(.user(2), perMinute: 60, tick: second).retryAfter == nil)
        #expect(rates.take(.user(1), perMinute: 60, tick: 2 * second).retryAfter == nil)
        #expect(rates.take(.user(1), perMinute: 60, tick: 2 * second).retryAfter == 1)
        #expect(rates.take(.user(1), perMinute: 60, tick: 1000 * second).remaining == 59)
        #expect(rates.take(.key(1, "k"), perMinute: 1, tick: second).retryAfter == nil)
        #expect(rates.take(.key(1, "k"), perMinute: 1, tick: second).retryAfter == 60)
        // A greater number counts at once, a smaller one too.
        #expect(rates.take(.key(1, "k"), perMinute: 20, tick: second).remaining == 18)
        #expect(rates.take(.key(1, "k"), perMinute: 5, tick: second).remaining == 4)
    }

    @Test func manyCallersTakeNoMemory() {
        var rates = RateLimits()
        for user in 0..<20_000 {
            #expect(rates.take(.user(UInt32(user)), perMinute: 2, tick: UInt64(user) * 1000).retryAfter == nil)
        }
    }
}

/// What operators change, and what is taken while there is room.
@Suite struct OperatorTests {
    private let ann = Asker(account: 1, who: "ann", reason: "told to")

    private func told(_ desk: Desk) throws -> [String] {
        try LogReader(QueueReader(path: desk.folder.file("outboxd.db")))
            .events(after: 0, limit: 1000, account: 1).filter { $0.kind == .operatorChange }
            .map { String(decoding: $0.detail ?? [], as: UTF8.self) }
    }

    @Test func everyChangeIsKeptWithWhoAndWhy() throws {
        let desk = try Desk()
        let settings = LineSettings(
            name: "two", phoneNumberID: "107", wabaID: nil, credential: "c", messagesPerSecond: nil)
        var rule = RetentionRule()
        rule.countMax = 5
        let outputs = desk.turn([
            .asked(ann, .putLine(desk.exchange, settings)),
            .asked(ann, .pause(desk.exchange, PauseBody(scope: .everything, reason: "own"), who: "ann")),
            .asked(ann, .putRetention(desk.exchange, .read, rule)),
            .asked(ann, .addAccount(desk.exchange, AccountBody(name: "shop"))),
            .asked(ann, .addKey(desk.exchange, KeyBody(name: "k", role: .read), hash: sha256([1]))),
            .asked(ann, .removeLine(desk.exchange, name: "two")), .asked(ann, .removeLine(desk.exchange, name: "no")),
            .asked(ann, .changed(OperatorChange(action: "settings.reloaded"))),
        ])
        let all = try told(desk)
        #expect(all.count == 7)
        #expect(
            all.first
                == #"{"action":"line.added","line":"two","target":null,"by":"ann","reason":"told to"}"#)
        #expect(all[1].contains("pause.added") && all[1].contains(#""reason":"own""#))
        for (event, action) in zip(
            all.dropFirst(2), ["retention.changed", "account.added", "key.added", "line.removed"])
        {
            #expect(event.contains(action) && event.contains(#""by":"ann""#))
        }
        #expect(outputs.log.filter { $0.kind == .operatorChange }.count == 3)
        #expect(outputs.log.allSatisfy { line in line.fields.contains { $0.0 == .actor && $0.1 == "ann" } })
    }

    @Test func whatChangesNothingIsNotTold() throws {
        let desk = try Desk()
        _ = desk.turn([
            .asked(ann, .resume(desk.exchange, id: 9, who: "ann")),
            .asked(ann, .removeKey(desk.exchange, 9)),
            .asked(ann, .findSubscription(desk.exchange, 9)),
            .asked(Asker(account: 1), .submit(desk.exchange, try desk.draft("14155550100"))),
            .putRetention(desk.exchange, .read, RetentionRule()),
        ])
        #expect(try told(desk) == [])
    }

    @Test func numbersAndBusinessAccountsAreOneAccountsOwn() throws {
        let desk = try Desk()
        _ = desk.turn(.asked(ann, .addAccount(desk.exchange, AccountBody(name: "shop"))))
        func put(_ number: String, _ waba: String?, by asker: Asker) -> WriterReply? {
            let settings = LineSettings(
                name: "main", phoneNumberID: number, wabaID: waba, credential: "c", messagesPerSecond: nil)
            return desk.turn(.asked(asker, .putLine(desk.exchange, settings))).replies.first?.1
        }
        func isWrong(_ reply: WriterReply?, _ field: String) -> Bool {
            guard case .wrong(let error) = reply else { return false }
            return error.field == field
        }
        guard case .line = put("106", "55", by: ann) else {
            Issue.record("the line was not changed")
            return
        }
        let shop = Asker(account: 2, who: "key 1")
        #expect(isWrong(put("106", nil, by: shop), "phoneNumberId"))
        #expect(isWrong(put("108", "55", by: shop), "wabaId"))
        let sharing = Asker(account: 2, who: "root", isOperator: true)
        #expect(isWrong(put("106", nil, by: sharing), "phoneNumberId"))
        guard case .line(let line, isNew: true) = put("108", "55", by: sharing) else {
            Issue.record("an operator may share")
            return
        }
        #expect(line.account == 2 && line.name == "main")
    }

    @Test func theQueueTakesNoMoreThanItMay() throws {
        let desk = try Desk(slots: 0)
        _ = desk.turn(.limitIntake(IntakeLimits(queueMax: 3)))
        func submit(_ count: Int, _ key: String? = nil) throws -> [WriterReply] {
            let inputs = try (0..<count).map { index -> WriterInput in
                let digest = IdempotencyKey.digest([UInt8(index)])
                return .submit(
                    desk.exchange, try desk.draft("1415555\(1000 + index)"),
                    key.map { IdempotencyKey(caller: 1, text: $0, form: .single, digest: digest) })
            }
            return desk.turn(inputs).replies.map(\.1)
        }
        func isFull(_ reply: WriterReply) -> Bool {
            guard case .refused(let error) = reply else { return false }
            return error.code == .queueFull && error.status == 429 && error.retryAfter != nil
        }
        #expect(!(try submit(1, "once")).contains(where: isFull))
        // In one turn, too.
        #expect(try submit(4).count(where: isFull) == 2)
        #expect(desk.queue.waiting == 3)
        guard case .replayed = try submit(1, "once").first else {
            Issue.record("what was taken is not refused")
            return
        }
        let drafts = try (0..<4).map { try desk.draft("1415556\(1000 + $0)") }
        let slice = BulkSlice(batch: nil, drafts: drafts, refusedBefore: 0, atomic: true)
        #expect(desk.turn(.slice(desk.exchange, slice)).replies.map(\.1).contains(where: isFull))
        let ids = try QueueReader(path: desk.folder.file("outboxd.db")).list(ListFilter(), account: 1).messages.map(
            \.id)
        _ = desk.turn(.cancel(desk.exchange, try #require(ids.first)))
        #expect(!(try submit(1)).contains(where: isFull))
        _ = desk.turn(.limitIntake(IntakeLimits()))
        #expect(!(try submit(5)).contains(where: isFull))
    }

    @Test func theDisksReserveIsAsSet() throws {
        let desk = try Desk(slots: 0)
        desk.room.withLock { $0 = (100 << 20, 10 << 30) }
        func isTaken() throws -> Bool {
            let reply = desk.turn(.submit(desk.exchange, try desk.draft("14155550100"))).replies.first?.1
            if case .submitted(.done) = reply { return true }
            return false
        }
        #expect(try isTaken())
        _ = desk.turn(.limitIntake(IntakeLimits(freeDiskMin: 200 << 20)))
        #expect(try !isTaken())
        desk.room.withLock { $0 = (300 << 20, 10 << 30) }
        #expect(try isTaken())
    }
}
