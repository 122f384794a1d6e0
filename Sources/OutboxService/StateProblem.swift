import CLinux
import Glibc

/// Why the state directory cannot be worked with, and what to do about it.
package struct StateProblem: Error, CustomStringConvertible, Sendable {
    let status: ExitStatus
    package let description: String
}

extension StateProblem {
    /// A call on `path` failed with `number`.
    init(_ path: String, _ call: String, errno number: Int32) {
        let words = String(cString: strerror(number))
        let (status, remedy): (ExitStatus, String) =
            switch number {
            case ENOSPC, EDQUOT, EFBIG: (.full, "free some space on this disk")
            case EROFS:
                (.cannotCreate, "this file system can only be read: mount it read-write, or name another --state-dir")
            case EACCES, EPERM: (.notOurs, "it, and every folder on the way to it, must be open to \(ownUser())")
            case ELOOP: (.foreign, "a symbolic link stands there: put the file itself there")
            case EIO: (.storage, "the disk fails: see the kernel's log (journalctl -k)")
            default: (.cannotCreate, "name a folder that can be made with --state-dir")
            }
        self.init(status: status, description: "\(path): \(call): \(words); \(remedy)")
    }
}

/// `outboxd (uid 107)`
func ownUser() -> String { userWords(geteuid()) }

func userWords(_ uid: uid_t) -> String {
    getpwuid(uid).map { "\(String(cString: $0.pointee.pw_name)) (uid \(uid))" } ?? "uid \(uid)"
}
