import CLinux
import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxMeta
import OutboxStore
import OutboxSystem

/// The files in the state directory: takes them in, hands them out, removes those no row names. On a thread of its own,
/// for it waits for the disk.
///
/// A file gets its name, its SHA-256, once it is whole and on the disk; then the writer keeps its row, and only then it is
/// answered. A crash in between leaves a file without a row, which the next start removes.
final class MediaStore: Sendable {
    /// Files that may come in at a time.
    static let intakesMax = 16
    /// Of one caller.
    static let intakesOfOneMax = 12
    static let pieceBytes = 64 << 10
    /// Files on their way out at a time.
    static let sendingMax = 64

    struct Parts: Sendable {
        /// The folder of the files.
        var folder: String
        /// Of the database.
        var path: String
        var idKey: [UInt8]
        var writer: WriterInbox
        var journal: Journal
        var fetcher: MediaFetcher
        var orders: @Sendable ([StreamOrder]) -> Void
        var answers: @Sendable ([(Exchange, HTTPResponse)]) -> Void
        /// The body of this exchange may go on.
        var resume: @Sendable (Exchange) -> Void
    }

    private enum Mail: Sendable {
        case begin(Exchange, Asker, MediaQuery, contentType: String?)
        case piece(Exchange, [UInt8])
        case ended(Exchange)
        case dropped(Exchange)
        /// The writer has answered.
        case kept(Exchange)
        case remove([[UInt8]])
        case get(Exchange, String, account: Int64)
        case drained(Exchange)
        case gone(Exchange)
        case breakOff
        case end
    }

    private let mailbox: Mailbox<Mail>
    private let thread: Thread
    /// Bytes of the disk that must stay free; nil: what `DiskRoom` holds for right.
    private let freeDiskMin: Lock<UInt64?>
    private let folder: String

