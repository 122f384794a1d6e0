import CLinux
import Glibc
package import OutboxCore
package import OutboxStore
import OutboxSystem

/// Puts a backup in the place of the database, while no daemon runs.
///
/// Everything is done on a copy beside it; then names are changed, with a mark that lets no daemon start in between. A
/// kill at any moment leaves the database as it was, or the mark, and then the same command again comes to the end.
package struct Restoration {
    package struct Outcome {
        package var report: FileReport
        package var quarantined: Quarantined
        package var database: String
        /// Where the database lies that was replaced; nil: there was none.
        package var replaced: String?
    }

    /// Stands while names are changed.
    static func marker(_ database: String) -> String { "\(database).restoring" }

    /// What is in a file, as far as can be told without restoring it.
    package static func verify(_ file: String) throws -> FileReport {
        guard file != "-" else {
            throw StateProblem(status: .usage, description: "--verify needs a FILE; it reads it more than once")
        }
        try refuseOpenDatabase(file)
        let descriptor = try open(file)
        close(descriptor)
        do {
            return try FileReport.read(file)
        } catch let error as StoreError {
            throw StateProblem(
                status: error.isDamaged ? .damaged : .storage, description: "\(file): \(error); nothing was changed")
        }
    }

    /// Root reads the file as root, and then works as the owner of the state directory.
    package static func restore(_ file: String, settings: Settings, now: Timestamp) throws -> Outcome {
        if file != "-" { try refuseOpenDatabase(file) }
        let descriptor = file == "-" ? STDIN_FILENO : try open(file)
        try becomeOwner(of: settings.stateDirectory)
        umask(0o077)
        let directory = try StateDirectory(path: settings.stateDirectory, replaces: true)
        let database = directory.database
        let new = "\(database).new"
        try removeAll(new)
        defer { for suffix in suffixes { _ = removeFile(new + suffix) } }
        try copy(descriptor, to: new)
        let report: FileReport
        let quarantined: Quarantined
        do {
            report = try FileReport.read(new)
            guard report.problems.isEmpty else {
                throw StateProblem(
                    status: .damaged,
                    description: "the backup is damaged, and nothing was changed: \(report.problems[0])")
            }
            quarantined = try quarantine(new, report.takenAt, settings, now)
        } catch let error as StoreError {
            throw StateProblem(
                status: error.isDamaged ? .damaged : ExitStatus(error),
                description: "the backup cannot be worked with, and nothing was changed: \(error)")
        }
        let replaced = try exchange(database, new, now)
        return Outcome(report: report, quarantined: quarantined, database: database, replaced: replaced)
    }

    private static let suffixes = ["", "-wal", "-shm", "-journal"]

    private static func removeAll(_ file: String) throws {
        for suffix in suffixes where !removeFile(file + suffix) {
            throw StateProblem(file + suffix, "unlink", errno: errno)
        }
    }

    private static func open(_ file: String) throws -> Int32 {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let words = String(cString: strerror(errno))
            throw StateProblem(
                status: errno == ENOENT ? .foreign : .notOurs,
                description: "the backup \(file) cannot be read: \(words)")
        }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT != S_IFDIR else {
            close(descriptor)
            throw StateProblem(status: .foreign, description: "\(file) is a folder, not a backup")
        }
        return descriptor
    }

    /// Half of a database in use is not in its file but in the log beside it.
    private static func refuseOpenDatabase(_ file: String) throws {
        var info = stat()
        guard stat("\(file)-wal", &info) == 0, info.st_size > 0 else { return }
        throw StateProblem(
            status: .foreign,
            description: "\(file) has a log beside it: it is a database in use, or a part of one, and no backup; "
                + "outboxctl backup makes one")
    }

    private static func becomeOwner(of folder: String) throws {
        var info = stat()
        guard geteuid() == 0, stat(folder, &info) == 0, info.st_uid != 0 else { return }
        guard setgroups(0, nil) == 0, setgid(info.st_gid) == 0, setuid(info.st_uid) == 0 else {
            throw StateProblem(folder, "setuid", errno: errno)
        }
    }

    private static func copy(_ source: Int32, to file: String) throws {
        let target = Glibc.open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard target >= 0 else { throw StateProblem(file, "open", errno: errno) }
        defer { close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var isFirst = true
        while true {
            let count = read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw StateProblem(
                    status: .storage, description: "the backup cannot be read: \(String(cString: strerror(errno)))")
            }
            if isFirst, !buffer.prefix(max(count, 0)).starts(with: "SQLite format 3\0".utf8) {
                throw StateProblem(
                    status: .damaged,
                    description: "this is no backup of outboxd's: it does not begin as one; nothing was changed")
            }
            if count == 0 { break }
            isFirst = false
            var done = 0
            while done < count {
                let written = buffer[done..<count].withUnsafeBytes { Glibc.write(target, $0.baseAddress, $0.count) }
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw StateProblem(file, "write", errno: errno) }
                done += written
            }
        }
        guard fsync(target) == 0 else { throw StateProblem(file, "fsync", errno: errno) }
    }

    private static func quarantine(
        _ file: String, _ takenAt: Timestamp?, _ settings: Settings, _ now: Timestamp
    ) throws -> Quarantined {
        let done: Quarantined
        do {
            let queue = try Queue(
                path: file,
                reading: LimitClock.Reading(
                    boot: bootName(), tick: steadyNanoseconds(), wall: now, isSynchronised: wallClockIsSynchronised()),
                attemptMax: settings.attemptMax,
                keysKept: .seconds(settings.idempotencyHours * 3600))
            // The backup itself is the copy of what was before.
            if let upgrade = queue.upgrade { _ = removeFile(upgrade.backup) }
            done = try queue.quarantine(takenAt: takenAt, now: now)
            try queue.close()
        }
        try Queue.makeUnsure(file, takenAt: takenAt, now: now)
        guard sync(file: file, mode: 0o600) else { throw StateProblem(file, "fsync", errno: errno) }
        return done
    }

    /// The new file gets the database's name; what had it is kept under another one, with its log.
    private static func exchange(_ database: String, _ new: String, _ now: Timestamp) throws -> String? {
        let marker = marker(database)
        // A restore that was killed here has named the place already; file and log stay together.
        let begun = readFile(marker, bytesMax: 256).map { String(decoding: $0, as: UTF8.self) } ?? ""
        func exists(_ name: String) -> Bool { access(name, F_OK) == 0 }
        let moment = String(now.rfc3339.prefix(19).filter { $0.isNumber || $0 == "T" })
        var kept = begun.isEmpty ? "\(database).replaced-\(moment)" : begun
        while exists(database), exists(kept) { kept += "a" }
        try write(kept, marker)
        var replaced: String?
        for suffix in ["", "-wal", "-journal"] where exists(database + suffix) {
            guard rename(file: database + suffix, to: kept + suffix) else {
                throw StateProblem(database + suffix, "rename", errno: errno)
            }
        }
        if exists(kept) { replaced = kept }
        guard removeFile("\(database)-shm") else { throw StateProblem("\(database)-shm", "unlink", errno: errno) }
        guard rename(file: new, to: database) else { throw StateProblem(new, "rename", errno: errno) }
        guard removeFile(marker), syncFolder(of: database) else { throw StateProblem(marker, "unlink", errno: errno) }
        return replaced
    }

    private static func write(_ text: String, _ file: String) throws {
        let descriptor = Glibc.open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StateProblem(file, "open", errno: errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            syncFolder(of: file)
        else { throw StateProblem(file, "write", errno: errno) }
    }
}
