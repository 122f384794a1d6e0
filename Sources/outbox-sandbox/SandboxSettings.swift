import OutboxCommandLine
import OutboxCore

struct SandboxSettings: Sendable {
    var webhookURL: String?
    var webhookSocket: String?
    var appSecret: String
    var token: String?
    var latency: Int
    var deliveredAfter: Int
    var readAfter: Int
    /// Milliseconds until a template that was made or changed is approved; -1: it never is.
    var approveAfter: Int
    var duplicateShare: Double
    var reorderShare: Double
    var opaqueOnFailed: Bool
    /// How long uploaded files are kept.
    var mediaSeconds: Int
    var rules: [FaultRule]
    var limits = LimitSettings()
    /// Digits of the WhatsApp user that a number dialled with these digits leads to.
    var waIDs: [String: String] = [:]
    /// Kinds of messages Meta does not have yet.
    var laterKinds: Set<String> = []
    var seed: UInt64

    init(_ arguments: Arguments) throws(Arguments.Problem) {
        func share(_ name: String) throws(Arguments.Problem) -> Double {
            guard let text = arguments[name] else { return 0 }
            guard let share = Double(text), (0...1).contains(share) else {
                throw Arguments.Problem("--\(name) must be a number from 0 to 1")
            }
            return share
        }
        webhookURL = arguments["webhook-url"]
        webhookSocket = arguments["webhook-socket"]
        appSecret = arguments["app-secret"] ?? "sandbox-secret"
        token = arguments["token"]
        latency = try arguments.integer("latency", in: 0...600_000) ?? 0
        deliveredAfter = try arguments.integer("delivered-after", in: 0...86_400_000) ?? 100
        readAfter = try arguments.integer("read-after", in: -1...86_400_000) ?? 100
        approveAfter = try arguments.integer("approve-after", in: -1...86_400_000) ?? 1000
        duplicateShare = try share("duplicate-webhooks")
        reorderShare = try share("reorder-webhooks")
        mediaSeconds = try arguments.integer("media-seconds", in: 1...2_592_000) ?? 2_592_000
        opaqueOnFailed = !arguments.has("no-opaque-on-failed")
        rules = []
        for text in arguments.all("fault") { rules.append(try FaultRule(text)) }
        seed = UInt64(try arguments.integer("seed", in: 0...Int.max) ?? Int.random(in: 0...Int.max))
        try readLimits(arguments)
        laterKinds = Set(arguments.all("kind"))
        for text in arguments.all("wa-id") {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map { PhoneNumber(String($0)) }
            guard parts.count == 2, let from = parts[0], let to = parts[1] else {
                throw Arguments.Problem("--wa-id \(text): must be two phone numbers, FROM=TO")
            }
            waIDs[from.digits] = to.digits
        }
    }

    private mutating func readLimits(_ arguments: Arguments) throws(Arguments.Problem) {
        /// Nanoseconds, from a number of units of so many seconds.
        func duration(_ name: String, unit: Double, most: Double) throws(Arguments.Problem) -> UInt64? {
            guard let text = arguments[name] else { return nil }
            guard let number = Double(text), number > 0, number <= most else {
                throw Arguments.Problem("--\(name) must be a number above 0, at most \(Int(most))")
            }
            return UInt64(number * unit * 1e9)
        }
        limits.people = try arguments.integer("tier", in: 1...1_000_000_000)
        limits.peoplePerNumber = arguments.has("tier-per-number")
        limits.peoplePeriod = try duration("tier-hours", unit: 3600, most: 8760) ?? limits.peoplePeriod
        limits.messagesPerSecond = try arguments.integer("messages-per-second", in: 1...1_000_000)
        let pairInterval = try duration("pair-seconds", unit: 1, most: 86_400) ?? 6_000_000_000
        limits.pairInterval = arguments.has("pair-limit") ? pairInterval : nil
        limits.windowNeeded = arguments.has("window")
    }

    /// Whom a message to these digits reaches.
    func person(_ digits: String) -> String { waIDs[digits] ?? digits }
}
