import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What the writer remembers of uploads between turns. A crash forgets it: the next start makes them again.
struct UploadsUnderWay {
    /// Uploads out there whose end has not come back.
    var keys: Set<MediaUpload.Key> = []
    /// Whoever handed in a file for a line and waits for Meta's id of it.
    var waiting: [Waiter] = []

    struct Waiter {
        var exchange: Exchange
        var kept: KeptMedia
        var key: MediaUpload.Key
        /// Of the steady clock: told then how far it is. Set when the turn is stored.
        var until: UInt64 = 0
    }
}

/// A file that was handed in, as its caller is told of it.
struct KeptMedia: Sendable {
    var file: MediaFile
    var isNew: Bool
    /// For which it is uploaded at once; nil: for none.
    var line: String?
    var upload: MediaUpload?
}

/// Files and their uploads.
extension WriterStep {
    /// How long somebody waits for Meta's id before being told that it takes longer.
    static var idPatience: UInt64 { 30_000_000_000 }

    func keep(_ draft: MediaDraft, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        var line: Line?
        if let name = draft.line {
            guard let found = queue.line(named: name, account: account) else {
                let words = "there is no line \(name); see outboxctl line ls"
                return Effect(reply: (exchange, .wrong(FieldError("line", words))))
            }
            line = found
        }
        let (file, isNew) = try queue.keep(draft, account: account, now: now)
        var kept = KeptMedia(file: file, isNew: isNew)
        guard let line else { return Effect(reply: (exchange, .media(kept))) }
        let key = MediaUpload.Key(media: file.id, line: line.id)
        let upload = try queue.askForUpload(key, now: now)
        kept.line = line.name
        kept.upload = upload
        if upload.usable(now) != nil { return Effect(reply: (exchange, .media(kept))) }
        return Effect(waiter: UploadsUnderWay.Waiter(exchange: exchange, kept: kept, key: key))
    }

    func record(_ end: UploadEnd, _ now: Timestamp) throws -> Effect {
        let upload = try queue.uploadEnded(
            end.task.key, end.outcome, phoneNumberID: end.task.phoneNumberID, now: now, chance: &chance)
        return Effect(log: words.uploaded(end, upload), upload: upload)
    }

    /// Behind a turn: uploads that are to be made now, files that are to be removed, and who has waited long enough.
    func uploadOn(
        _ ended: [MediaUpload], _ now: Timestamp, _ tick: UInt64, mayBegin: Bool, _ outputs: inout Outputs
    ) throws {
        outputs.removedFiles = queue.takeFilesToRemove()
        if mayBegin {
            outputs.uploads = try queue.dueUploads(
                now, underWay: uploads.keys, limit: MediaUploader.connections - uploads.keys.count)
            uploads.keys.formUnion(outputs.uploads.map(\.key))
            if uploads.keys.count < MediaUploader.connections {
                outputs.wake = [outputs.wake, try queue.nextUpload(underWay: uploads.keys)].compactMap { $0 }.min()
            }
        }
        guard !uploads.waiting.isEmpty else { return }
        uploads.waiting = try uploads.waiting.filter { waiter in
            var waiter = waiter
            let isOver = waiter.until <= tick || !mayBegin
            if let upload = ended.first(where: { $0.key == waiter.key }) {
                waiter.kept.upload = upload
                // A try that is made again is no news.
                guard upload.state != .waiting || isOver else { return true }
            } else if isOver {
                waiter.kept.upload = try queue.upload(waiter.key) ?? waiter.kept.upload
            } else {
                return true
            }
            outputs.replies.append((waiter.exchange, .media(waiter.kept)))
            return false
        }
        outputs.wakeTick = ([outputs.wakeTick] + uploads.waiting.map(\.until)).compactMap { $0 }.min()
    }
}

extension WriterWords {
    /// Nil: nobody asked for it any more.
    func uploaded(_ end: UploadEnd, _ upload: MediaUpload?) -> [LogLine] {
        guard let upload else { return [] }
        let id = mediaText(end.task.key.media)
        var fields: [(LogLine.Field, String)] = [(.line, end.task.lineName)]
        if let failure = upload.failure { fields.append((.code, failure.code)) }
        switch upload.state {
        case .done:
            return [LogLine(.info, .mediaUploaded, "Meta has the file \(id) as \(upload.metaID ?? "?")", fields)]
        case .refused:
            let words = "the file \(id) is not uploaded: \(upload.failure?.message ?? "")"
            return [LogLine(.error, .mediaRefused, words, fields)]
        case .waiting:
            let words = "the file \(id) could not be uploaded yet, and is tried again: \(upload.failure?.message ?? "")"
            return [LogLine(.info, .mediaRetried, words, fields)]
        }
    }
}
