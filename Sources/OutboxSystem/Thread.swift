import CLinux
import Glibc

/// A named thread that runs `body` once; `join` waits for its end. Dropped without that, it goes on by itself.
package final class Thread: @unchecked Sendable {
    private var handle = pthread_t()
    private let joined = Lock(false)

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// `name` shows in ps and gdb; Linux keeps its first 15 bytes.
    package init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        let code = pthread_create(&handle, nil, runThread, start.toOpaque())
        precondition(code == 0, "a thread could not be started: error \(code)")
    }

    deinit { if !joined.withLock({ $0 }) { pthread_detach(handle) } }

    package func join() {
        let already = joined.withLock { joined in
            defer { joined = true }
            return joined
        }
        if !already { pthread_join(handle, nil) }
    }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        pthread_setname_np(pthread_self(), start.name)
        start.body()
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { Thread.run(argument) }
    return nil
}
