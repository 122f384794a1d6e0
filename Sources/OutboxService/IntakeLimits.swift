import OutboxAPI

/// When no more messages are taken. What was taken goes on whatever these say.
struct IntakeLimits: Equatable, Sendable {
    /// Messages that may wait (scheduled, queued, retrying), over all accounts; nil: any number.
    var queueMax: Int64?
    /// Bytes of the disk that must stay free; nil: what `DiskRoom` holds for right.
    var freeDiskMin: UInt64?

    init(queueMax: Int64? = nil, freeDiskMin: UInt64? = nil) {
        self.queueMax = queueMax
        self.freeDiskMin = freeDiskMin
    }
}

extension IntakeLimits {
    init(_ settings: Settings) {
        self.init(
            queueMax: settings.queueMax == 0 ? nil : Int64(settings.queueMax),
            freeDiskMin: settings.freeDiskMebibytes.map { UInt64($0) << 20 })
    }
}

extension APIError {
    /// Some leave with every second that something is sent at all.
    static let queueRetryAfter: Int64 = 10
    static let diskRetryAfter: Int64 = 30

    static func queueFull(_ max: Int64) -> APIError {
        APIError(
            .queueFull,
            "as many messages wait as may, \(max) (the setting queue-max): this one is not taken; what waits goes on. "
                + "Try again later", retryAfter: queueRetryAfter)
    }
}
