import OutboxCommandLine

struct SandboxSettings: Sendable {
    var webhookURL: String?
    var webhookSocket: String?
    var appSecret: String
    var token: String?
    var latency: Int
    var deliveredAfter: Int
    var readAfter: Int
    var duplicateShare: Double
    var reorderShare: Double
    var opaqueOnFailed: Bool
    var rules: [FaultRule]
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
        duplicateShare = try share("duplicate-webhooks")
        reorderShare = try share("reorder-webhooks")
        opaqueOnFailed = !arguments.has("no-opaque-on-failed")
        rules = []
        for text in arguments.all("fault") { rules.append(try FaultRule(text)) }
        seed = UInt64(try arguments.integer("seed", in: 0...Int.max) ?? Int.random(in: 0...Int.max))
    }
}
