import CLinux
import Glibc
import OutboxSystem

/// A program started by a test, ended by its id when the test lets go of it.
///
/// Foundation's `Process` lists the descriptors it has to close, and reads past the end of the list when there are more
/// than some 1,300; a test of thousands of connections runs beside. Here the C library closes them.
package final class ChildProcess: Sendable {
    package struct NotStarted: Error, CustomStringConvertible {
        var path: String
        var number: Int32
        package var description: String { "\(path): \(String(cString: strerror(number)))" }
    }

    private enum Life {
        case running
        /// As waitpid tells it.
        case ended(status: Int32)
    }

    package let pid: Int32
    private let life = Lock(Life.running)

    /// Standard output and error are added to the file `output`; standard input is empty.
    package init(path: String, arguments: [String], environment: [String: String], output: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var pipe = none
        sigaddset(&pipe, SIGPIPE)  // ignored in the test process
        posix_spawnattr_setsigdefault(&attributes, &pipe)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, &attributes, words, variables)
        guard code == 0 else { throw NotStarted(path: path, number: code) }
        self.pid = pid
    }

    deinit { kill(SIGKILL) }

    package var isRunning: Bool { terminationStatus == nil }

    /// The exit status, or the number of the signal that ended it; nil while it runs.
    package var terminationStatus: Int32? { look(WNOHANG) }

    /// Nothing happens to a process that has ended: its id may be another's by now.
    package func signal(_ number: Int32) {
        life.withLock { if case .running = $0 { _ = Glibc.kill(pid, number) } }
    }

    /// Returns when it has ended.
    package func kill(_ number: Int32) {
        signal(number)
        _ = look(0)
    }

    private func look(_ options: Int32) -> Int32? {
        life.withLock { life in
            var status: Int32 = 0
            if case .ended(let known) = life {
                status = known
            } else {
                var answer: pid_t
                repeat { answer = waitpid(pid, &status, options) } while answer < 0 && errno == EINTR
                guard answer == pid else { return nil }
                life = .ended(status: status)
            }
            return status & 0x7F == 0 ? status >> 8 & 0xFF : status & 0x7F
        }
    }
}
