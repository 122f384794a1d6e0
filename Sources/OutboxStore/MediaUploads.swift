package import OutboxCore

/// One try to upload that is to be made now.
package struct UploadTask: Equatable, Sendable {
    package var key: MediaUpload.Key
    package var sha256: [UInt8]
    package var mime: String
    package var size: Int64
    package var filename: String?
    package var lineName: String
    package var phoneNumberID: String
    package var credential: String
}

/// Uploads of files to Meta: durable steps before the sends that need them, each with its own retries.
extension Queue {
    /// Messages let go at once when an upload has ended, so that one-time codes never wait long for them.
    private static let letGoAtOnce: Int64 = 200

    func rememberUploads() throws {
        try countUploads()
        let rejected = try database.prepare("SELECT \(MediaUpload.columns) FROM media_upload WHERE rejections > 0")
            .all { MediaUpload($0).key }
        memory.uploadsRejected = Set(rejected)
    }

    func countUploads() throws {
        memory.uploadsWaiting = try database.integer("SELECT count(*) FROM media_upload WHERE state = 0")
    }

    package func upload(_ key: MediaUpload.Key) throws -> MediaUpload? {
        try files.upload.first(.integer(key.media.rawValue), .integer(key.line)) { MediaUpload($0) }
    }

    private func save(_ upload: MediaUpload) throws {
        let before = try self.upload(upload.key)?.state
        try files.saveUpload.run(
            .integer(upload.key.media.rawValue), .integer(upload.key.line), .integer(upload.state.rawValue),
            .optional(upload.metaID), .optional(upload.expiresAt?.milliseconds), .integer(upload.attempts),
            .integer(upload.failures), .integer(upload.rejections), .optional(upload.nextAt?.milliseconds),
            .optional(upload.failure?.code), .optional(upload.failure?.message))
        memory.uploadsWaiting += (upload.state == .waiting ? 1 : 0) - (before == .waiting ? 1 : 0)
        if upload.rejections > 0 {
            memory.uploadsRejected.insert(upload.key)
        } else {
            memory.uploadsRejected.remove(upload.key)
        }
    }

    /// To be made from the beginning. Whoever waited for the one before waits for this one.
    private func ask(for upload: MediaUpload, _ now: Timestamp) throws -> MediaUpload {
        memory.uploadsEnded.removeAll { $0 == upload.key }
        var upload = upload
        (upload.state, upload.metaID, upload.expiresAt) = (.waiting, nil, nil)
        (upload.attempts, upload.failures, upload.nextAt, upload.failure) = (0, 0, now, nil)
        try save(upload)
        return upload
    }

    /// The upload of a file for a line; one that Meta does not have, or refused, is asked for.
    package func askForUpload(_ key: MediaUpload.Key, now: Timestamp) throws -> MediaUpload {
        guard let upload = try upload(key) else { return try ask(for: MediaUpload(key: key), now) }
        if upload.usable(now) != nil || upload.state == .waiting { return upload }
        return try ask(for: upload, now)
    }

    /// Whether a message may go with its file, and with which id of Meta's.
    func standing(of media: MessageID, for line: Int64, _ now: Timestamp) throws -> (MediaStanding, MediaUse?) {
        let key = MediaUpload.Key(media: media, line: line)
        guard var upload = try upload(key) else {
            guard try files.anybodys.first(.integer(media.rawValue), body: { MediaFile($0) }) != nil else {
                return (.refused(.mediaGone), nil)
            }
            _ = try ask(for: MediaUpload(key: key), now)
            return (.uploading, nil)
        }
        if let metaID = upload.usable(now) {
            return (.ready, MediaUse(media: media, name: codec.text(media, .media), metaID: metaID))
        }
        if upload.state == .refused, let failure = upload.failure, upload.nextAt.map({ now < $0 }) ?? false {
            return (.refused(failure), nil)
        }
        if upload.state != .waiting { upload = try ask(for: upload, now) }
        return (.uploading, nil)
    }

