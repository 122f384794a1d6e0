import CLinux
import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// One thing that was looked at, with what to do about it.
struct Finding: Equatable, Sendable {
    enum Verdict: String, Sendable { case ok, warning, problem }

    var check: String
    var verdict: Verdict
    var text: String
    /// Nil: nothing has to be done.
    var remedy: String?

    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("check", check)
            $0.field("verdict", verdict.rawValue)
            $0.field("text", text)
            $0.field("remedy", remedy)
        }
    }
}

/// Looks at what outboxd stands on: disk, SQLite, clock, tokens, Meta's versions and webhooks, its own confinement.
struct Examination: Sendable {
    /// Of the database.
    let path: String
    let settings: Settings
    let secrets: Secrets
    let graph: @Sendable () -> GraphEndpoint

    private static let day: Int64 = 86_400_000
    private static let flushes = 20

    func answer(_ process: ProcessFacts) throws -> HTTPResponse {
        let findings = try run(process, now: Timestamp(milliseconds: wallClockMilliseconds()))
        return .json(200) { json in
            json.array("data") {
                for finding in findings { finding.write(to: &$0) }
            }
        }
    }

    func run(_ process: ProcessFacts, now: Timestamp) throws -> [Finding] {
        let facts = try QueueReader(path: path).storeFacts()
        return [flush(), fileSystem(), room(), sqlite(facts), clock()] + tokens(facts, now)
            + [graphVersion(now), webhooks(facts, process, now)] + [confinement(), permissions()]
    }

