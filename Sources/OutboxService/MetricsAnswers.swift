import CLinux
import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// What `GET /metrics` tells besides what the writer counts.
struct ProcessMeasures: Sendable {
    var facts: ProcessFacts
    var callbacks: [CallbackGauge]
    /// Callers who read or follow the log.
    var followers: Int
}

/// How an active subscription stands with what it is to be told.
struct CallbackGauge: Sendable {
    var subscription: Int64
    /// Events known to be told, those under way or waiting for their next try among them.
    var loaded: Int
    /// The log was looked through up to here.
    var readTo: Int64
    /// Its endpoint takes nothing.
    var isHeld: Bool
}

extension Answerer {
    func metrics(_ writer: WriterMeasures, _ process: ProcessMeasures) throws -> HTTPResponse {
        var writer = writer
        writer.queue.tellAccountsApart(try reader.accountNames())
        let page = MetricsPage(
            lines: writer.queue.lines.values.sorted { $0.name < $1.name }, writer: writer, process: process)
        var metrics = OpenMetrics()
        page.writeProcess(to: &metrics)
        page.writeMessages(to: &metrics)
        try writeAges(writer, to: &metrics)
        page.writeAttempts(to: &metrics)
        page.writeGates(to: &metrics)
        page.writeLimits(to: &metrics)
        page.writeCallbacks(to: &metrics)
        page.writeWebhooks(to: &metrics)
        page.writeStore(to: &metrics)
        for (name, suffix, help) in [
            ("outboxd_database_size_bytes", "", "Size of the database's file."),
            ("outboxd_wal_size_bytes", "-wal", "Size of the file with the database's write-ahead log."),
        ] {
            guard let size = fileSize(path + suffix) else { continue }
            metrics.family(name, .gauge, help) { $0.sample(size) }
        }
        metrics.end()
        return HTTPResponse(
            status: 200, headers: [HTTPHeader("content-type", OpenMetrics.contentType)], body: Array(metrics.text.utf8))
    }

    private func writeAges(_ writer: WriterMeasures, to metrics: inout OpenMetrics) throws {
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        let oldest = try reader.oldestDue(writer.queue.ready)
        var ages: [(line: String, age: Double)] = []
        for (id, line) in writer.queue.lines.sorted(by: { $0.value.name < $1.value.name }) {
            ages.append((line.name, oldest[id].map { Double(max(0, now.milliseconds - $0.milliseconds)) / 1000 } ?? 0))
        }
        metrics.family(
            "outboxd_oldest_eligible_age_seconds", .gauge,
            "How long ago the message was due that waits for nothing but its turn, and longest; 0 if none does."
        ) { family in
            for (line, age) in ages { family.sample(real: age, ["line": line]) }
        }
    }

    /// Nil when there is no such file. Only looked at from outside: opening it would let go SQLite's locks.
    private func fileSize(_ path: String) -> Int64? {
        var info = stat()
        return stat(path, &info) == 0 ? Int64(info.st_size) : nil
    }
}