    // MARK: Tries

    /// Uploads whose time has come, without those under way.
    package func dueUploads(_ now: Timestamp, underWay: Set<MediaUpload.Key>, limit: Int) throws -> [UploadTask] {
        guard memory.uploadsWaiting > 0, limit > 0 else { return [] }
        let rows = try files.dueUploads.all(.integer(now.milliseconds), .integer(Int64(limit + underWay.count))) {
            row in
            (
                key: MediaUpload.Key(media: MessageID(rawValue: row.integer(0)), line: row.integer(1)),
                sha256: row.bytes(2), mime: row.text(3), size: row.integer(4), filename: row.optionalText(5)
            )
        }
        let tasks = rows.filter { !underWay.contains($0.key) }.compactMap { row -> UploadTask? in
            guard let line = memory.lines[row.key.line] else { return nil }
            return UploadTask(
                key: row.key, sha256: row.sha256, mime: row.mime, size: row.size, filename: row.filename,
                lineName: line.name, phoneNumberID: line.settings.phoneNumberID, credential: line.settings.credential)
        }
        return Array(tasks.prefix(limit))
    }

    /// When the next one is to be tried that is not under way.
    package func nextUpload(underWay: Set<MediaUpload.Key>) throws -> Timestamp? {
        guard memory.uploadsWaiting > 0 else { return nil }
        let first = try files.nextUploads.all(.integer(Int64(underWay.count + 1))) { row in
            (
                key: MediaUpload.Key(media: MessageID(rawValue: row.integer(1)), line: row.integer(2)),
                moment: Timestamp(milliseconds: row.integer(0))
            )
        }
        return first.first { !underWay.contains($0.key) }?.moment
    }

    /// Writes how a try ended. Nil: nobody asks for it any more. `phoneNumberID` is the number it was made for.
    package func uploadEnded(
        _ key: MediaUpload.Key, _ outcome: MediaOutcome, phoneNumberID: String, now: Timestamp,
        chance: inout some RandomNumberGenerator
    ) throws -> MediaUpload? {
        guard var upload = try upload(key), upload.state == .waiting else { return nil }
        guard memory.lines[key.line]?.settings.phoneNumberID == phoneNumberID else {
            upload.nextAt = now
            try save(upload)
            return upload
        }
        upload.attempts += 1
        switch outcome {
        case .taken(let metaID):
            (upload.state, upload.metaID, upload.expiresAt) = (.done, metaID, now + MediaUpload.kept)
            (upload.nextAt, upload.failure) = (nil, nil)
        case .refused(let failure): refuse(&upload, failure, now)
        case .later(let failure, let askedFor, let counts):
            let schedule = schedule(of: key.line)
            upload.failure = failure
            if counts { upload.failures += 1 }
            // However often: that Meta is down says nothing of the file, nor of the messages that wait for it.
            upload.nextAt = now + schedule.wait(afterFailures: upload.attempts, askedFor: askedFor, chance: &chance)
        }
        try save(upload)
        if upload.state != .waiting { memory.uploadsEnded.append(key) }
        return upload
    }

    private func refuse(_ upload: inout MediaUpload, _ failure: Failure, _ now: Timestamp) {
        upload.state = .refused
        upload.failure = failure
        upload.nextAt = now + MediaUpload.refusedFor
    }

    /// One slice of the messages that waited for an upload that has ended. Answers whether there is more.
    func releaseUploaded() throws -> Bool {
        guard let key = memory.uploadsEnded.first else { return false }
        let slice = try files.waiting.all(
            .integer(key.line), .integer(key.media.rawValue), .integer(Self.letGoAtOnce)
        ) { (id: MessageID(rawValue: $0.integer(0)), priority: Priority(rawValue: $0.integer(1)) ?? .normal) }
        for (id, priority) in slice { try unpark(id, key.line, priority, from: .media) }
        if slice.count < Int(Self.letGoAtOnce) { memory.uploadsEnded.removeFirst() }
        return !memory.uploadsEnded.isEmpty
    }