    /// Removes what a process that was killed left behind.
    init(_ parts: Parts, freeDiskMin: UInt64?) throws {
        folder = parts.folder
        let floor = Lock(freeDiskMin)
        self.freeDiskMin = floor
        guard mkdir(parts.folder, 0o700) == 0 || errno == EEXIST else {
            throw StateProblem(parts.folder, "mkdir", errno: errno)
        }
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        let worker = Handover(Worker(parts, reader: try QueueReader(path: parts.path), floor: floor))
        try worker.value.sweep()
        thread = Thread("media") {
            while true {
                for mail in mailbox.take() where !worker.value.take(mail) { return }
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    func set(freeDiskMin: UInt64?) { self.freeDiskMin.withLock { $0 = freeDiskMin } }

    /// Whether so many bytes more leave enough of the disk.
    func hasRoom(for bytes: Int64) -> Bool {
        Self.hasRoom(folder, for: bytes, floor: freeDiskMin.withLock { $0 })
    }

    fileprivate static func hasRoom(_ folder: String, for bytes: Int64, floor: UInt64?) -> Bool {
        guard let room = DiskRoom.free(beside: folder) else { return true }
        let kept = floor ?? min(DiskRoom.reserve, room.size / DiskRoom.part)
        return room.free >= kept + UInt64(max(0, bytes))
    }

    func begin(_ exchange: Exchange, _ asker: Asker, _ query: MediaQuery, contentType: String?) {
        mailbox.post(.begin(exchange, asker, query, contentType: contentType))
    }
    func take(_ piece: [UInt8], _ exchange: Exchange) { mailbox.post(.piece(exchange, piece)) }
    func ended(_ exchange: Exchange) { mailbox.post(.ended(exchange)) }
    func dropped(_ exchange: Exchange) { mailbox.post(.dropped(exchange)) }
    func kept(_ exchange: Exchange) { mailbox.post(.kept(exchange)) }
    func get(_ exchange: Exchange, _ id: String, account: Int64) { mailbox.post(.get(exchange, id, account: account)) }
    func drained(_ exchange: Exchange) { mailbox.post(.drained(exchange)) }
    func gone(_ exchange: Exchange) { mailbox.post(.gone(exchange)) }

    /// Files whose last row has gone.
    func remove(_ digests: [[UInt8]]) { mailbox.post(.remove(digests)) }

    /// What is not handed over by now is broken off.
    func stop() { mailbox.post(.breakOff) }

    /// Once nobody can ask any more.
    func finish() {
        mailbox.post(.end)
        thread.join()
    }

    private final class Worker {
        private let parts: Parts
        private let reader: QueueReader
        private let codec: IDCodec
        private let floor: Lock<UInt64?>
        private var intakes: [Exchange: MediaIntake] = [:]
        /// Written, and the writer has not answered yet.
        private var keeping: [Exchange: [UInt8]] = [:]
        /// Files on their way out.
        private var sending: [Exchange: Int32] = [:]
        private var lastName = 0

        init(_ parts: Parts, reader: QueueReader, floor: Lock<UInt64?>) {
            self.parts = parts
            self.reader = reader
            self.floor = floor
            codec = IDCodec(key: parts.idKey)
        }

        /// False at the end.
        func take(_ mail: Mail) -> Bool {
            switch mail {
            case .begin(let exchange, let asker, let query, let type): begin(exchange, asker, query, type)
            case .piece(let exchange, let bytes):
                attempt(exchange) { (intake) throws(APIError) in
                    try intake.take(bytes)
                    parts.resume(exchange)
                }
            case .ended(let exchange): ended(exchange)
            case .dropped(let exchange): intakes[exchange] = nil
            case .kept(let exchange): if let digest = keeping.removeValue(forKey: exchange) { removeUnknown(digest) }
            case .remove(let digests): for digest in digests { removeUnknown(digest) }
            case .get(let exchange, let id, let account): get(exchange, id, account)
            case .drained(let exchange):
                if sending[exchange] != nil { sendOn(exchange) } else { parts.fetcher.drained(exchange) }
            case .gone(let exchange):
                if sending[exchange] != nil { forget(exchange) } else { parts.fetcher.gone(exchange) }
            case .breakOff: breakOff()
            case .end:
                intakes = [:]
                breakOff()
                return false
            }
            return true
        }

        // MARK: In

        private func begin(_ exchange: Exchange, _ asker: Asker, _ query: MediaQuery, _ type: String?) {
            lastName += 1
            let (folder, floor) = (parts.folder, floor)
            do throws(APIError) {
                intakes[exchange] = try MediaIntake(
                    path: "\(folder)/\(Self.unfinished)\(lastName)", asker, query, contentType: type,
                    hasRoom: { MediaStore.hasRoom(folder, for: 0, floor: floor.withLock { $0 }) })
            } catch {
                refuse(exchange, error)
            }
        }

        private func attempt(_ exchange: Exchange, _ body: (MediaIntake) throws(APIError) -> Void) {
            guard let intake = intakes[exchange] else { return }
            do throws(APIError) {
                try body(intake)
            } catch {
                intakes[exchange] = nil
                refuse(exchange, error)
            }
        }

        private func ended(_ exchange: Exchange) {
            attempt(exchange) { (intake) throws(APIError) in
                let line = try line(of: intake)
                var draft = try intake.finish(in: parts.folder)
                draft.line = line ?? draft.line
                intakes[exchange] = nil
                keeping[exchange] = draft.sha256
                parts.writer.post(.asked(intake.asker, .keepMedia(exchange, draft)))
            }
        }

        /// Nil: no number was named.
        private func line(of intake: MediaIntake) throws(APIError) -> String? {
            guard let number = intake.number else { return nil }
            let lines: [Line]
            do {
                lines = try reader.lines(account: intake.asker.account)
            } catch {
                throw APIError(.internalError, "the lines could not be read: \(error)")
            }
            guard
                let line = lines.first(where: { CallMissedID.names(number, $0.settings.phoneNumberID, line: $0.name) })
            else { throw CallMissedID.unknownNumber }
            return line.name
        }

        private func refuse(_ exchange: Exchange, _ error: APIError) {
            if error.code == .internalError {
                parts.journal.write(LogLine(.error, .mediaUnwritable, "a file that was handed in: \(error.message)"))
            }
            parts.answers([(exchange, .error(error))])
        }

        /// A file that was refused, or whose last row has gone; not one that is just being kept again.
        private func removeUnknown(_ digest: [UInt8]) {
            guard !keeping.values.contains(digest) else { return }
            do {
                guard try !reader.hasFile(sha256: digest) else { return }
                _ = removeFile("\(parts.folder)/\(hexadecimal(digest))")
            } catch {
                parts.journal.write(LogLine(.error, .readFailed, "whose files there are could not be read: \(error)"))
            }
        }

        private static let unfinished = ".unfinished-"

        func sweep() throws {
            guard let folder = opendir(parts.folder) else {
                throw StateProblem(parts.folder, "opendir", errno: errno)
            }
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name.hasPrefix(Self.unfinished) {
                    _ = removeFile("\(parts.folder)/\(name)")
                } else if let digest = bytes(hexadecimal: name), try !reader.hasFile(sha256: digest) {
                    _ = removeFile("\(parts.folder)/\(name)")
                }
            }
        }

        // MARK: Out

        private func get(_ exchange: Exchange, _ text: String, _ account: Int64) {
            do {
                if let id = codec.id(text, .media), let file = try reader.file(id, account: account) {
                    return try send(file, exchange)
                }
                guard isMetaID(text), let received = try reader.received(media: text, account: account) else {
                    throw APIError(
                        .notFound,
                        "there is no such file: neither one that was handed in nor one of a message that was received")
                }
                try parts.fetcher.fetch(exchange, text, received)
            } catch let error as APIError {
                parts.orders([.refuse(exchange, error)])
            } catch {
                parts.journal.write(LogLine(.error, .readFailed, "a file could not be looked up: \(error)"))
                let words = "the database could not be read; the journal says why"
                parts.orders([.refuse(exchange, APIError(.internalError, words))])
            }
        }

        private func send(_ file: MediaFile, _ exchange: Exchange) throws(APIError) {
            guard sending.count < MediaStore.sendingMax else {
                throw APIError(
                    .unavailable, "\(MediaStore.sendingMax) files are being handed out: try again in a moment",
                    retryAfter: 1)
            }
            let path = "\(parts.folder)/\(hexadecimal(file.sha256))"
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 || errno == ENOENT else {
                let number = errno
                let words = "the file \(path) cannot be read: \(String(cString: strerror(number)))"
                parts.journal.write(LogLine(.error, .readFailed, words))
                throw APIError(.unavailable, "the file cannot be read now; the journal says why", retryAfter: 5)
            }
            guard descriptor >= 0 else {
                throw APIError(
                    .notFound,
                    "the file's bytes are not here, as after a restore of the database alone: hand it in again")
            }
            sending[exchange] = descriptor
            parts.orders([
                .begin(exchange, mediaHead(type: file.mime, filename: file.filename), endless: false)
            ])
        }

        private func sendOn(_ exchange: Exchange) {
            guard let descriptor = sending[exchange] else { return }
            var bytes = [UInt8](repeating: 0, count: MediaStore.pieceBytes)
            let count = read(descriptor, &bytes, bytes.count)
            if count > 0 { return parts.orders([.piece(exchange, Array(bytes[..<count]))]) }
            forget(exchange)
            parts.orders([count == 0 ? .end(exchange) : .breakOff(exchange)])
        }

        private func forget(_ exchange: Exchange) {
            if let descriptor = sending.removeValue(forKey: exchange) { close(descriptor) }
        }

        private func breakOff() {
            for exchange in sending.keys {
                forget(exchange)
                parts.orders([.breakOff(exchange)])
            }
            parts.fetcher.stop()
        }
    }
}

/// The head of an answer with a file's bytes. Whatever they are, a browser shall not run them.
func mediaHead(type: String, filename: String?) -> HTTPResponse {
    var disposition = "attachment"
    if let filename {
        // RFC 8187: any name, in ASCII.
        disposition += "; filename*=UTF-8''\(percentEncoded(filename))"
    }
    let isType = type.utf8.allSatisfy { (0x21...0x7E).contains($0) || $0 == 0x20 }
    return HTTPResponse(
        status: 200,
        headers: [
            HTTPHeader("content-type", isType && !type.isEmpty ? type : "application/octet-stream"),
            HTTPHeader("content-disposition", disposition), HTTPHeader("x-content-type-options", "nosniff"),
        ])
}

/// 32 bytes out of 64 lower-case digits.
private func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: 64, by: 2) {
        guard let byte = UInt8(String(decoding: digits[place...place + 1], as: UTF8.self), radix: 16) else {
            return nil
        }
        bytes.append(byte)
    }
    return hexadecimal(bytes) == text ? bytes : nil
}
