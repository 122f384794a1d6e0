import Glibc

/// True also when it was not there.
package func removeFile(_ path: String) -> Bool { unlink(path) == 0 || errno == ENOENT }

/// Gives a file its permissions and waits until it is on the disk.
package func sync(file path: String, mode: UInt32) -> Bool {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0
}

/// Renames within a folder, which then knows it durably.
package func rename(file path: String, to name: String) -> Bool {
    Glibc.rename(path, name) == 0 && syncFolder(of: name)
}

/// Waits until a folder durably knows the names in it; `name` is one of them.
package func syncFolder(of name: String) -> Bool {
    let folder = name.lastIndex(of: "/").map { $0 == name.startIndex ? "/" : String(name[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fsync(descriptor) == 0
}
