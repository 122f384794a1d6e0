import CLinux
import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON
import OutboxSystem

let backupCommand = Command(
    name: "backup", words: "FILE", summary: "a consistent copy of the queue, while everything goes on; - prints it",
    options: [.init("force", "replace FILE if it is there")]
) { arguments, client in
    let file = try words(arguments, "FILE")[0]
    if file == "-" {
        guard isatty(STDOUT_FILENO) == 0 else { throw Arguments.Problem("a backup is not for a terminal: name a FILE") }
        try fetch(client, into: STDOUT_FILENO)
        return
    }
    var info = stat()
    let exists = lstat(file, &info) == 0
    if exists, !arguments.has("force") {
        complain("outboxctl: \(file) is there already; another name, or --force to replace it")
        throw ExitStatus.refused
    }
    if exists, info.st_mode & S_IFMT != S_IFREG {
        complain("outboxctl: \(file) is no plain file, and is not replaced")
        throw ExitStatus.refused
    }
    let bytes = try write(client, to: file, replaces: arguments.has("force"))
    if client.wantsJSON {
        var json = JSONWriter()
        json.object {
            $0.object("data") {
                $0.field("file", file)
                $0.field("bytes", bytes)
            }
        }
        print(String(decoding: json.bytes, as: UTF8.self))
    } else {
        print("\(file): \(bytes) bytes; outboxd restore \(file) --verify looks it through")
    }
}

/// Under another name until it is whole and on the disk.
private func write(_ client: Client, to file: String, replaces: Bool) throws -> Int64 {
    let unfinished = "\(file).new"
    func failed(_ what: String) -> ExitStatus {
        complain("outboxctl: \(unfinished) cannot be \(what): \(String(cString: strerror(errno)))")
        return .failed
    }
    guard removeFile(unfinished) else { throw failed("removed") }
    let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failed("made") }
    defer {
        close(descriptor)
        _ = removeFile(unfinished)
    }
    let bytes = try fetch(client, into: descriptor)
    guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else { throw failed("synced") }
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
private func fetch(_ client: Client, into descriptor: Int32) throws -> Int64 {
    var request = client.request("POST", "/v1/backup")
    // A large queue takes its time to be copied.
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
        complain("outboxctl: the backup cannot be written: \(String(cString: strerror(problem)))")
        throw ExitStatus.failed
    }
    switch result {
    case .answered(200...299, _, _): return bytes
    case .answered(let status, _, let body): throw client.refused(status, try? JSONParser().parse(body))
    case .notSent(let text): throw client.notRunning(text)
    case .broken(let text):
        complain("outboxctl: outboxd broke off, and there is no backup: \(text)")
        throw ExitStatus.failed
    }
}
