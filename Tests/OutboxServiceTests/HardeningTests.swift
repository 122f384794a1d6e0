import Foundation
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

@testable import OutboxService
@testable import OutboxStore

private typealias Status = OutboxService.ExitStatus

@Suite struct DiskRoomTests {
    private let disk: UInt64 = 10 << 30

    @Test func theIntakeEndsEarlyAndBeginsWithSomeMoreRoom() {
        var room = DiskRoom()
        let kept = DiskRoom.reserve
        #expect(room.found(free: kept, size: disk) == nil && room.takesMessages)
        let needed = kept + kept / 4
        #expect(room.found(free: kept - 1, size: disk) == .ended(free: kept - 1, needed: needed))
        #expect(!room.takesMessages && room.found(free: 0, size: disk) == nil)
        #expect(room.found(free: needed - 1, size: disk) == nil && !room.takesMessages)
        #expect(room.found(free: needed, size: disk) == .began(free: needed) && room.takesMessages)
    }

    @Test func aSmallDiskKeepsAPart() {
        var room = DiskRoom()
        #expect(room.found(free: 1 << 20, size: 16 << 20) == nil)
        #expect(room.found(free: (1 << 20) - 1, size: 16 << 20) != nil)
    }

    /// What it holds has to find room in the file when only the reserve is left.
    @Test func theLogIsShorterOnASmallDisk() throws {
        let desk = try Desk(slots: 4)
        for (megabytes, pages) in [(10 << 10, 3000), (256, 2048), (64, 1000), (16, 1000)] as [(UInt64, Int32)] {
            desk.room.withLock { $0 = (megabytes << 20, megabytes << 20) }
            _ = desk.turn([.submit(desk.exchange, try desk.draft("14155550100"), nil)])
            #expect(desk.step.queue.logPagesMax == pages)
        }
    }

    /// What is in the queue goes on, and says so; what is new is refused until there is room.
    @Test func stateChangesCommitWhileMessagesAreRefused() throws {
        let desk = try Desk(slots: 4)
        try desk.submit(4)
        let attempts = desk.turn().attempts
        #expect(attempts.count == 4)
        desk.room.withLock { $0 = (1 << 20, 10 << 30) }
        let key = IdempotencyKey(caller: 0, text: "k", form: .single, digest: IdempotencyKey.digest(Array("b".utf8)))
        let other = Exchange(descriptor: 1, serial: 2)
        let outputs = desk.turn(
            [.submit(desk.exchange, try desk.draft("14155550100"), nil)]
                + [.submit(other, try desk.draft("14155550101"), key)]
                + attempts.map { .outcome(AttemptOutcome(attempt: $0, outcome: .accepted(wamid: "w\($0.message)"))) })
        #expect(outputs.fatal == nil && outputs.replies.count == 2)
        for (_, reply) in outputs.replies {
            switch reply {
            case .storageFailed(.full): break
            case .refused(let error): #expect(error.status == 507)
            default: Issue.record("\(reply)")
            }
        }
        #expect(outputs.log.contains { $0.level == .error && $0.text.contains("new messages are refused") })
        #expect(desk.queue.waiting == 0 && desk.step.underWay == 0)
        // By itself, without anybody asking.
        desk.room.withLock { $0 = (1 << 30, 10 << 30) }
        #expect(desk.turn().log.contains { $0.text.contains("new messages are taken") })
        let taken = desk.turn(.submit(desk.exchange, try desk.draft("14155550100"), key))
        guard case .submitted(.done)? = taken.replies.first?.1 else {
            Issue.record("\(taken.replies)")
            return
        }
        // A repeat of what is stored is told so, room or not.
        desk.room.withLock { $0 = (1 << 20, 10 << 30) }
        let again = desk.turn(.submit(desk.exchange, try desk.draft("14155550100"), key)).replies.first?.1
        if case .storageFailed? = again { Issue.record("a repeat was refused") }
        if case .refused(let error)? = again { Issue.record("a repeat was refused: \(error)") }
        #expect(again != nil)
    }
}

@Suite struct JournalWordsTests {
    @Test func wordsOfOthersStayOnTheirLine() {
        let words = "Meta says\n2026-11-21T00:00:00Z error outboxd: all is lost\u{1B}[2J"
        let line = LogLine(
            .warning, .lineHeld, words, [(.code, "1\nPRIORITY=0"), (.line, String(repeating: "x", count: 9000))])
        let shown = line.printable
        #expect(!shown.text.contains("\n") && !shown.text.contains("\u{1B}"))
        #expect(shown.fields[0].1 == "1 PRIORITY=0" && shown.fields[1].1.count == 4000)
    }

    @Test func whatAnybodyCanCauseDoesNotDriveOutTheRest() {
        var seldom = Seldom()
        let line = LogLine(.notice, .callerRefused, "refused")
        let other = LogLine(.notice, .webhookRefused, "refused")
        let first = (0..<1000).compactMap { seldom.line(line, tick: 5_000_000_000 + $0) }
        #expect(first.count == 10 && first.allSatisfy { $0.text == "refused" })
        #expect(seldom.line(other, tick: 5_000_002_000) != nil)
        #expect(seldom.line(line, tick: 64_000_000_000) == nil)
        #expect(seldom.line(line, tick: 65_000_000_000)?.text.contains("991 more") == true)
        #expect(seldom.line(line, tick: 65_000_000_001)?.text == "refused")
    }
}

@Suite struct ExitStatusTests {
    private func status(_ code: Int32) -> Status { Status(StoreError(code: code, message: "", sql: "")) }

    @Test func eachRemedyHasAStatusOfItsOwn() {
        #expect(status(11) == .damaged && status(26) == .damaged)
        #expect(status(13) == .full && status(8) == .cannotCreate && status(14) == .cannotCreate)
        #expect(status(14 | 6 << 8) == .foreign && status(10) == .storage && status(5) == .storage)
        #expect(Status(OpenRefusal.foreign) == .foreign && Status(OpenRefusal.newer(version: 2)) == .newer)
        for (number, status) in [
            (ENOSPC, Status.full), (EDQUOT, .full), (EROFS, .cannotCreate), (EACCES, .notOurs), (ELOOP, .foreign),
            (EIO, .storage),
        ] { #expect(Status(StateProblem("/x", "open", errno: number)) == status) }
        #expect(Status(Settings.Problem(description: "")) == .settings)
    }
}
