import CLinux
import Glibc
import OutboxSystem

/// A file of 4 MB whose pages are overwritten in turn, each synced.
struct SyncedFile: ~Copyable {
    private let descriptor: Int32
    private let path: String
    private let page = [UInt8](repeating: 1, count: 4096)
    private var written = 0

    init?(in folder: String) {
        path = "\(folder)/fsync.tmp"
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else {
            print("no file at \(path)")
            return nil
        }
        for index in 0..<1000 { pwrite(descriptor, page, page.count, Int(index) * 4096) }
        fsync(descriptor)
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    mutating func writeOne() {
        pwrite(descriptor, page, page.count, written % 1000 * 4096)
        fdatasync(descriptor)
        written += 1
    }
}

func measureSync(folder: String, seconds: Double) -> Int32 {
    guard var file = SyncedFile(in: folder) else { return 1 }
    var latencies: [UInt64] = []
    let end = steadyNanoseconds() + UInt64(seconds * 1e9)
    while steadyNanoseconds() < end {
        let before = steadyNanoseconds()
        file.writeOne()
        latencies.append(steadyNanoseconds() - before)
    }
    report("fsync 1", count: latencies.count, seconds, latencies)
    return 0
}
