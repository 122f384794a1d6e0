import CLinux
import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// An answer that becomes a file: under another name until it is whole and on the disk.
struct Download {
    let client: Client
    let request: OutgoingRequest
    /// What it is, for people: `the backup`.
    let what: String

    /// Answers how many bytes came. Only a plain file is replaced, and only where that is wanted.
    func save(as file: String, replaces: Bool) throws -> Int64 {
        var info = stat()
        if lstat(file, &info) == 0 {
            guard replaces else {
                complain("outboxctl: \(file) is there already; another name, or --force to replace it")
                throw ExitStatus.refused
            }
            guard info.st_mode & S_IFMT == S_IFREG else {
                complain("outboxctl: \(file) is no plain file, and is not replaced")
                throw ExitStatus.refused
            }
        }
        let unfinished = "\(file).\(hexadecimal(randomBytes(6))).new"
        func failed(_ what: String) -> ExitStatus {
            complain("outboxctl: \(unfinished) cannot be \(what): \(String(cString: strerror(errno)))")
            return .failed
        }
        let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failed("made") }
        defer {
            close(descriptor)
            _ = removeFile(unfinished)
        }
        let bytes = try write(into: descriptor)
        guard fsync(descriptor) == 0 else { throw failed("synced") }
        if replaces {
            guard rename(file: unfinished, to: file) else { throw failed("named \(file)") }
        } else {
            // Unlike a rename it replaces nothing that has come meanwhile.
            guard link(unfinished, file) == 0, syncFolder(of: file) else { throw failed("named \(file)") }
        }
        return bytes
    }

    /// Answers how many bytes came.
    @discardableResult
    func write(into descriptor: Int32) throws -> Int64 {
        var request = request
        // It may be long, and take its time to begin.
        request.timeout = .zero
        var bytes: Int64 = 0
        var problem: Int32 = 0
        let result = callAndHear(request) { piece in
            var done = 0
            while done < piece.count {
                let count = piece[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    problem = errno
                    return false
                }
                done += count
            }
            bytes += Int64(piece.count)
            return true
        }
        if problem != 0 {
            complain("outboxctl: \(what) cannot be written: \(String(cString: strerror(problem)))")
            throw ExitStatus.failed
        }
        switch result {
        case .answered(200...299, _, _): return bytes
        case .answered(let status, _, let body): throw client.refused(status, try? JSONParser().parse(body))
        case .notSent(let text): throw client.notRunning(text)
        case .broken(let text):
            complain("outboxctl: \(what) did not come whole, and is not kept: \(text)")
            throw ExitStatus.failed
        }
    }
}