    // MARK: What sends say of it

    func accepted(_ use: MediaUse, line: Int64) throws {
        let key = MediaUpload.Key(media: use.media, line: line)
        guard memory.uploadsRejected.contains(key), var upload = try upload(key) else { return }
        upload.rejections = 0
        try save(upload)
    }

    /// Whether Meta refused a message because it no longer knows the id it gave for the file. Then the file is to be
    /// uploaded anew; not for ever, should Meta mean something else by it.
    func isForgotten(_ use: MediaUse, line: Int64, _ failure: Failure, _ now: Timestamp) throws -> Bool {
        guard failure.saysMediaIsUnknown,
            var upload = try upload(MediaUpload.Key(media: use.media, line: line))
        else { return false }
        // Another message has found it out already.
        guard upload.metaID == use.metaID else { return true }
        guard upload.rejections < MediaUpload.rejectionsMax else {
            // Not for good: after a while whoever names it has it uploaded once more.
            refuse(&upload, failure, now)
            try save(upload)
            return false
        }
        upload = try ask(for: upload, now)
        upload.nextAt = now + Self.askedAgainAfter[Int(upload.rejections)]
        upload.rejections += 1
        try save(upload)
        return true
    }

    /// One message does not have its file uploaded for ever, while others that name it get through. What is remembered
    /// of it need not outlast the process.
    func mayReupload(_ id: MessageID) -> Bool {
        let count = memory.reuploads[id] ?? 0
        guard count < Self.reuploadsMax else {
            memory.reuploads[id] = nil
            return false
        }
        if memory.reuploads.count >= Self.reuploadsKept { memory.reuploads = [:] }
        memory.reuploads[id] = count + 1
        return true
    }

    private static let reuploadsMax = 5
    private static let reuploadsKept = 10_000

    /// How long Meta is left alone after the first, second and third id that it did not know.
    private static let askedAgainAfter = [Duration.zero, .seconds(5), .seconds(30)]

    // MARK: Lines

    /// Uploads are of a number: another one starts without any.
    func forgetUploads(_ line: Int64) throws {
        try database.prepare("DELETE FROM media_upload WHERE line = :line").run(.integer(line))
        memory.uploadsRejected = memory.uploadsRejected.filter { $0.line != line }
        memory.uploadsEnded.removeAll { $0.line == line }
        try countUploads()
        sweep(.media, line: line)
    }

    /// Somebody changed the line: what did not get through may now.
    func tryUploadsNow(_ line: Int64, _ now: Timestamp) throws {
        guard memory.uploadsWaiting > 0 else { return }
        try files.tryNow.run(.integer(now.milliseconds), .integer(line))
    }
}

extension Failure {
    static let mediaGone = Failure(
        code: "MEDIA_GONE", message: "the file it names was removed before it could be uploaded; hand it in again")

    /// Meta does not know the media id: "Param image['id'] is not a valid whatsapp business account media attachment
    /// ID", as code 100 or 131009; other wordings speak of a media id that was not found or has expired.
    var saysMediaIsUnknown: Bool {
        guard ["100", "131008", "131009", "131052", "131053"].contains(code) else { return false }
        let words = message.lowercased()
        return words.contains("media attachment id") || words.contains("media id")
    }
}

extension MediaUpload {
    static let columns = """
        media, line, state, meta_id, expires_at, attempts, failures, rejections, next_at, error_code, error_message
        """

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        self.init(key: Key(media: MessageID(rawValue: row.integer(0)), line: row.integer(1)))
        state = MediaUploadState(rawValue: row.integer(2)) ?? .waiting
        metaID = row.optionalText(3)
        expiresAt = time(4)
        attempts = row.integer(5)
        failures = row.integer(6)
        rejections = row.integer(7)
        nextAt = time(8)
        failure = row.optionalText(9).map { Failure(code: $0, message: row.optionalText(10) ?? "") }
    }
}
