import OutboxCore
import OutboxStore
import TestKit
import Testing

/// Files, their uploads, and the messages that wait for them.
@Suite struct MediaStoreTests {
    private let bench: Bench
    private let line: Int64

    init() throws {
        bench = try Bench()
        line = try #require(bench.queue.line(named: "main", account: 1)).id
        try bench.setTier(.unlimited)
    }

    private func keep(_ seed: UInt8 = 1, mime: String = "image/png", account: Int64 = 1) throws -> MediaFile {
        let draft = MediaDraft(
            sha256: [UInt8](repeating: seed, count: 32), mime: mime, size: 7, filename: "a.png", line: nil)
        return try bench.run { try $0.keep(draft, account: account, now: bench.now) }.file
    }

    private func draft(_ file: MediaFile, _ to: String = "14155552671") throws -> Draft {
        let id = bench.queue.codec.text(file.id, .media)
        var draft = try bench.draft(to)
        draft.type = "image"
        draft.content = Array(#"{"media":"\#(id)","caption":"c"}"#.utf8)
        draft.media = MediaName(id: id, field: "image.media", shownAs: "image")
        return draft
    }

    private func submit(_ file: MediaFile, _ to: String = "14155552671") throws -> MessageID {
        guard case .done(let done) = try bench.submitted(try draft(file, to)) else { throw Unexpected() }
        return done.id
    }

    private func due() throws -> [UploadTask] { try bench.queue.dueUploads(bench.now, underWay: [], limit: 100) }

    @discardableResult
    private func end(_ task: UploadTask, _ outcome: MediaOutcome, number: String = "106") throws -> MediaUpload? {
        try bench.run {
            try $0.uploadEnded(task.key, outcome, phoneNumberID: number, now: bench.now, chance: &bench.dice)
        }
    }

    private func content(_ attempt: Attempt) -> String { String(decoding: attempt.content, as: UTF8.self) }

    private let noToken = Failure(code: "NO_TOKEN", message: "none")

    @Test func theSameFileIsKeptOnceForAnAccount() throws {
        let file = try keep()
        #expect(try keep().id == file.id)
        #expect(try keep(2).id != file.id)
        #expect(try keep(1, mime: "image/jpeg").id != file.id)
        let reader = try QueueReader(path: bench.path)
        #expect(try reader.files(account: 1, before: nil, limit: 2).files.count == 2)
        #expect(try reader.files(account: 1, before: nil, limit: 2).next != nil)
        #expect(try reader.files(account: 2, before: nil, limit: 2).files.isEmpty)
    }

    @Test func aMessageWaitsForTheUploadAndGoesWithMetasID() throws {
        let id = try submit(try keep())
        #expect(try bench.claim(1).isEmpty)
        #expect(try bench.message(id).waitsAt == .gate(.media))
        let task = try #require(try due().first)
        #expect(task.phoneNumberID == "106" && task.mime == "image/png" && task.filename == "a.png")
        #expect(try end(task, .taken(metaID: "77"))?.expiresAt == bench.now + .seconds(30 * 86_400))
        let attempt = try #require(try bench.claim(1).first)
        #expect(content(attempt) == #"{"id":"77","caption":"c"}"#)
        #expect(try due().isEmpty)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func oneUploadServesEverybodyAndEachIsLetGo() throws {
        let file = try keep()
        let ids = try (0..<500).map { try submit(file, "1415555\(2000 + $0)") }
        for _ in 0..<20 { #expect(try bench.claim(1000).isEmpty) }
        #expect(try bench.message(try #require(ids.last)).waitsAt == .gate(.media))
        let tasks = try due()
        #expect(tasks.count == 1)
        try end(try #require(tasks.first), .taken(metaID: "77"))
        var left: Set<MessageID> = []
        for _ in 0..<20 { for attempt in try bench.claim(1000) { left.insert(attempt.message) } }
        #expect(left == Set(ids))
        #expect(try due().isEmpty)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func aRestartForgetsNeitherTheUploadNorWhoWaits() throws {
        let file = try keep()
        let id = try submit(file)
        #expect(try bench.claim(1).isEmpty)
        try bench.reopen()
        let task = try #require(try due().first)
        #expect(try bench.claim(1).isEmpty)
        try end(task, .taken(metaID: "77"))
        // Ended, and killed before anybody was let go.
        try bench.reopen()
        var attempts: [Attempt] = []
        for _ in 0..<3 { attempts += try bench.claim(1) }
        #expect(attempts.map(\.message) == [id])
        #expect(content(try #require(attempts.first)) == #"{"id":"77","caption":"c"}"#)
    }

    @Test func whatMetaRefusesFailsItsMessagesAndIsTriedAgainForALaterOne() throws {
        let file = try keep()
        let ids = try [submit(file, "14155552671"), submit(file, "14155552672")]
        #expect(try bench.claim(2).isEmpty)
        let failure = Failure(code: "MEDIA_REFUSED", message: "no")
        try end(try #require(try due().first), .refused(failure))
        for _ in 0..<3 { #expect(try bench.claim(2).isEmpty) }
        for id in ids {
            #expect(try bench.message(id).state == .failed)
            #expect(try bench.message(id).failure == failure)
        }
        let soon = try submit(file, "14155552673")
        #expect(try bench.claim(2).isEmpty)
        #expect(try bench.message(soon).state == .failed)
        try bench.tick(MediaUpload.refusedFor)
        let late = try submit(file, "14155552674")
        #expect(try bench.claim(2).isEmpty)
        #expect(try bench.message(late).waitsAt == .gate(.media))
        #expect(try due().count == 1)
    }

    @Test func aBadMomentIsWaitedOutHoweverLong() throws {
        let id = try submit(try keep())
        #expect(try bench.claim(1).isEmpty)
        try end(try #require(try due().first), .later(noToken, askedFor: .seconds(30), counts: false))
        #expect(try due().isEmpty)
        let next = try #require(try bench.queue.nextUpload(underWay: []))
        #expect(next >= bench.now + .seconds(30))
        for _ in 0..<50 {
            bench.now = try #require(try bench.queue.nextUpload(underWay: []))
            try end(try #require(try due().first), .later(noToken, askedFor: nil, counts: false))
        }
        #expect(try bench.message(id).waitsAt == .gate(.media))
        let most = try #require(bench.queue.line(line)).settings.retry.attemptsMax
        for _ in 0..<3 * most {
            bench.now = try #require(try bench.queue.nextUpload(underWay: []))
            try end(try #require(try due().first), .later(down, askedFor: nil, counts: true))
        }
        #expect(try bench.message(id).waitsAt == .gate(.media))
        bench.now = try #require(try bench.queue.nextUpload(underWay: []))
        try end(try #require(try due().first), .taken(metaID: "m1"))
        #expect(try bench.claim(1).map(\.message) == [id])
    }

    @Test func anExpiredIDIsUploadedAnew() throws {
        let file = try keep()
        _ = try submit(file)
        #expect(try bench.claim(1).isEmpty)
        try end(try #require(try due().first), .taken(metaID: "77"))
        #expect(try bench.claim(1).count == 1)
        try bench.tick(MediaUpload.kept - MediaUpload.margin)
        let id = try submit(file, "14155552672")
        #expect(try bench.claim(1).isEmpty)
        #expect(try bench.message(id).waitsAt == .gate(.media))
        try end(try #require(try due().first), .taken(metaID: "78"))
        #expect(content(try #require(try bench.claim(1).first)) == #"{"id":"78","caption":"c"}"#)
    }

    private let unknown = Failure(
        code: "131009",
        message: "Parameter value is not valid: Param image['id'] is not a valid whatsapp business account media "
            + "attachment ID")

    @Test func anIDMetaDoesNotKnowIsUploadedAnewAndTheTryDoesNotCount() throws {
        let id = try submit(try keep())
        #expect(try bench.claim(1).isEmpty)
        try end(try #require(try due().first), .taken(metaID: "77"))
        let first = try #require(try bench.claim(1).first)
        #expect(try bench.record(.refused(unknown, .forGood), first) == .moved(.retrying))
        let task = try #require(try due().first)
        try bench.tick(.seconds(3600))
        #expect(try bench.claim(1).isEmpty)
        try end(task, .taken(metaID: "78"))
        let second = try #require(try bench.claim(1).first)
        #expect(content(second) == #"{"id":"78","caption":"c"}"#)
        try bench.record(.accepted(wamid: "wamid.1"), second)
        #expect(try bench.message(id).state == .sent)
    }

    @Test func itIsNotUploadedForEver() throws {
        let id = try submit(try keep())
        for _ in 0...MediaUpload.rejectionsMax {
            #expect(try bench.claim(1).isEmpty)
            try end(try #require(try due().first), .taken(metaID: "77"))
            let attempt = try #require(try bench.claim(1).first)
            try bench.record(.refused(unknown, .forGood), attempt)
            try bench.tick(.seconds(86_400))
        }
        #expect(try bench.message(id).state == .failed)
        #expect(try bench.message(id).failure?.code == "131009")
    }

    @Test func otherRefusalsAreNoUploads() throws {
        let id = try submit(try keep())
        #expect(try bench.claim(1).isEmpty)
        try end(try #require(try due().first), .taken(metaID: "77"))
        let busy = Failure(code: "130429", message: "Rate limit hit")
        for _ in 0..<8 {
            try bench.tick(.seconds(3600))
            let attempt = try #require(try bench.claim(1).first)
            try bench.record(.refused(busy, .throttled(askedFor: nil)), attempt)
        }
        try bench.tick(.seconds(3600))
        try bench.record(.refused(unknown, .forGood), try #require(try bench.claim(1).first))
        #expect(try bench.message(id).state == .retrying)
        #expect(try due().count == 1)
    }

    @Test func oneMessageDoesNotHaveItUploadedForEverWhileOthersGetThrough() throws {
        let file = try keep()
        let wrong = try submit(file)
        var uploads = 0
        while try bench.message(wrong).state != .failed, uploads < 20 {
            _ = try submit(file, "1415555\(3000 + uploads)")
            _ = try bench.claim(2)
            if let task = try due().first {
                uploads += 1
                try end(task, .taken(metaID: "\(uploads)"))
            }
            for attempt in try bench.claim(2) {
                let isWrong = attempt.message == wrong
                try bench.record(
                    isWrong ? .refused(unknown, .forGood) : .accepted(wamid: "wamid.\(attempt.message.rawValue)"),
                    attempt)
            }
            try bench.tick(.seconds(86_400))
        }
        #expect(uploads == 6)
        #expect(try bench.message(wrong).failure?.code == "131009")
    }

    @Test func aFileSomebodyWaitsForStaysAndAnotherOneGoes() throws {
        let file = try keep()
        let id = try submit(file)
        #expect(try bench.run { try $0.removeFile(file.id, account: 2) } == .notFound)
        #expect(try bench.run { try $0.removeFile(file.id, account: 1) } == .inUse)
        _ = try bench.run { try $0.cancel(id, account: 1, now: bench.now) }
        #expect(try bench.run { try $0.removeFile(file.id, account: 1) } == .done)
        #expect(bench.queue.takeFilesToRemove() == [file.sha256])
        #expect(try bench.run { try $0.removeFile(file.id, account: 1) } == .notFound)
        guard case .refused(.media(let problem)) = try bench.submitted(try draft(file)) else { throw Unexpected() }
        #expect(problem.field == "image.media")
    }

    @Test func theBytesStayWhileAnotherRowHasThem() throws {
        let file = try keep()
        let other = try keep(1, mime: "image/jpeg")
        #expect(try bench.run { try $0.removeFile(file.id, account: 1) } == .done)
        #expect(bench.queue.takeFilesToRemove() == [])
        #expect(try bench.run { try $0.removeFile(other.id, account: 1) } == .done)
        #expect(bench.queue.takeFilesToRemove() == [file.sha256])
    }

    @Test func aFileOfAnotherKindIsRefused() throws {
        var draft = try draft(try keep(3, mime: "audio/ogg"))
        guard case .refused(.media(let problem)) = try bench.submitted(draft) else { throw Unexpected() }
        #expect(problem.message.contains("audio/ogg"))
        draft.media?.shownAs = "audio"
        draft.type = "audio"
        guard case .done = try bench.submitted(draft) else { throw Unexpected() }
    }

    @Test func anotherNumberHasNoneOfTheUploads() throws {
        let file = try keep()
        _ = try submit(file)
        #expect(try bench.claim(1).isEmpty)
        let task = try #require(try due().first)
        try bench.change { $0.phoneNumberID = "107" }
        // What was made for the number before does not count.
        #expect(try end(task, .taken(metaID: "77")) == nil)
        for _ in 0..<2 { #expect(try bench.claim(1).isEmpty) }
        let next = try #require(try due().first)
        #expect(next.phoneNumberID == "107")
        try end(next, .taken(metaID: "78"), number: "107")
        #expect(content(try #require(try bench.claim(1).first)) == #"{"id":"78","caption":"c"}"#)
    }

    @Test func aMessageThatIsMovedWaitsForTheOtherLinesUpload() throws {
        var settings = LineSettings(name: "other", phoneNumberID: "107", wabaID: nil, credential: "c")
        settings.closedWindow = .leave
        try bench.run { _ = try $0.put(settings, account: 1, now: bench.now) }
        let file = try keep()
        var first = try draft(file)
        first.line = "main"
        guard case .done(let done) = try bench.submitted(first) else { throw Unexpected() }
        #expect(try bench.claim(1).isEmpty)
        try end(try #require(try due().first), .taken(metaID: "77"))
        let moved = try bench.run {
            try $0.move(done.id, to: "other", dryRun: false, by: "t", account: 1, now: bench.now)
        }
        #expect(moved == .done(.queued, line: "other"))
        #expect(try bench.claim(1).isEmpty)
        let task = try #require(try due().first)
        #expect(task.phoneNumberID == "107")
        try end(task, .taken(metaID: "78"), number: "107")
        #expect(content(try #require(try bench.claim(1).first)) == #"{"id":"78","caption":"c"}"#)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func whoeverComesBehindToTheSamePersonStaysBehind() throws {
        let id = try submit(try keep())
        let text = try bench.submit()
        #expect(try bench.claim(2).isEmpty)
        #expect(try bench.message(text).waitsAt == .gate(.order))
        try end(try #require(try due().first), .taken(metaID: "77"))
        let first = try bench.claim(2)
        #expect(first.map(\.message) == [id])
        try bench.record(.accepted(wamid: "wamid.1"), try #require(first.first))
        #expect(try bench.claim(2).map(\.message) == [text])
    }

    @Test func pruningTakesWhatNobodyNeeds() throws {
        let awaited = try keep(1)
        let unused = try keep(2)
        var later = try draft(awaited)
        later.sendAt = bench.now + .seconds(90 * 86_400)
        guard case .done = try bench.submitted(later) else { throw Unexpected() }
        bench.now = bench.now + .seconds(31 * 86_400)
        let used = try keep(3)
        for _ in 0..<100 where try !bench.run({ try $0.prune(bench.now, needed: nil) }).isDone {}
        let reader = try QueueReader(path: bench.path)
        let left = try reader.files(account: 1, before: nil, limit: 9).files.map(\.file.id)
        #expect(Set(left) == [awaited.id, used.id])
        #expect(bench.queue.takeFilesToRemove() == [unused.sha256])
    }

    @Test func anErasureTakesTheFilesOnlyThatPersonGot() throws {
        let own = try keep(1)
        let shared = try keep(2)
        let replaced = try keep(3)
        let once = try keep(4)
        let unnamed = try keep(5)
        for file in [own, shared, replaced, once] { _ = try submit(file, "14155552671") }
        // As a fallback that went in its place leaves it, and as pruning leaves what others got.
        try bench.sql("UPDATE message SET media = NULL WHERE media = \(replaced.id.rawValue)")
        for file in [shared, once] { _ = try submit(file, "14155552672") }
        try bench.sql(
            "UPDATE message SET media = NULL WHERE media = \(once.id.rawValue) AND recipient = '14155552672'")
        var erasure = Erasure(of: "14155552671", account: 1)
        for _ in 0..<100 where !erasure.waitsForLog {
            try bench.run { try $0.erase(&erasure, now: bench.now, needed: nil) }
        }
        #expect(erasure.report.files == 2)
        #expect(Set(bench.queue.takeFilesToRemove()) == [own.sha256, replaced.sha256])
        let reader = try QueueReader(path: bench.path)
        let left = try reader.files(account: 1, before: nil, limit: 9).files.map(\.file.id)
        #expect(Set(left) == [shared.id, once.id, unnamed.id])
    }

    @Test func aReceivedFileIsFoundByItsAccountAlone() throws {
        var payload = InboundMessage.Payload(body: Array(#"{"image":{"id":"9001"}}"#.utf8))
        payload.media = "9001"
        let message = InboundMessage(
            phoneNumberID: "106", from: "14155552671", at: bench.now, wamid: "wamid.9", kind: "image", payload: payload)
        _ = try bench.run { try $0.keep(message, line: line, now: bench.now) }
        let reader = try QueueReader(path: bench.path)
        #expect(try reader.received(media: "9001", account: 1)?.line.name == "main")
        #expect(try reader.received(media: "9001", account: 2) == nil)
        #expect(try reader.received(media: "9002", account: 1) == nil)
    }
}
