import Foundation
import Glibc
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// The protocols of systemd, spoken by the test: notification, watchdog, socket activation.
@Suite(.serialized) struct SystemdTests {
    /// The socket systemd would listen on.
    private final class NotifySocket {
        let path: String
        private let descriptor: Int32

        init(_ path: String) {
            self.path = path
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            let bound = withUnixAddress(path) { bind(descriptor, $0, $1) == 0 } ?? false
            precondition(bound, "no notify socket: errno \(errno)")
            var patience = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(descriptor) }

        /// The next words; nil when none came for twenty seconds.
        func next() -> String? {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
        }

        func next(containing text: String) -> String? {
            while let words = next() { if words.contains(text) { return words } }
            return nil
        }
    }

    @Test func itIsReadyWhenItServesAndFeedsTheWatchdogWhileItWorks() throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        let notify = NotifySocket(lab.folder.file("n"))
        let program = try Program(
            "outboxd", lab.arguments, environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "400000"],
            output: lab.folder.file("notify.log"))
        #expect(notify.next(containing: "READY=1") != nil)
        #expect(try lab.tryCall("GET", "/healthz").status == 200)
        for _ in 0..<3 { #expect(notify.next(containing: "WATCHDOG=1")?.contains("STATUS=") == true) }
        program.signal(SIGTERM)
        #expect(notify.next(containing: "STOPPING=1") != nil)
        #expect(program.exitStatus() == 0)
    }

    @Test func socketsFromSystemdRefuseNobodyOverARestart() throws {
        let lab = try Lab(sandbox: ["--latency", "50"])
        #expect(lab.stopDaemon() == 0)
        let activate = "/usr/bin/systemd-socket-activate"
        try #require(FileManager.default.isExecutableFile(atPath: activate))
        let program = try Program(
            activate,
            ["-l", lab.socket, "-l", lab.webhookSocket, "--fdname=api:webhook", "\(programFolder)/outboxd"]
                + lab.arguments, output: lab.folder.file("activated.log"))
        #expect(eventually { FileManager.default.fileExists(atPath: lab.webhookSocket) })
        // The first call starts it.
        let id = try lab.submit()
        try lab.wait(id, for: "read")
        program.signal(SIGTERM)
        #expect(program.exitStatus() == 0)
        // The socket is systemd's: it stays.
        #expect(FileManager.default.fileExists(atPath: lab.socket))
    }
}
