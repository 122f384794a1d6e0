import Foundation
import OutboxJSON
import TestKit
import Testing

/// The real daemon on files and disks that are not as they should be. Where it refuses it names the remedy, ends with
/// a status of its own, and leaves every byte as it was.
@Suite(.serialized) struct FileFaultTests {
    private static let isRoot = getuid() == 0

    // MARK: A stopped or killed daemon's files

    private func path(_ lab: Lab, _ name: String = "") -> String { lab.state + "/outboxd.db" + name }

    private func bytes(_ path: String) -> Data? { try? Data(contentsOf: URL(fileURLWithPath: path)) }

    private func write(_ bytes: Data, _ path: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    /// Starts it where it cannot; answers its words.
    @discardableResult
    private func refused(_ lab: Lab, _ status: Int32, _ remedy: String, before: [String] = []) throws -> String {
        let log = lab.folder.file("refused-\(UInt32.random(in: 0 ... .max)).log")
        let words = before + ["\(programFolder)/outboxd"] + lab.arguments
        let program = try Program(words[0], Array(words.dropFirst()), output: log)
        #expect(program.exitStatus() == status, "\(program.words)")
        let line = program.words.split(separator: "\n").last { $0.contains("cannot start") } ?? ""
        #expect(line.contains(" error ") && line.contains(remedy), "\(program.words)")
        return program.words
    }

    private func sqlite(_ path: String, _ sql: String) throws -> String {
        let folder = TemporaryFolder()
        let program = try Program("/usr/bin/sqlite3", [path, sql], output: folder.file("log"))
        #expect(program.exitStatus() == 0)
        return program.words.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A queue with a message in it that waits, and nobody who works on it.
    private func stopped() throws -> (Lab, String) {
        let lab = try Lab()
        #expect(try lab.call("POST", "/v1/pauses", #"{"everything":true}"#).status == 201)
        let id = try lab.submit()
        #expect(lab.stopDaemon() == 0)
        return (lab, id)
    }

    /// The same after a kill, with its log.
    private func killed() throws -> (Lab, String) {
        let lab = try Lab()
        #expect(try lab.call("POST", "/v1/pauses", #"{"everything":true}"#).status == 201)
        let id = try lab.submit()
        lab.killDaemon()
        #expect((bytes(path(lab, "-wal"))?.count ?? 0) > 0)
        return (lab, id)
    }

    @Test func aDamagedHeaderIsRefused() throws {
        let (lab, id) = try stopped()
        let good = try #require(bytes(path(lab)))
        for damaged in [
            Data(repeating: 7, count: good.count), Data(good.prefix(10)),
            Data("SQLite format 4\0".utf8) + good.dropFirst(16),
            // The header is right, and nothing else.
            Data(good.prefix(100)) + Data(repeating: 7, count: good.count - 100), Data(good.prefix(4096)),
        ] {
            try write(damaged, path(lab))
            try refused(lab, 65, "backup")
            #expect(bytes(path(lab)) == damaged)
        }
        try write(good, path(lab))
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    @Test func aLogWithoutItsDatabaseIsRefused() throws {
        let (lab, id) = try killed()
        let (good, log) = (try #require(bytes(path(lab))), try #require(bytes(path(lab, "-wal"))))
        try write(Data(), path(lab))
        try refused(lab, 65, "Put the database back")
        #expect(bytes(path(lab, "-wal")) == log)
        try FileManager.default.removeItem(atPath: path(lab))
        try refused(lab, 65, "Put the database back")
        #expect(bytes(path(lab, "-wal")) == log && bytes(path(lab)) == nil)
        #expect(
            FileManager.default.createFile(
                atPath: path(lab), contents: good, attributes: [.posixPermissions: 0o600]))
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    /// What a power cut leaves: it opens with what was whole, and is sound.
    @Test func aTruncatedLogAndAStaleIndexAreTakenUp() throws {
        let (lab, _) = try killed()
        let log = try #require(bytes(path(lab, "-wal")))
        let index = try #require(bytes(path(lab, "-shm")))
        let database = try #require(bytes(path(lab)))
        for (part, shared) in [
            (log.count, Data(repeating: 0xA5, count: index.count)), (log.count, Data(index.prefix(100))),
            (log.count - 1, index), (log.count / 2, index), (log.count / 2, Data(repeating: 0xFF, count: 65_536)),
            (33, index), (0, index),
        ] {
            try write(database, path(lab))
            _ = FileManager.default.createFile(
                atPath: path(lab, "-wal"), contents: log.prefix(part), attributes: [.posixPermissions: 0o600])
            _ = FileManager.default.createFile(
                atPath: path(lab, "-shm"), contents: shared, attributes: [.posixPermissions: 0o600])
            try lab.startDaemon()
            #expect(try lab.call("GET", "/v1/messages").status == 200)
            #expect(lab.stopDaemon() == 0)
            #expect(try sqlite(path(lab), "PRAGMA integrity_check") == "ok")
        }
    }

    @Test func aLaterAndAForeignDatabaseAreRefused() throws {
        let (lab, id) = try stopped()
        let version = try sqlite(path(lab), "PRAGMA user_version")
        _ = try sqlite(path(lab), "PRAGMA user_version = 99")
        var before = bytes(path(lab))
        try refused(lab, 76, "install the outboxd that wrote it")
        #expect(bytes(path(lab)) == before)
        _ = try sqlite(path(lab), "PRAGMA user_version = \(version)")
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
        #expect(lab.stopDaemon() == 0)

        for name in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path(lab, name)) }
        for mode in ["delete", "wal"] {
            try? FileManager.default.removeItem(atPath: path(lab))
            _ = try sqlite(path(lab), "PRAGMA journal_mode = \(mode); CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            chmod(path(lab), 0o600)
            before = bytes(path(lab))
            try refused(lab, 66, "name another state directory")
            #expect(bytes(path(lab)) == before)
            #expect(try sqlite(path(lab), "PRAGMA journal_mode") == mode)
        }
    }

    // MARK: Links, owners, modes

    @Test func linksAreNotFollowed() throws {
        let (lab, id) = try stopped()
        let files = FileManager.default
        for name in ["outboxd.db", "outboxd.db-wal", "outboxd.lock", "secrets"] {
            let place = "\(lab.state)/\(name)"
            let kept = lab.folder.file("kept")
            let was = files.fileExists(atPath: place)
            if was { try files.moveItem(atPath: place, toPath: kept) }
            try files.createSymbolicLink(atPath: place, withDestinationPath: was ? kept : lab.folder.file("none"))
            let before = bytes(kept)
            try refused(lab, 66, "itself there")
            #expect(bytes(kept) == before && !files.fileExists(atPath: lab.folder.file("none")))
            try files.removeItem(atPath: place)
            if was { try files.moveItem(atPath: kept, toPath: place) }
        }
        // A secret behind a link is none, and that is said.
        let secret = "\(lab.state)/secrets/app.default.secret"
        try files.moveItem(atPath: secret, toPath: lab.folder.file("secret"))
        try files.createSymbolicLink(atPath: secret, withDestinationPath: lab.folder.file("secret"))
        try lab.startDaemon()
        #expect(lab.daemon?.words.contains("app.default.secret is not used: it is a symbolic link") == true)
        #expect(try lab.message(id)["status"]?.string == "queued")
        // The folder itself may lie behind one.
        #expect(lab.stopDaemon() == 0)
        try files.moveItem(atPath: lab.state, toPath: lab.folder.file("real"))
        try files.createSymbolicLink(atPath: lab.state, withDestinationPath: lab.folder.file("real"))
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    @Test func whatOthersMayChangeOrReadIsRefused() throws {
        let (lab, id) = try stopped()
        for (name, mode, right) in [
            ("", mode_t(0o777), mode_t(0o700)), ("", 0o720, 0o700), ("/outboxd.db", 0o666, 0o600),
            ("/secrets", 0o770, 0o700),
            ("/outboxd.db", 0o200, 0o600), ("/secrets", 0o300, 0o700), ("/outboxd.lock", 0o602, 0o600),
        ] {
            chmod(lab.state + name, mode)
            let before = bytes(path(lab))
            try refused(lab, 77, "chmod")
            #expect(bytes(path(lab)) == before)
            chmod(lab.state + name, right)
        }
        // What may be read in a folder nobody else may enter is not open to others.
        chmod(path(lab), 0o644)
        chmod("\(lab.state)/secrets", 0o755)
        try lab.startDaemon()
        #expect(lab.stopDaemon() == 0)
        chmod(lab.state, 0o711)
        try refused(lab, 77, "chmod go=")
        for name in ["", "-wal", "-shm"] { chmod(path(lab, name), 0o600) }
        try refused(lab, 77, "secrets")
        chmod("\(lab.state)/secrets", 0o700)
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    @Test(.enabled(if: isRoot, "needs root to give files away")) func somebodyElsesFilesAreRefused() throws {
        let (lab, id) = try stopped()
        for name in ["", "/outboxd.db", "/secrets", "/outboxd.lock"] {
            chown(lab.state + name, 12_345, 12_345)
            try refused(lab, 77, "belongs to uid 12345")
            chown(lab.state + name, 0, 0)
        }
        // A folder that is not ours to enter or make.
        chmod(lab.folder.path, 0o711)
        let stranger = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if FileManager.default.isExecutableFile(atPath: "\(programFolder)/outboxd") {
            try refused(lab, 77, "belongs to root", before: stranger)
        }
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    /// The file of the lock may be gone: the folder is still held.
    @Test func aSecondInstanceIsRefusedAlsoWithoutTheFileOfTheLock() throws {
        let lab = try Lab()
        try refused(lab, 75, "stop it, or name another --state-dir")
        try FileManager.default.removeItem(atPath: "\(lab.state)/outboxd.lock")
        try refused(lab, 75, "stop it, or name another --state-dir")
        try lab.wait(try lab.submit(), for: "read")
    }

    @Test func aDatabaseSomebodyHoldsIsNotDamaged() throws {
        let (lab, id) = try stopped()
        let held = lab.folder.file("held")
        let script = "PRAGMA locking_mode = EXCLUSIVE;\\nBEGIN EXCLUSIVE;\\n.shell touch \(held)\\n"
        let hold = try Program(
            "/bin/sh", ["-c", "(printf '\(script)'; sleep 60) | exec sqlite3 \(path(lab))"],
            output: lab.folder.file("hold.log"))
        #expect(eventually { FileManager.default.fileExists(atPath: held) })
        try refused(lab, 74, "another program, such as sqlite3, holds the database")
        hold.kill(SIGTERM)
        // The shell's child ends with its pipe.
        let started = eventually(within: 90) { (try? lab.startDaemon()) != nil }
        #expect(started)
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    // MARK: Disks

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
        for make in [stopped, killed] {
            let (lab, id) = try make()
            try refused(
                lab, 71, "free some space",
                before: onDisk(lab, size: "8m", then: "rm -f $S/*-shm; ! dd if=/dev/zero of=$S/filler bs=1k 2>&-"))
            // And where there is room, it goes on.
            try lab.startDaemon(before: onDisk(lab, size: "32m"))
            #expect(try lab.message(id)["status"]?.string == "queued")
        }
    }

    @Test(.enabled(if: isRoot, "needs root to mount a small disk")) func aDiskThatCanOnlyBeRead() throws {
        for make in [stopped, killed] {
            let (lab, id) = try make()
            let before = (bytes(path(lab)), bytes(path(lab, "-wal")))
            try refused(
                lab, 73, "mount it read-write",
                before: ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c"]
                    + [
                        "mount --bind \(lab.state) \(lab.state) && mount -o remount,bind,ro \(lab.state) && exec \"$@\"",
                        "sh",
                    ])
            #expect(bytes(path(lab)) == before.0 && bytes(path(lab, "-wal")) == before.1)
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
        #expect(try sqlite(path(lab), "PRAGMA integrity_check") == "ok")
    }

    // MARK: Clocks

    private static let shiftedClock = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

    /// Hours forward, killed, hours back: every message leaves once and gets through, and ids never go back.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: shiftedClock), "needs libfaketime"))
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

    // MARK: What others may see

    @Test(.enabled(if: isRoot, "needs root to become somebody else")) func nobodyReadsTheDaemonsMemory() throws {
        let lab = try Lab()
        let pid = lab.daemon?.pid ?? 0
        var info = stat()
        #expect(stat("/proc/\(pid)/environ", &info) == 0 && info.st_uid == 0)
        // The same user's other programs neither trace it nor look into it.
        let program = try Program(
            "/usr/bin/setpriv",
            ["--reuid=0", "--bounding-set=-all", "--inh-caps=-all", "/bin/cat", "/proc/\(pid)/environ"],
            output: lab.folder.file("cat.log"))
        #expect(program.exitStatus() == 1 && program.words.contains("Permission denied"), "\(program.words)")
    }

    @Test func anAddressOfTheLinkIsNoEndpoint() throws {
        let lab = try Lab()
        for url in [
            "https://169.254.169.254/latest", "https://[fe80::1]/", "https://[::ffff:a9fe:a9fe]/", "https://0.0.0.0/",
        ] {
            let answer = try lab.call("POST", "/v1/subscriptions", #"{"url":"\#(url)"}"#)
            #expect(answer.status == 400 && answer.text.contains("never called"), "\(url): \(answer.text)")
        }
    }

    /// A person's words, as they come by webhook and go to the operator's terminal.
    @Test func wordsOfOthersDoNotSpeakToTheTerminal() throws {
        let lab = try Lab()
        let evil = #"a\u001b]0;owned\u0007\u009b2Jb\nfake row\u202e"#
        _ = try lab.sandbox(
            "POST", "inbound", #"{"phoneNumberId":"106","from":"14155550123","text":"\#(evil)","name":"\#(evil)"}"#)
        let came = try eventually { try lab.ctl("conversation", "ls").text.contains("main") }
        #expect(came)
        let conversation = try #require(
            try lab.call("GET", "/v1/conversations").json?["data"]?.list.first?["id"]?.string)
        for words in [
            ["conversation", "ls"], ["contact", "ls"], ["conversation", "show", conversation], ["tail"],
            ["tail", "-o", "json"], ["contact", "ls", "--json"], ["conversation", "show", conversation, "--json"],
        ] {
            let text = try lab.ctl(list: words).text
            let obeyed = text.unicodeScalars.filter {
                $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F...0x9F).contains($0.value)
            }
            #expect(!text.isEmpty && obeyed.isEmpty && !text.contains("\nfake"), "\(words)")
        }
    }
}
