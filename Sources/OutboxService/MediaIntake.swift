import CLinux
import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxSystem

/// One file on its way in: from the pieces of a body into a file without a name of its own yet. Never more than a piece
/// of it is in memory.
final class MediaIntake {
    /// Bytes between two looks at how much of the disk is free.
    private static let lookEvery: Int64 = 8 << 20
    /// Of a form's fields, whose values are words.
    private static let fieldBytesMax = 1024

    let asker: Asker
    private let path: String
    private let descriptor: Int32
    private let hasRoom: () -> Bool
    private let sum = SHA256Sum()
    private var head: [UInt8] = []
    private var size: Int64 = 0
    private var nextLook = lookEvery
    private var query: MediaQuery
    /// As its headers say; a type Meta does not take may be a mistake of the client's.
    private var statedType: String?
    private var form: MultipartReader?
    private var part = Part.none
    private var hasFile = false

    private enum Part {
        case none
        case file
        case field(String, [UInt8])
    }

    /// Throws when the file cannot be made.
    init(path: String, _ asker: Asker, _ query: MediaQuery, contentType: String?, hasRoom: @escaping () -> Bool)
        throws(APIError)
    {
        self.path = path
        self.asker = asker
        self.query = query
        self.hasRoom = hasRoom
        if let boundary = contentType.flatMap(MultipartReader.boundary) {
            form = MultipartReader(boundary: boundary)
        } else {
            statedType = contentType
            hasFile = true
        }
        guard hasRoom() else { throw .diskFull }
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.unwritable(errno) }
    }

    deinit {
        close(descriptor)
        // Renamed by now if it is to stay.
        _ = removeFile(path)
    }

    private static func unwritable(_ number: Int32) -> APIError {
        if number == ENOSPC || number == EDQUOT { return .diskFull }
        if number == EMFILE || number == ENFILE {
            return APIError(.unavailable, "too many files are open: try again in a moment", retryAfter: 1)
        }
        return APIError(.internalError, "the file cannot be written: \(String(cString: strerror(number)))")
    }

    // MARK: Pieces

    func take(_ piece: [UInt8]) throws(APIError) {
        guard form != nil else { return try write(piece) }
        let events: [MultipartReader.Event]
        do throws(HTTPRefusal) {
            events = try form?.read(piece) ?? []
        } catch {
            throw APIError(.malformed, error.message, status: error.status)
        }
        for event in events { try take(event) }
    }

    private func take(_ event: MultipartReader.Event) throws(APIError) {
        switch event {
        case .part("file", let filename, let type):
            guard !hasFile else {
                throw .validation([FieldError("file", "is given twice; hand in one file at a time")])
            }
            hasFile = true
            part = .file
            statedType = type
            if let filename, query.filename == nil {
                // Some clients send the path.
                let name = filename.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
                if MediaQuery.isFilename(name) { query.filename = name }
            }
        case .part(let name, _, _): part = .field(name, [])
        case .bytes(let bytes):
            switch part {
            case .file: try write(bytes)
            case .field(let name, let before):
                guard before.count + bytes.count <= Self.fieldBytesMax else {
                    throw .validation([FieldError(String(name.prefix(64)), "is too long for a field of this form")])
                }
                part = .field(name, before + bytes)
            case .none: break
            }
        case .partEnded:
            if case .field(let name, let bytes) = part {
                let value = String(decoding: bytes, as: UTF8.self)
                if let problem = query.set(name, value) {
                    throw .validation([FieldError(String(name.prefix(64)), problem)])
                }
            }
            part = .none
        case .ended: break
        }
    }

    private func write(_ bytes: [UInt8]) throws(APIError) {
        if head.count < MediaType.headBytes { head += bytes.prefix(MediaType.headBytes - head.count) }
        size += Int64(bytes.count)
        let type = named
        if size > type?.bytesMax ?? MediaType.bytesMax {
            throw APIError(.tooLarge, type?.problem(size: size, head: head) ?? Self.tooLong)
        }
        if size >= nextLook {
            nextLook = size + Self.lookEvery
            guard hasRoom() else { throw .diskFull }
        }
        sum.add(bytes)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.unwritable(errno) }
            done += count
        }
    }

    static let tooLong = "a file may have \(MediaType.bytesMax) bytes at most: Meta takes no longer one"

    // MARK: The end

    /// Names the line by the id of its number.
    var number: String? { query.number }

    private var named: MediaType? { query.type.flatMap(MediaType.named) ?? statedType.flatMap(MediaType.named) }

    private func type() throws(APIError) -> MediaType {
        let type: MediaType
        if let named {
            type = named
        } else {
            let isVague = ["", "application/octet-stream", "application/x-www-form-urlencoded"].contains(
                (statedType ?? "").prefix { $0 != ";" }.lowercased())
            guard isVague else {
                throw .validation([FieldError("type", MediaQuery.typeWords(statedType ?? ""))])
            }
            guard let found = MediaType.of(head: head, filename: query.filename) else {
                throw .validation([
                    FieldError(
                        "type",
                        "is missing, and the file's first bytes and name do not tell it: give ?type= or a Content-Type; "
                            + "Meta takes \(MediaType.all.map(\.mime).joined(separator: ", "))")
                ])
            }
            type = found
        }
        if let problem = type.problem(head: head) { throw .validation([FieldError("file", problem)]) }
        if let problem = type.problem(size: size, head: head) { throw APIError(.tooLarge, problem) }
        return type
    }

    /// Checks what has come and gives the file its name in `folder`, durably.
    func finish(in folder: String) throws(APIError) -> MediaDraft {
        if let form, !form.isDone { throw APIError(.malformed, "the body ended before its last boundary") }
        guard hasFile else {
            throw .validation([FieldError("file", "is missing: the form needs a part of this name with the file")])
        }
        guard size > 0 else { throw .validation([FieldError("file", "is empty")]) }
        let type = try type()
        let digest = sum.finish()
        guard fsync(descriptor) == 0 else { throw Self.unwritable(errno) }
        guard rename(file: path, to: "\(folder)/\(hexadecimal(digest))") else { throw Self.unwritable(errno) }
        return MediaDraft(sha256: digest, mime: type.mime, size: size, filename: query.filename, line: query.line)
    }
}
