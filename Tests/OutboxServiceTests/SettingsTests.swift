import Foundation
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
}
