import Foundation
import OutboxJSON
import TestKit
import Testing

/// The real daemon on disks that are full, fill up or can only be read, and on clocks that jump.
@Suite(.serialized) struct DiskFaultTests {
    /// Words that mount a disk of memory, with what the state directory holds, over the state directory, in a view of
    /// the file system that only the daemon sees; `then` is done before it starts.
    private func onDisk(_ lab: Lab, size: String, then: String = ":") -> [String] {
        let script = """
            S=\(lab.state); cp -a "$S" "$S.copy" && mount -t tmpfs -o mode=700,size=\(size) none "$S" \
            && cp -a "$S.copy/." "$S" && rm -rf "$S.copy" && { \(then); } && exec "$@"
            """
        return ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"]
    }

    @Test(.enabled(if: isRoot, "needs root to mount a small disk")) func aFullDiskAtTheStart() throws {
        for make in [FaultyFiles.stopped, FaultyFiles.killed] {
            let (lab, id) = try make()
            try FaultyFiles.refused(
                lab, 71, "free some space",
                before: onDisk(lab, size: "8m", then: "rm -f $S/*-shm; ! dd if=/dev/zero of=$S/filler bs=1k 2>&-"))
            // And where there is room, it goes on.
            try lab.startDaemon(before: onDisk(lab, size: "32m"))
            #expect(try lab.message(id)["status"]?.string == "queued")
        }
    }

    @Test(.enabled(if: isRoot, "needs root to mount a small disk")) func aDiskThatCanOnlyBeRead() throws {
        for make in [FaultyFiles.stopped, FaultyFiles.killed] {
            let (lab, id) = try make()
            let before = (FaultyFiles.bytes(FaultyFiles.path(lab)), FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")))
            try FaultyFiles.refused(
                lab, 73, "mount it read-write",
                before: ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c"]
                    + [
                        "mount --bind \(lab.state) \(lab.state) && mount -o remount,bind,ro \(lab.state) && exec \"$@\"",
                        "sh",
                    ])
            #expect(
                FaultyFiles.bytes(FaultyFiles.path(lab)) == before.0
                    && FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")) == before.1)
            try lab.startDaemon()
            #expect(try lab.message(id)["status"]?.string == "queued")
        }
    }

    /// The intake ends before the disk is full, what is in the queue goes on, and the intake begins again by itself.
    @Test(.enabled(if: isRoot, "needs root to mount a small disk")) func aDiskThatFillsUpWhileItRuns() throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon(before: onDisk(lab, size: "32m"))
        let pause = try lab.call("POST", "/v1/pauses", #"{"everything":true}"#).json?[path: "data", "id"]?.integer ?? 0
        let ids = try (0..<20).map { try lab.submit(to: "141555501\(10 + $0)") }
        let filler = "/proc/\(lab.daemon?.pid ?? 0)/root\(lab.state)/filler"
        // 32 MiB, of which 2 are kept for what is in the queue.
        func fill(_ script: String) throws {
            let program = try Program("/bin/sh", ["-c", script], output: lab.folder.file("fill.log"))
            #expect(program.exitStatus() == 0, "\(program.words)")
        }
        try fill(
            "fallocate -l $(( ($(stat -f -c %a '\(filler)/..' 2>&- || stat -f -c %a $(dirname '\(filler)')) - 384) * 4096 )) '\(filler)'"
        )
        func submit() throws -> Int {
            try lab.call("POST", "/v1/messages", #"{"to":"14155550100","line":"main","message":"hi"}"#).status
        }
        #expect(try submit() == 507)
        // The caller hears it first.
        #expect(eventually { lab.daemon?.words.contains("new messages are refused with 507") == true })
        #expect(try lab.call("DELETE", "/v1/pauses/\(pause)").status == 204)
        for id in ids { try lab.wait(id, for: "read") }
        #expect(try submit() == 507)
        // Not a byte is left: nothing new is written, and nobody is told otherwise.
        try fill("dd if=/dev/zero of='\(filler).2' bs=1k 2>&-; true")
        #expect(try submit() == 507)
        #expect(try lab.call("GET", "/v1/messages").status == 200 && lab.daemon?.isRunning == true)
        try fill("rm '\(filler)' '\(filler).2'")
        let taken = try eventually { try submit() == 202 }
        #expect(taken)
        #expect(eventually { lab.daemon?.words.contains("new messages are taken") == true })
        try lab.wait(try lab.submit(to: "14155550177"), for: "read")
        #expect(lab.stopDaemon() == 0)
    }

    /// A quota, or the longest file allowed, is a full disk nobody announces.
    @Test func aFileThatMayNotGrow() throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon(before: ["/usr/bin/prlimit", "--fsize=1500000:unlimited"])
        let text = String(repeating: "x", count: 4000)
        var stored: [String] = []
        var refusals = 0
        for number in 0..<600 {
            let body =
                #"{"to":"1415556\#(1000 + number)","line":"main","message":"\#(text)","sendAt":"2099-01-01T00:00:00Z"}"#
            let answer = try lab.call("POST", "/v1/messages", body)
            if answer.status == 202 { stored.append(answer.json?[path: "data", "id"]?.string ?? "") }
            if answer.status == 507 { refusals += 1 }
            if refusals > 3 { break }
        }
        #expect(refusals > 3 && stored.count > 20, "\(stored.count) stored, \(refusals) refused")
        #expect(lab.daemon?.isRunning == true)
        let grown = try Program(
            "/usr/bin/prlimit", ["--pid", "\(lab.daemon?.pid ?? 0)", "--fsize=unlimited:unlimited"],
            output: lab.folder.file("grow"))
        #expect(grown.exitStatus() == 0, "\(grown.words)")
        let id = try lab.submit()
        try lab.wait(id, for: "read")
        for id in stored { #expect(try lab.message(id)["status"]?.string == "scheduled") }
        #expect(lab.stopDaemon() == 0)
        #expect(try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA integrity_check") == "ok")
    }

    // MARK: Clocks

    private static let shiftedClock = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

    private static let isSanitized = ProcessInfo.processInfo.environment["OUTBOXD_SANITIZED"] != nil

    /// Hours forward, killed, hours back: every message leaves once and gets through, and ids never go back.
    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: shiftedClock), "needs libfaketime"),
        .disabled(if: isSanitized, "libfaketime and a sanitizer's own clock calls do not start together"))
    func aWallClockSetHoursForwardAndBack() throws {
        let lab = try Lab()
        #expect(lab.stopDaemon() == 0)
        // A program started so does not get to see its arguments: the environment says it all.
        var environment = ["LD_PRELOAD": Self.shiftedClock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
        for at in stride(from: 0, to: lab.arguments.count, by: 2) {
            let name = lab.arguments[at].dropFirst(2).uppercased().replacingOccurrences(of: "-", with: "_")
            environment["OUTBOXD_" + name] = lab.arguments[at + 1]
        }
        var ids: [String] = []
        for offset in ["+0", "+6h", "-6h", "+0"] {
            environment["FAKETIME"] = offset
            try lab.startDaemon(environment: environment)
            let id = try lab.submit()
            try lab.wait(id, for: "read")
            ids.append(id)
            if offset == "+6h" { lab.killDaemon() } else { #expect(lab.stopDaemon() == 0) }
        }
        #expect(ids == ids.sorted())
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 4)
    }
}
