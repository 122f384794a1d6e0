import Foundation

/// A folder that lives as long as the test holds it.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// `inMemory`: where a sync costs nothing, if the machine has such a place.
    package init(inMemory: Bool = false) {
        let isThere = inMemory && FileManager.default.isWritableFile(atPath: "/dev/shm")
        let base = isThere ? "/dev/shm" : FileManager.default.temporaryDirectory.path
        // Short: a Unix socket's path has 107 bytes at most.
        path = "\(base)/ob-\(UInt32.random(in: 0 ... .max))"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            fatalError("no folder for a test: \(error)")
        }
    }

    deinit {
        // What a failed test leaves open may keep it; the system cleans its temporary folder.
        try? FileManager.default.removeItem(atPath: path)
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }
}
