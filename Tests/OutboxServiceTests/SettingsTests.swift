import Foundation
import Glibc
import OutboxCore
import TestKit
import Testing

@testable import OutboxService

@Suite struct SettingsTests {
    @Test func laterSourcesCount() throws {
        let folder = TemporaryFolder()
        try "# a comment\n\n log-level = debug \nconnections=7\n".write(
            toFile: folder.file("c"), atomically: true, encoding: .utf8)
        let settings = try Settings.load(file: folder.file("c"), flags: [("connections", "9")])
        #expect(settings.logLevel == .debug && settings.connections == 9)
    }

    @Test(arguments: [
        ("connections", "0"), ("connections", "x"), ("graph-url", "http://graph.facebook.com"),
        ("graph-url", "http://localhost.evil.example"), ("graph-version", "25"), ("socket", "relative"),
        ("mask-numbers", "maybe"), ("idempotency-hours", "0"), ("idempotency-hours", "721"), ("colour", "red"),
    ])
    func wrongOnesAreNamed(_ name: String, _ value: String) {
        do {
            _ = try Settings.load(file: nil, flags: [(name, value)])
            Issue.record("taken: \(name) \(value)")
        } catch {
            #expect(error.description.contains(name))
        }
    }
}

@Suite struct SecretsTests {
    @Test func credentialsComeFirstAndAReloadReadsAgain() throws {
        let folder = TemporaryFolder()
        let secrets = try Secrets(credentials: folder.path, folder: folder.file("secrets"))
        #expect(secrets.value("a") == nil)
        try secrets.store("a", "one")
        #expect(secrets.value("a") == "one")
        try "two\n".write(toFile: folder.file("a"), atomically: true, encoding: .utf8)
        #expect(secrets.value("a") == "one")
        secrets.reload()
        #expect(secrets.value("a") == "two")
        #expect(secrets.value("../secrets/a") == nil && secrets.value("") == nil)
        try secrets.remove("a")
        try secrets.remove("a")
    }

    /// A pipe would keep its reader waiting, a link leads elsewhere: neither is read, and both are told of.
    @Test func onlyPlainFilesAreRead() throws {
        let folder = TemporaryFolder()
        let secrets = try Secrets(credentials: nil, folder: folder.file("secrets"))
        func file(_ name: String) -> String { folder.file("secrets/\(name)") }
        try "elsewhere".write(toFile: folder.file("x"), atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: file("link"), withDestinationPath: folder.file("x"))
        #expect(mkfifo(file("pipe"), 0o600) == 0 && mkdir(file("folder"), 0o700) == 0)
        try Data(repeating: 0x61, count: 20_000).write(to: URL(fileURLWithPath: file("long")))
        try Data("\n".utf8).write(to: URL(fileURLWithPath: file("void")))
        try secrets.store("good", "one")
        for name in ["link", "pipe", "folder", "long", "void"] { #expect(secrets.value(name) == nil, "\(name)") }
        #expect(secrets.value("good") == "one")
        let problems = secrets.problems()
        #expect(problems.count == 5 && !problems.contains { $0.contains("good") }, "\(problems)")
        #expect(problems.contains { $0.contains("link") && $0.contains("put the file itself there") })
    }

    @Test func aHalfWrittenSecretIsReplacedAndNotWrittenThrough() throws {
        let folder = TemporaryFolder()
        let secrets = try Secrets(credentials: nil, folder: folder.file("secrets"))
        try "precious".write(toFile: folder.file("x"), atomically: true, encoding: .utf8)
        let left = folder.file("secrets/.a.new")
        try FileManager.default.createSymbolicLink(atPath: left, withDestinationPath: folder.file("x"))
        try secrets.store("a", "one")
        #expect(try String(contentsOfFile: folder.file("x"), encoding: .utf8) == "precious")
        try "half".write(toFile: left, atomically: true, encoding: .utf8)
        #expect(chmod(left, 0o644) == 0)
        try secrets.store("a", "two")
        var info = stat()
        #expect(stat(folder.file("secrets/a"), &info) == 0 && info.st_mode & 0o777 == 0o600)
        #expect(secrets.value("a") == "two" && access(left, F_OK) != 0)
    }
}
