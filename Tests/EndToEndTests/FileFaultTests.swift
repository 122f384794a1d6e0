import Foundation
import OutboxJSON
import TestKit
import Testing

/// The real daemon on files and disks that are not as they should be. Where it refuses it names the remedy, ends with
/// a status of its own, and leaves every byte as it was.
@Suite(.serialized) struct FileFaultTests {
    @Test func aDamagedHeaderIsRefused() throws {
        let (lab, id) = try FaultyFiles.stopped()
        let good = try #require(FaultyFiles.bytes(FaultyFiles.path(lab)))
        for damaged in [
            Data(repeating: 7, count: good.count), Data(good.prefix(10)),
            Data("SQLite format 4\0".utf8) + good.dropFirst(16),
            // The header is right, and nothing else.
            Data(good.prefix(100)) + Data(repeating: 7, count: good.count - 100), Data(good.prefix(4096)),
        ] {
            try FaultyFiles.write(damaged, FaultyFiles.path(lab))
            try FaultyFiles.refused(lab, 65, "backup")
            #expect(FaultyFiles.bytes(FaultyFiles.path(lab)) == damaged)
        }
        try FaultyFiles.write(good, FaultyFiles.path(lab))
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    @Test func aLogWithoutItsDatabaseIsRefused() throws {
        let (lab, id) = try FaultyFiles.killed()
        let (good, log) = (
            try #require(FaultyFiles.bytes(FaultyFiles.path(lab))),
            try #require(FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")))
        )
        try FaultyFiles.write(Data(), FaultyFiles.path(lab))
        try FaultyFiles.refused(lab, 65, "Put the database back")
        #expect(FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")) == log)
        try FileManager.default.removeItem(atPath: FaultyFiles.path(lab))
        try FaultyFiles.refused(lab, 65, "Put the database back")
        #expect(
            FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")) == log && FaultyFiles.bytes(FaultyFiles.path(lab)) == nil)
        #expect(
            FileManager.default.createFile(
                atPath: FaultyFiles.path(lab), contents: good, attributes: [.posixPermissions: 0o600]))
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    /// What a power cut leaves: it opens with what was whole, and is sound.
    @Test func aTruncatedLogAndAStaleIndexAreTakenUp() throws {
        let (lab, _) = try FaultyFiles.killed()
        let log = try #require(FaultyFiles.bytes(FaultyFiles.path(lab, "-wal")))
        let index = try #require(FaultyFiles.bytes(FaultyFiles.path(lab, "-shm")))
        let database = try #require(FaultyFiles.bytes(FaultyFiles.path(lab)))
        for (part, shared) in [
            (log.count, Data(repeating: 0xA5, count: index.count)), (log.count, Data(index.prefix(100))),
            (log.count - 1, index), (log.count / 2, index), (log.count / 2, Data(repeating: 0xFF, count: 65_536)),
            (33, index), (0, index),
        ] {
            try FaultyFiles.write(database, FaultyFiles.path(lab))
            _ = FileManager.default.createFile(
                atPath: FaultyFiles.path(lab, "-wal"), contents: log.prefix(part),
                attributes: [.posixPermissions: 0o600])
            _ = FileManager.default.createFile(
                atPath: FaultyFiles.path(lab, "-shm"), contents: shared, attributes: [.posixPermissions: 0o600])
            try lab.startDaemon()
            #expect(try lab.call("GET", "/v1/messages").status == 200)
            #expect(lab.stopDaemon() == 0)
            #expect(try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA integrity_check") == "ok")
        }
    }

    @Test func aLaterAndAForeignDatabaseAreRefused() throws {
        let (lab, id) = try FaultyFiles.stopped()
        let version = try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA user_version")
        _ = try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA user_version = 99")
        var before = FaultyFiles.bytes(FaultyFiles.path(lab))
        try FaultyFiles.refused(lab, 76, "install the outboxd that wrote it")
        #expect(FaultyFiles.bytes(FaultyFiles.path(lab)) == before)
        _ = try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA user_version = \(version)")
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
        #expect(lab.stopDaemon() == 0)

        for name in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: FaultyFiles.path(lab, name)) }
        for mode in ["delete", "wal"] {
            try? FileManager.default.removeItem(atPath: FaultyFiles.path(lab))
            _ = try FaultyFiles.ask(
                FaultyFiles.path(lab), "PRAGMA journal_mode = \(mode); CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            chmod(FaultyFiles.path(lab), 0o600)
            before = FaultyFiles.bytes(FaultyFiles.path(lab))
            try FaultyFiles.refused(lab, 66, "name another state directory")
            #expect(FaultyFiles.bytes(FaultyFiles.path(lab)) == before)
            #expect(try FaultyFiles.ask(FaultyFiles.path(lab), "PRAGMA journal_mode") == mode)
        }
    }

