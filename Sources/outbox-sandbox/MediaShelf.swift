import CLinux
import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// A file the sandbox has, its bytes in a file without a name.
final class ShelvedFile {
    let id: String
    /// Which uploaded it; nil: a person sent it.
    let phoneNumberID: String?
    let mime: String
    let size: Int
    let sha256: String
    let descriptor: Int32
    /// Of the steady clock.
    let expiresAt: UInt64

    init(
        id: String, phoneNumberID: String?, mime: String, size: Int, sha256: String, descriptor: Int32,
        expiresAt: UInt64
    ) {
        self.id = id
        self.phoneNumberID = phoneNumberID
        self.mime = mime
        self.size = size
        self.sha256 = sha256
        self.descriptor = descriptor
        self.expiresAt = expiresAt
    }

    deinit { close(descriptor) }
}

/// All files, by id. The oldest go when there are many.
struct MediaShelf {
    private static let filesMax = 500
    /// Other ids stand for files somebody uploaded before: they are taken, and there is nothing behind them.
    private static let (ownPrefix, ownLength) = ("5550", 18)

    private var files: [String: ShelvedFile] = [:]
    private var order: [String] = []
    private(set) var uploads = 0
    private(set) var uploadedBytes = 0
    private(set) var downloads = 0

    mutating func put(_ file: ShelvedFile) {
        files[file.id] = file
        order.append(file.id)
        if order.count > Self.filesMax { files[order.removeFirst()] = nil }
        if file.phoneNumberID != nil {
            uploads += 1
            uploadedBytes += file.size
        }
    }

    mutating func fetched() { downloads += 1 }

    mutating func remove(_ id: String) -> Bool { files.removeValue(forKey: id) != nil }

    mutating func removeAll() {
        files = [:]
        order = []
    }

    func file(_ id: String, _ now: UInt64) -> ShelvedFile? { files[id].flatMap { now < $0.expiresAt ? $0 : nil } }

    /// Whether an id is one the sandbox would have given out.
    static func isOwn(_ id: String) -> Bool {
        id.hasPrefix(ownPrefix) && id.utf8.count == ownLength && id.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    static func newID(_ dice: inout Dice) -> String {
        ownPrefix + String(UInt64.random(in: 10_000_000_000_000...99_999_999_999_999, using: &dice))
    }

    /// What Meta says to a message with a file it does not know, or that another number uploaded; nil: nothing.
    func refusal(of message: PostedMessage, from phoneNumberID: String, _ now: UInt64) -> Refusal? {
        for (place, id) in message.media where Self.isOwn(id) {
            let file = file(id, now)
            if file == nil || file?.phoneNumberID != phoneNumberID {
                return .value(
                    "Param \(place)['id'] is not a valid whatsapp business account media attachment ID")
            }
        }
        return nil
    }
}

/// A file on its way in. `form`: as Meta takes uploads; without, a person's file as a test hands it in.
final class SandboxUpload {
    let phoneNumberID: String?
    private(set) var fields: [String: String] = [:]
    private(set) var fileType: String?
    private(set) var size = 0
    private(set) var hasFile = false
    private var form: MultipartReader?
    private var part: String?
    private var value: [UInt8] = []
    private let sum = SHA256Sum()
    private(set) var descriptor: Int32 = -1

    /// Nil when there is no place for the bytes.
    init?(phoneNumberID: String?, boundary: String?) {
        self.phoneNumberID = phoneNumberID
        form = boundary.map { MultipartReader(boundary: $0) }
        hasFile = boundary == nil
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var path = Array("\(folder)/outbox-sandbox-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else { return nil }
        unlink(path)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The bytes are somebody else's to close from now on.
    func takeDescriptor() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    func digest() -> [UInt8] { sum.finish() }

    var isWhole: Bool { form?.isDone ?? true }

    func take(_ piece: [UInt8]) throws(HTTPRefusal) {
        guard form != nil else { return write(piece) }
        for event in try form?.read(piece) ?? [] {
            switch event {
            case .part(let name, _, let type):
                part = name
                value = []
                if name == "file" {
                    hasFile = true
                    fileType = type
                }
            case .bytes(let bytes): if part == "file" { write(bytes) } else { value += bytes.prefix(1024) }
            case .partEnded:
                if let part, part != "file" { fields[part] = String(decoding: value, as: UTF8.self) }
                part = nil
            case .ended: break
            }
        }
    }

    private func write(_ bytes: [UInt8]) {
        size += bytes.count
        sum.add(bytes)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            precondition(count > 0 || errno == EINTR, "the disk has no room for what is uploaded")
            done += max(0, count)
        }
    }
}
