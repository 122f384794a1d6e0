import CLinux
import Glibc

/// Whether the disk has room for new messages. The last of it is kept for what becomes of those in the queue, so that
/// on a disk that fills up the intake stops before anything else does, and begins again by itself.
struct DiskRoom: Equatable {
    /// Kept of a disk, in bytes, and at most which part of a small one.
    static let reserve: UInt64 = 64 << 20
    static let part: UInt64 = 16

    enum Change: Equatable {
        /// So many bytes are free, and so many must be before messages are taken again.
        case ended(free: UInt64, needed: UInt64)
        case began(free: UInt64)
    }

    private(set) var takesMessages = true
    /// Kept instead of the reserve, in bytes.
    var set: UInt64?

    /// Bytes kept free on a disk of so many.
    func kept(of size: UInt64) -> UInt64 { set ?? min(Self.reserve, size / Self.part) }

    /// Nil: as before.
    mutating func found(free: UInt64, size: UInt64) -> Change? {
        let kept = kept(of: size)
        // Somewhat more than what ended it: nobody is to be let in and turned away by turns.
        let needed = kept + kept / 4
        if takesMessages, free < kept {
            takesMessages = false
            return .ended(free: free, needed: needed)
        }
        if !takesMessages, free >= needed {
            takesMessages = true
            return .began(free: free)
        }
        return nil
    }

    /// What the file system that holds `path` has free for us, and its size, in bytes; nil when it does not tell.
    static func free(beside path: String) -> (free: UInt64, size: UInt64)? {
        var info = statvfs()
        guard statvfs(path, &info) == 0, info.f_blocks > 0 else { return nil }
        return (UInt64(info.f_bavail) * UInt64(info.f_frsize), UInt64(info.f_blocks) * UInt64(info.f_frsize))
    }
}
