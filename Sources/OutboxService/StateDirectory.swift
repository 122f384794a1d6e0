import CLinux
import Glibc
import OutboxStore

/// Another outboxd works on this state directory.
package struct InUse: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// The folder of the database, held by one process at a time.
///
/// What stands in it is looked at before anything is opened, so that what is refused stays as it is, byte for byte.
struct StateDirectory {
    let path: String
    /// Both go with the process. The folder's own lock holds even where somebody removes the file.
    private let locks: [Int32]

    var database: String { "\(path)/outboxd.db" }
    var secrets: String { "\(path)/secrets" }
    /// Files callers handed in.
    var media: String { "\(path)/media" }

    /// Makes the folder when it is not there. `replaces`: whatever database stands there is about to be replaced, and
    /// is not looked at.
    init(path: String, replaces: Bool = false) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw StateProblem(path, "mkdir", errno: errno) }
        // SQLite follows no symbolic link anywhere in a path; the folder itself may lie behind one.
        guard let real = realpath(path, nil) else { throw StateProblem(path, "realpath", errno: errno) }
        defer { free(real) }
        self.path = String(cString: real)
        try Self.inspect(self.path)
        let folder = try Self.locked(self.path, O_RDONLY | O_DIRECTORY, path)
        locks = [folder, try Self.locked("\(self.path)/outboxd.lock", O_RDWR | O_CREAT, path)]
        if !replaces { try Self.inspectDatabase(database) }
    }

    private static func locked(_ file: String, _ flags: Int32, _ path: String) throws -> Int32 {
        let lock = open(file, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard lock >= 0 else { throw StateProblem(file, "open", errno: errno) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            close(lock)
            guard number == EWOULDBLOCK else { throw StateProblem(file, "flock", errno: number) }
            throw InUse(description: "another outboxd works on \(path); stop it, or name another --state-dir")
        }
        return lock
    }

    /// What `body` meets in the database, in words for whoever has to help.
    func opening<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as StoreError {
            throw StateProblem(database, error)
        }
    }

    // MARK: What stands there

    private static func inspect(_ path: String) throws {
        var folder = stat()
        guard stat(path, &folder) == 0 else { throw StateProblem(path, "stat", errno: errno) }
        guard folder.st_mode & S_IFMT == S_IFDIR else {
            throw StateProblem(status: .foreign, description: "\(path) is no folder: name another --state-dir")
        }
        try refuseStrangers(path, folder, own: 0o700)
        let isOpen = folder.st_mode & 0o011 != 0
        let files = [
            "outboxd.db", "outboxd.db-wal", "outboxd.db-shm", "outboxd.db-journal", "outboxd.lock", "secrets", "media",
        ]
        for name in files {
            let isFolder = name == "secrets" || name == "media"
            let kind: mode_t = isFolder ? S_IFDIR : S_IFREG
            let own: mode_t = isFolder ? 0o700 : 0o600
            let kindWords = isFolder ? "folder" : "plain file"
            let file = "\(path)/\(name)"
            var info = stat()
            guard lstat(file, &info) == 0 else {
                guard errno == ENOENT else { throw StateProblem(file, "lstat", errno: errno) }
                continue
            }
            guard info.st_mode & S_IFMT == kind else {
                throw StateProblem(
                    status: .foreign,
                    description:
                        "\(file) is no \(kindWords)\(info.st_mode & S_IFMT == S_IFLNK ? ", but a symbolic link" : "")"
                        + ": put the \(kindWords) itself there, or name another --state-dir")
            }
            try refuseStrangers(file, info, own: own)
            guard isOpen, name != "outboxd.lock", info.st_mode & 0o077 != 0 else { continue }
            throw StateProblem(
                status: .notOurs,
                description: "\(file) is open to others (mode \(octal(info.st_mode))): chmod go= \(file), or \(path)")
        }
    }

    /// Whoever owns a file, or may write to its folder, decides what outboxd sends and to whom.
    private static func refuseStrangers(_ path: String, _ info: stat, own: mode_t) throws {
        guard info.st_uid == geteuid() else {
            throw StateProblem(
                status: .notOurs,
                description: "\(path) belongs to \(userWords(info.st_uid)), and this outboxd runs as \(ownUser()): "
                    + "chown it, or run outboxd as its owner")
        }
        guard info.st_mode & 0o022 == 0 else {
            throw StateProblem(
                status: .notOurs,
                description: "\(path) can be written by others (mode \(octal(info.st_mode))): chmod go-w \(path)")
        }
        guard info.st_mode & own == own else {
            throw StateProblem(
                status: .notOurs,
                description: "\(path) is not open to its owner (mode \(octal(info.st_mode))): chmod u=rwX \(path)")
        }
    }

    private static func octal(_ mode: mode_t) -> String { "0" + String(mode & 0o7777, radix: 8) }

    /// What SQLite would take for an empty file and fill, or for work of another program's to be finished.
    ///
    /// Nobody has the file open yet: later, closing it here would take SQLite's locks away.
    private static func inspectDatabase(_ path: String) throws {
        let header = Array("SQLite format 3\0".utf8)
        func size(_ file: String) -> Int {
            var info = stat()
            return lstat(file, &info) == 0 ? Int(info.st_size) : 0
        }
        if access(Restoration.marker(path), F_OK) == 0 {
            throw StateProblem(
                status: .damaged,
                description:
                    "a restore into \(path) did not come to its end: run outboxd restore FILE again; nothing is lost, "
                    + "what was there before lies beside it")
        }
        let length = size(path)
        if length == 0, size("\(path)-wal") > 0 {
            throw StateProblem(
                status: .damaged,
                description:
                    "\(path) is empty or missing, but its log \(path)-wal is not: the database was lost or moved "
                    + "without it. Put the database back, or move the log away to begin anew")
        }
        if length > 4096, size("\(path)-journal") > 0 {
            throw StateProblem(
                status: .foreign,
                description: "\(path)-journal lies beside the database, which outboxd makes none of: "
                    + "another program has written to it. Put a backup back, or name another --state-dir")
        }
        guard length > 0 else { return }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw StateProblem(path, "open", errno: errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: header.count)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StateProblem(path, "read", errno: errno) }
        guard count == header.count, bytes == header else {
            throw StateProblem(
                status: .damaged,
                description: "\(path) does not begin as an SQLite database does: it is damaged, or something else. "
                    + "Nothing was changed; put a backup in its place, or name another --state-dir")
        }
    }
}