    private var folder: String { String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)) }

    // MARK: Disk

    /// How long the disk takes to confirm a small write.
    private func flush() -> Finding {
        let file = "\(folder)/outboxd.flush"
        defer { _ = removeFile(file) }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            return Finding(
                check: "disk flush", verdict: .problem, text: "\(file) cannot be made: \(words(errno))",
                remedy: "make room on the disk, and the folder writable to \(ownUser())")
        }
        defer { close(descriptor) }
        let bytes = [UInt8](repeating: 0x6F, count: 4096)
        var times: [UInt64] = []
        for index in 0..<Self.flushes {
            let begun = steadyNanoseconds()
            guard pwrite(descriptor, bytes, bytes.count, off_t(index * 4096)) == bytes.count, fdatasync(descriptor) == 0
            else {
                return Finding(
                    check: "disk flush", verdict: .problem, text: "the disk does not confirm a write: \(words(errno))",
                    remedy: "see the kernel's log: journalctl -k")
            }
            times.append((steadyNanoseconds() - begun) / 1000)
        }
        times.sort()
        let (median, worst) = (times[times.count / 2], times[times.count - 1])
        let text = "a write is confirmed in \(median) µs, at worst \(worst) µs"
        if median < 30 {
            return Finding(
                check: "disk flush", verdict: .warning, text: "\(text): faster than a disk can keep it",
                remedy: "make sure that this disk, or the virtual machine's, does not only pretend to flush its cache")
        }
        guard median >= 20_000 else { return Finding(check: "disk flush", verdict: .ok, text: text) }
        return Finding(
            check: "disk flush", verdict: median < 100_000 ? .warning : .problem, text: "\(text): slow",
            remedy: "put the state directory on a local SSD; callers who send many messages should use bulk calls")
    }

    /// File systems that forget, and those on which locks or syncs are another machine's word (statfs(2)).
    private static let unfit: [(magic: Int, name: String, verdict: Finding.Verdict)] = [
        (0x0102_1994, "tmpfs", .problem), (0x8584_58F6, "ramfs", .problem), (0x6969, "NFS", .problem),
        (0xFF53_4D42, "CIFS", .problem), (0xFE53_4D42, "SMB", .problem), (0x0102_1997, "9p", .problem),
        (0x6573_5546, "FUSE", .warning), (0x794C_7630, "overlayfs", .warning),
    ]

    private func fileSystem() -> Finding {
        var info = statfs()
        guard statfs(folder, &info) == 0 else {
            return Finding(check: "file system", verdict: .warning, text: "\(folder): \(words(errno))")
        }
        if let found = Self.unfit.first(where: { $0.magic == Int(info.f_type) & 0xFFFF_FFFF }) {
            return Finding(
                check: "file system", verdict: found.verdict,
                text: "\(folder) is on \(found.name), which may not keep what it has confirmed",
                remedy: "put the state directory on a local disk with ext4, XFS or Btrfs")
        }
        let options = mountOptions()
        if options.contains("nobarrier") || options.contains("barrier=0") {
            return Finding(
                check: "file system", verdict: .problem, text: "\(folder) is mounted without write barriers",
                remedy: "mount it without nobarrier and barrier=0")
        }
        return Finding(check: "file system", verdict: .ok, text: "local, with write barriers")
    }

    /// Of the file system the folder is on, from /proc/self/mountinfo: the longest mount point that holds it.
    private func mountOptions() -> [String] {
        let text = readFile("/proc/self/mountinfo", bytesMax: 1 << 20).map { String(decoding: $0, as: UTF8.self) } ?? ""
        var best: (length: Int, options: [String]) = (0, [])
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, let last = fields.last else { continue }
            let point = String(fields[4])
            guard folder == point || folder.hasPrefix(point == "/" ? "/" : point + "/"), point.count >= best.length
            else { continue }
            best = (point.count, "\(fields[5]),\(last)".split(separator: ",").map(String.init))
        }
        return best.options
    }

    private func room() -> Finding {
        guard let room = DiskRoom.free(beside: path) else {
            return Finding(check: "disk room", verdict: .warning, text: "the disk does not tell")
        }
        let text = "\(room.free >> 20) MiB of \(room.size >> 20) MiB are free"
        var rule = DiskRoom()
        rule.set = IntakeLimits(settings).freeDiskMin
        if rule.found(free: room.free, size: room.size) != nil {
            return Finding(
                check: "disk room", verdict: .problem, text: "\(text): new messages are refused",
                remedy: "free some space, or shorten what is kept: outboxctl retention set")
        }
        guard room.free < room.size / 10 else { return Finding(check: "disk room", verdict: .ok, text: text) }
        return Finding(
            check: "disk room", verdict: .warning, text: text,
            remedy: "free some space, or shorten what is kept: outboxctl retention set")
    }

    // MARK: Software

    private func sqlite(_ facts: StoreFacts) -> Finding {
        let version = "SQLite \(facts.sqliteVersion)"
        guard hasWALResetBug(sqlite: facts.sqliteVersion) else {
            return Finding(check: "sqlite", verdict: .ok, text: "\(version), without known hazards")
        }
        return Finding(
            check: "sqlite", verdict: .ok,
            text:
                "\(version) has the WAL-reset bug, which outboxd does not meet: one connection writes and checkpoints. "
                + "Do not write to the database with other programs while outboxd runs")
    }

    private func clock() -> Finding {
        if wallClockIsSynchronised() {
            return Finding(check: "clock", verdict: .ok, text: "synchronised")
        }
        return Finding(
            check: "clock", verdict: .warning,
            text: "nobody keeps the clock right: limits are kept by the time since the boot, schedules may be off",
            remedy: "timedatectl set-ntp true, or install chrony")
    }

    // MARK: Meta

    private func tokens(_ facts: StoreFacts, _ now: Timestamp) -> [Finding] {
        facts.lines.map { line in
            let isDefault = line.account == Account.defaultID
            let check = "token of \(isDefault ? "" : "\(facts.accounts[line.account] ?? "?")/")\(line.name)"
            let name = line.settings.credential
            guard secrets.value(name) != nil else {
                return Finding(
                    check: check, verdict: .problem, text: "there is no secret \(name)",
                    remedy: "outboxctl line add \(line.name) --token -, or a systemd credential of this name")
            }
            let token = facts.tokens[line.id]?.at(now)
            if let token, let said = token.words {
                return Finding(
                    check: check, verdict: token.state == .expiring ? .warning : .problem, text: said,
                    remedy: "make a new token of a system user, outboxctl line add \(line.name) --token -")
            }
            if let hold = facts.holds.first(where: { $0.line == line.id }) {
                let refused = ["190", "0", "10"].contains(hold.code)
                return Finding(
                    check: check, verdict: .problem,
                    text: "\(refused ? "refused by Meta" : "nothing gets through") since \(hold.since.rfc3339): "
                        + "\(hold.code) \(hold.message)",
                    remedy: refused
                        ? "make a new token of a system user, outboxctl line add \(line.name) --token -, outboxctl reload"
                        : "outboxctl why --line \(line.name)")
            }
            if let unread = facts.unread.first(where: { $0.line == line.id }) {
                return Finding(
                    check: check, verdict: .warning, text: "Meta did not tell of the line: \(unread.problem)",
                    remedy: "outboxctl line health \(line.name)")
            }
            if let token {
                let end = token.expiresAt.map { "lives until \($0.rfc3339)" } ?? "does not expire"
                return Finding(check: check, verdict: .ok, text: "Meta takes it; it \(end)")
            }
            var info = stat()
            guard stat("\(folder)/secrets/\(name)", &info) == 0 else {
                return Finding(check: check, verdict: .ok, text: "there, a credential of systemd's; not refused")
            }
            let days = max(0, now.milliseconds - Int64(info.st_mtim.tv_sec) * 1000) / Self.day
            // A user's token lives 60 days; a system user's may live for ever (Meta, "Access tokens").
            guard days >= 50 else {
                return Finding(check: check, verdict: .ok, text: "\(days) days old; not refused")
            }
            return Finding(
                check: check, verdict: .warning, text: "\(days) days old; tokens that expire do so after 60 days",
                remedy: "nothing, if it is a system user's token that never expires; else make a new one")
        }
    }

    private func graphVersion(_ now: Timestamp) -> Finding {
        let version = graph().version
        let remedy = "set graph-version to \(GraphEndpoint.currentVersion) and outboxctl reload"
        switch GraphVersions.life(of: version) {
        case .unknown:
            return Finding(
                check: "graph version", verdict: .warning, text: "\(version) is not known to this outboxd",
                remedy: "compare developers.facebook.com/docs/graph-api/changelog/versions")
        case .open: return Finding(check: "graph version", verdict: .ok, text: "\(version), its end is not set")
        case .until(let end):
            let text = "\(version), answered by Meta until \(end.rfc3339.prefix(10))"
            if end <= now {
                return Finding(check: "graph version", verdict: .problem, text: "\(text): over", remedy: remedy)
            }
            let soon = end.milliseconds - now.milliseconds < 90 * Self.day
            return Finding(
                check: "graph version", verdict: soon ? .warning : .ok, text: text, remedy: soon ? remedy : nil)
        }
    }

    private func webhooks(_ facts: StoreFacts, _ process: ProcessFacts, _ now: Timestamp) -> Finding {
        if let (app, count) = process.refusedWebhooks.max(by: { $0.value < $1.value }), count > 0 {
            return Finding(
                check: "webhooks", verdict: .problem, text: "\(count) calls of the app \(app) were refused",
                remedy: "compare the secret app.\(app).secret with the App Secret in Meta's dashboard, outboxctl reload"
            )
        }
        guard let sent = facts.lastSent else {
            return Finding(check: "webhooks", verdict: .ok, text: "nothing was sent lately that Meta would tell of")
        }
        guard let heard = facts.lastWebhook else {
            let waits = now.milliseconds - sent.milliseconds < 600_000
            return Finding(
                check: "webhooks", verdict: waits ? .ok : .problem,
                text: "none came, though messages were sent, the last at \(sent.rfc3339)",
                remedy: waits ? nil : "subscribe the app to messages, with the URL of the reverse proxy: see outboxd(8)"
            )
        }
        let silent = sent.milliseconds - heard.milliseconds
        guard silent > 600_000, now.milliseconds - sent.milliseconds > 600_000 else {
            return Finding(check: "webhooks", verdict: .ok, text: "the last one told news at \(heard.rfc3339)")
        }
        return Finding(
            check: "webhooks", verdict: .warning,
            text: "none since \(heard.rfc3339), and messages were sent until \(sent.rfc3339)",
            remedy: "look at the reverse proxy's log and at the app's webhook page; outboxctl line catch-up asks Meta")
    }

    // MARK: The process

    /// What the kernel says of this process (proc(5), /proc/PID/status).
    private func confinement() -> Finding {
        let text = readFile("/proc/self/status", bytesMax: 65_536).map { String(decoding: $0, as: UTF8.self) } ?? ""
        func field(_ name: String) -> String {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line.map { String($0.dropFirst(name.count + 1).trimmed) } ?? ""
        }
        var missing: [String] = []
        if geteuid() == 0 { missing.append("it runs as root") }
        if field("NoNewPrivs") != "1" { missing.append("NoNewPrivileges= is off") }
        if field("Seccomp") != "2" { missing.append("SystemCallFilter= is off") }
        if field("CapEff").contains(where: { $0 != "0" }) { missing.append("it has capabilities") }
        if environment("WATCHDOG_USEC") == nil { missing.append("no watchdog") }
        guard !missing.isEmpty else {
            return Finding(
                check: "confinement", verdict: .ok, text: "as the unit says: no root, no capabilities, a filter")
        }
        return Finding(
            check: "confinement", verdict: .warning, text: missing.joined(separator: "; "),
            remedy: "run it by outboxd.service; systemd-analyze security outboxd tells more")
    }

    private func permissions() -> Finding {
        var open: [String] = []
        for (file, forbidden) in [(folder, mode_t(0o022)), (path, 0o077), ("\(folder)/secrets", 0o077)] {
            var info = stat()
            guard stat(file, &info) == 0 else { continue }
            if info.st_mode & forbidden != 0 || info.st_uid != geteuid() { open.append(file) }
        }
        if let entries = opendir("\(folder)/secrets") {
            defer { closedir(entries) }
            while let entry = readdir(entries) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                var info = stat()
                guard !name.hasPrefix("."), stat("\(folder)/secrets/\(name)", &info) == 0 else { continue }
                if info.st_mode & 0o077 != 0 { open.append("\(folder)/secrets/\(name)") }
            }
        }
        guard !open.isEmpty else {
            return Finding(check: "permissions", verdict: .ok, text: "database and secrets are outboxd's alone")
        }
        return Finding(
            check: "permissions", verdict: .problem, text: "open to others: \(open.prefix(5).joined(separator: ", "))",
            remedy: "chmod go= \(open.prefix(5).joined(separator: " "))")
    }

    private func words(_ number: Int32) -> String { String(cString: strerror(number)) }
}