    // MARK: Links, owners, modes

    @Test func linksAreNotFollowed() throws {
        let (lab, id) = try FaultyFiles.stopped()
        let files = FileManager.default
        for name in ["outboxd.db", "outboxd.db-wal", "outboxd.lock", "secrets"] {
            let place = "\(lab.state)/\(name)"
            let kept = lab.folder.file("kept")
            let was = files.fileExists(atPath: place)
            if was { try files.moveItem(atPath: place, toPath: kept) }
            try files.createSymbolicLink(atPath: place, withDestinationPath: was ? kept : lab.folder.file("none"))
            let before = FaultyFiles.bytes(kept)
            try FaultyFiles.refused(lab, 66, "itself there")
            #expect(FaultyFiles.bytes(kept) == before && !files.fileExists(atPath: lab.folder.file("none")))
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
        let (lab, id) = try FaultyFiles.stopped()
        for (name, mode, right) in [
            ("", mode_t(0o777), mode_t(0o700)), ("", 0o720, 0o700), ("/outboxd.db", 0o666, 0o600),
            ("/secrets", 0o770, 0o700),
            ("/outboxd.db", 0o200, 0o600), ("/secrets", 0o300, 0o700), ("/outboxd.lock", 0o602, 0o600),
        ] {
            chmod(lab.state + name, mode)
            let before = FaultyFiles.bytes(FaultyFiles.path(lab))
            try FaultyFiles.refused(lab, 77, "chmod")
            #expect(FaultyFiles.bytes(FaultyFiles.path(lab)) == before)
            chmod(lab.state + name, right)
        }
        // What may be read in a folder nobody else may enter is not open to others.
        chmod(FaultyFiles.path(lab), 0o644)
        chmod("\(lab.state)/secrets", 0o755)
        try lab.startDaemon()
        #expect(lab.stopDaemon() == 0)
        chmod(lab.state, 0o711)
        try FaultyFiles.refused(lab, 77, "chmod go=")
        for name in ["", "-wal", "-shm"] { chmod(FaultyFiles.path(lab, name), 0o600) }
        try FaultyFiles.refused(lab, 77, "secrets")
        chmod("\(lab.state)/secrets", 0o700)
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    @Test(.enabled(if: isRoot, "needs root to give files away")) func somebodyElsesFilesAreRefused() throws {
        let (lab, id) = try FaultyFiles.stopped()
        for name in ["", "/outboxd.db", "/secrets", "/outboxd.lock"] {
            chown(lab.state + name, 12_345, 12_345)
            try FaultyFiles.refused(lab, 77, "belongs to uid 12345")
            chown(lab.state + name, 0, 0)
        }
        // A folder that is not ours to enter or make.
        chmod(lab.folder.path, 0o711)
        let stranger = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if FileManager.default.isExecutableFile(atPath: "\(programFolder)/outboxd") {
            try FaultyFiles.refused(lab, 77, "belongs to root", before: stranger)
        }
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }

    /// The file of the lock may be gone: the folder is still held.
    @Test func aSecondInstanceIsRefusedAlsoWithoutTheFileOfTheLock() throws {
        let lab = try Lab()
        try FaultyFiles.refused(lab, 75, "stop it, or name another --state-dir")
        try FileManager.default.removeItem(atPath: "\(lab.state)/outboxd.lock")
        try FaultyFiles.refused(lab, 75, "stop it, or name another --state-dir")
        try lab.wait(try lab.submit(), for: "read")
    }

    @Test func aDatabaseSomebodyHoldsIsNotDamaged() throws {
        let (lab, id) = try FaultyFiles.stopped()
        let held = lab.folder.file("held")
        let hold = try Program(
            "/usr/bin/sqlite3",
            [
                "-cmd", "PRAGMA locking_mode = EXCLUSIVE", "-cmd", "BEGIN EXCLUSIVE", FaultyFiles.path(lab),
                ".shell touch \(held); while [ -e \(held) ]; do sleep 0.05; done",
            ], output: lab.folder.file("hold.log"))
        #expect(eventually { FileManager.default.fileExists(atPath: held) })
        try FaultyFiles.refused(lab, 74, "another program, such as sqlite3, holds the database")
        try FileManager.default.removeItem(atPath: held)
        #expect(hold.exitStatus() == 0)
        try lab.startDaemon()
        #expect(try lab.message(id)["status"]?.string == "queued")
    }
}
