import CLinux
import Glibc
import OutboxAPI
import OutboxSystem

/// Tokens and app secrets, by name: systemd's credentials first, then the state directory's `secrets/`.
///
/// They are read once and again on reload, and never leave this process but in a request to Meta.
package final class Secrets: Sendable {
    private let directories: [String]
    private let values = Lock<[String: String]>([:])
    private static let bytesMax = 16_384

    /// `folder` is made, with access for its owner alone, when it is not there.
    package init(credentials: String?, folder: String) throws {
        directories = [credentials, folder].compactMap { $0 }
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw Settings.Problem(description: "\(folder) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    private var folder: String { directories[directories.count - 1] }

    /// White space around it is not part of a secret; nil when there is none of this name.
    package func value(_ name: String) -> String? {
        guard isSecretName(name) else { return nil }
        if let known = values.withLock({ $0[name] }) { return known }
        for directory in directories {
            guard let bytes = readFile("\(directory)/\(name)", bytesMax: Self.bytesMax) else { continue }
            let text = String(String(decoding: bytes, as: UTF8.self).trimmed)
            guard !text.isEmpty else { continue }
            values.withLock { $0[name] = text }
            return text
        }
        return nil
    }

    /// Forgets what was read, so that changed files count from now on.
    package func reload() { values.withLock { $0 = [:] } }

    /// Writes a secret so that a crash leaves the old one or the new one.
    package func store(_ name: String, _ value: String) throws {
        precondition(isSecretName(name), "a secret's name was not checked")
        let path = "\(folder)/\(name)"
        // A name no secret can have, so that half a file is never taken for one.
        let temporary = "\(folder)/.\(name).new"
        func failed(_ call: String) -> Settings.Problem {
            Settings.Problem(description: "\(path) cannot be written: \(call): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failed("open") }
        let bytes = Array(value.utf8)
        let written = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard written else { throw failed("write") }
        guard rename(temporary, path) == 0 else { throw failed("rename") }
        try syncFolder()
        values.withLock { $0[name] = nil }
    }

    package func remove(_ name: String) throws {
        guard unlink("\(folder)/\(name)") == 0 || errno == ENOENT else {
            throw Settings.Problem(
                description: "\(folder)/\(name) cannot be removed: \(String(cString: strerror(errno)))")
        }
        try syncFolder()
        values.withLock { $0[name] = nil }
    }

    private func syncFolder() throws {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw Settings.Problem(description: "\(folder): fsync: \(String(cString: strerror(errno)))")
        }
    }
}
