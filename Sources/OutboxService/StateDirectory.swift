import CLinux
import Glibc

/// Another outboxd works on this state directory.
package struct InUse: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// The folder of the database, held by one process at a time.
struct StateDirectory {
    let path: String
    private let lock: Int32

    var database: String { "\(path)/outboxd.db" }
    var secrets: String { "\(path)/secrets" }

    /// Makes the folder when it is not there. The lock goes with the process.
    init(path: String) throws {
        func failed(_ what: String) -> Settings.Problem {
            Settings.Problem(description: "state directory \(what): \(String(cString: strerror(errno)))")
        }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failed(path) }
        // SQLite follows no symbolic link anywhere in a path; the folder itself may lie behind one.
        guard let real = realpath(path, nil) else { throw failed(path) }
        defer { free(real) }
        self.path = String(cString: real)
        lock = open("\(self.path)/outboxd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw failed("\(path)/outboxd.lock") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw InUse(description: "another outboxd works on \(path); stop it, or name another --state-dir")
        }
    }
}
