import CLinux
import Glibc
import OutboxAPI
import OutboxSystem

/// Tokens and app secrets, by name: systemd's credentials first, then the state directory's `secrets/`.
///
/// They are read once and again on reload, and never leave this process but in a request to Meta.
package final class Secrets: Sendable {
    private let credentials: String?
    private let folder: String
    private let values = Lock<[String: String]>([:])
    private static let bytesMax = 16_384
    /// Told of at a time.
    private static let problemsMax = 20

    /// `folder` is made, with access for its owner alone, when it is not there.
    package init(credentials: String?, folder: String) throws {
        self.credentials = credentials
        self.folder = folder
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw StateProblem(folder, "mkdir", errno: errno) }
    }

    /// White space around it is not part of a secret; nil when there is none of this name.
    package func value(_ name: String) -> String? {
        if let known = values.withLock({ $0[name] }) { return known }
        guard isSecretName(name) else { return nil }
        let places = [credentials.map { ($0, false) }, (folder, true)].compactMap { $0 }
        for (directory, isOurs) in places {
            guard let bytes = readFile("\(directory)/\(name)", bytesMax: Self.bytesMax, followsLinks: !isOurs) else {
                continue
            }
            let text = String(String(decoding: bytes, as: UTF8.self).trimmed)
            guard !text.isEmpty else { continue }
            values.withLock { $0[name] = text }
            return text
        }
        return nil
    }

    /// Forgets what was read, so that changed files count from now on.
    package func reload() { values.withLock { $0 = [:] } }

    /// Throws `StateProblem` when a credential was handed over and cannot be read: to go on without it would look as if
    /// it had never been given.
    package func checkCredentials() throws {
        guard let credentials, let entries = opendir(credentials) else { return }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let path = "\(credentials)/\(name)"
            guard isSecretName(name), readFile(path, bytesMax: Self.bytesMax, followsLinks: true) == nil else {
                continue
            }
            let reason =
                errno == EFBIG
                ? "it has more than \(Self.bytesMax) bytes: a secret is one short line"
                : String(cString: strerror(errno))
            throw StateProblem(status: .notOurs, description: "the credential \(name) cannot be read: \(reason)")
        }
    }

    /// What in the folder will not be read, and what to do about it.
    package func problems() -> [String] {
        guard let entries = opendir(folder) else {
            return ["\(folder) cannot be read: \(String(cString: strerror(errno)))"]
        }
        defer { closedir(entries) }
        var found: [String] = []
        while found.count < Self.problemsMax, let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard isSecretName(name) else { continue }
            let path = "\(folder)/\(name)"
            if let bytes = readFile(path, bytesMax: Self.bytesMax, followsLinks: false) {
                if String(decoding: bytes, as: UTF8.self).trimmed.isEmpty { found.append("\(path) is empty") }
                continue
            }
            let reason =
                switch errno {
                case ELOOP: "it is a symbolic link: put the file itself there"
                case EINVAL: "it is no plain file: put one there"
                case EFBIG: "it has more than \(Self.bytesMax) bytes: a secret is one short line"
                case EACCES: "it must be readable to \(ownUser())"
                default: String(cString: strerror(errno))
                }
            found.append("the secret \(path) is not used: \(reason)")
        }
        return found.sorted()
    }

    /// Writes a secret so that a crash leaves the old one or the new one.
    package func store(_ name: String, _ value: String) throws {
        precondition(isSecretName(name), "a secret's name was not checked")
        let path = "\(folder)/\(name)"
        // A name no secret can have, so that half a file is never taken for one.
        let temporary = "\(folder)/.\(name).new"
        // What a crash left there may have been opened by others, or be no file.
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StateProblem(temporary, "open", errno: errno) }
        do {
            defer { close(descriptor) }
            let bytes = Array(value.utf8)
            let count = write(descriptor, bytes, bytes.count)
            guard count == bytes.count, fsync(descriptor) == 0 else {
                // A part of it is all that had room.
                throw StateProblem(temporary, "write", errno: (0..<bytes.count).contains(count) ? ENOSPC : errno)
            }
            guard rename(temporary, path) == 0 else { throw StateProblem(path, "rename", errno: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        try syncFolder()
        values.withLock { $0[name] = nil }
    }

    package func remove(_ name: String) throws {
        guard unlink("\(folder)/\(name)") == 0 || errno == ENOENT else {
            throw StateProblem("\(folder)/\(name)", "unlink", errno: errno)
        }
        try syncFolder()
        values.withLock { $0[name] = nil }
    }

    /// Of the files in the state directory's folder.
    package func names() throws -> [String] { try entries().filter(isSecretName) }

    /// Removes what ends in the middle of `store` left.
    package func removeUnfinished() throws {
        for entry in try entries() where entry.hasPrefix(".") && entry.hasSuffix(".new") {
            guard isSecretName(String(entry.dropFirst().dropLast(4))) else { continue }
            guard unlink("\(folder)/\(entry)") == 0 || errno == ENOENT else {
                throw Settings.Problem(
                    description: "\(folder)/\(entry) cannot be removed: \(String(cString: strerror(errno)))")
            }
        }
    }

    private func entries() throws -> [String] {
        guard let directory = opendir(folder) else {
            throw Settings.Problem(description: "\(folder) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
                        String(cString: $0)
                    }
                })
        }
        return names.sorted()
    }

    private func syncFolder() throws {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StateProblem(folder, "open", errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw StateProblem(folder, "fsync", errno: errno) }
    }
}
