import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Meta as the daemon meets it: accepts, refuses, loses answers, and tells what became of messages late, twice, out of
/// order or not at all. Keeps its own count of what it received; knows nothing of the daemon's.
struct SimulatedMeta {
    /// What comes of one POST.
    struct Reaction {
        /// Nil: no answer; the caller waits until its patience ends.
        var answer: HTTPResult?
        var answersAfter: Int64
        /// Webhook bodies, and when they are sent first.
        var webhooks: [(after: Int64, word: Word)] = []
    }

    /// A webhook's body, and what it says of which message.
    struct Word {
        var body: [UInt8]
        var status: (message: String, report: String)?
        /// Of what it tells that people wrote.
        var inbound: [String] = []
    }

    struct Post {
        var opaque: String
        var phoneNumberID: String
        var to: String
        var at: Int64
        var accepted: Bool
    }

    private(set) var posts: [Post] = []
    private(set) var problems: [String] = []
    private var dice: Dice
    /// Everything fails until then.
    var outageUntil: Int64 = 0
    /// Nothing strange happens any more.
    var isKind = false
    private var accepted = 0

    // What counts against the limits, by Meta's own clock.
    private var windows: [String: Int64] = [:]
    private var people: [(person: String, at: Int64)] = []
    private var buckets: [String: (tokens: Double, at: Int64)] = [:]
    private let peopleMax: Int

    init(seed: UInt64, peopleMax: Int) {
        dice = Dice(seed: seed)
        self.peopleMax = peopleMax
    }

    private mutating func happens(_ share: Double) -> Bool {
        !isKind && Double.random(in: 0..<1, using: &dice) < share
    }

    private mutating func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &dice) }

    // MARK: A POST arrives

    mutating func receive(_ attempt: Attempt, at moment: Int64, wall: Int64) -> Reaction {
        var reaction = Reaction(answer: nil, answersAfter: random(50...900))
        let isDown = moment < outageUntil
        if isDown || happens(0.03) {
            posts.append(Post(attempt, at: moment, accepted: false))
            reaction.answer = refusal(isDown)
            return reaction
        }
        accepted += 1
        let wamid = "wamid.\(accepted)"
        posts.append(Post(attempt, at: moment, accepted: true))
        count(attempt, moment)
        reaction.webhooks = statuses(attempt, wamid, wall)
        if happens(0.03) {
            // It is with Meta, and nobody hears of it.
            reaction.answer = happens(0.5) ? .broken("connection reset") : nil
        } else {
            let body = #"{"contacts":[{"wa_id":"\#(attempt.to)"}],"messages":[{"id":"\#(wamid)"}]}"#
            reaction.answer = .answered(status: 200, headers: [], body: Array(body.utf8))
        }
        return reaction
    }

    private mutating func refusal(_ isDown: Bool) -> HTTPResult? {
        func error(_ code: Int, _ status: Int) -> HTTPResult {
            let body = #"{"error":{"message":"(#\#(code)) no","code":\#(code),"error_data":{"details":"no"}}}"#
            return .answered(status: status, headers: [], body: Array(body.utf8))
        }
        switch random(0...(isDown ? 4 : 8)) {
        case 0: return .notSent("connection refused")
        case 1: return .broken("connection reset")
        case 2: return .answered(status: 502, headers: [], body: Array("<html>".utf8))
        case 3: return error(131016, 500)
        case 4: return nil
        case 5: return error(131026, 400)
        case 6: return error(130429, 400)
        case 7: return error(131056, 400)
        default: return error(132001, 404)
        }
    }

    // MARK: Limits

    /// A person writes to a number: the window is open from now on.
    mutating func inbound(_ person: String, _ phoneNumberID: String, at moment: Int64) {
        windows["\(phoneNumberID) \(person)"] = moment + 86_400_000
    }

    private mutating func count(_ attempt: Attempt, _ moment: Int64) {
        let pair = "\(attempt.phoneNumberID) \(attempt.to)"
        var bucket = buckets[pair] ?? (45, moment)
        bucket = (min(45, bucket.tokens + Double(max(0, moment - bucket.at)) / 6000) - 1, max(bucket.at, moment))
        if bucket.tokens < -0.001 { problems.append("at \(moment): the pair \(pair) got one too many") }
        buckets[pair] = bucket
        if let until = windows[pair], moment < until { return }
        people.removeAll { $0.at <= moment - 86_400_000 }
        people.append((attempt.to, moment))
        let count = Set(people.map(\.person)).count
        if count > peopleMax { problems.append("at \(moment): \(count) people in 24 hours") }
    }

    // MARK: Webhooks

    private mutating func statuses(_ attempt: Attempt, _ wamid: String, _ wall: Int64) -> [(after: Int64, word: Word)] {
        var list: [(after: Int64, word: Word)] = []
        let message = String(attempt.opaque.split(separator: ".")[0])
        func body(_ status: String, _ after: Int64, opaque: Bool) -> [UInt8] {
            let echo = opaque ? #","biz_opaque_callback_data":"\#(attempt.opaque)""# : ""
            let errors = status == "failed" ? #","errors":[{"code":131026,"title":"Message undeliverable"}]"# : ""
            let one =
                #"{"id":"\#(wamid)","status":"\#(status)","timestamp":"\#((wall + after) / 1000)","#
                + #""recipient_id":"\#(attempt.to)"\#(echo)\#(errors)}"#
            return Array(
                (#"{"entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"#
                    + #""\#(attempt.phoneNumberID)"},"statuses":[\#(one)]}}]}]}"#).utf8)
        }
        var at = random(100...5000)
        var names = ["sent", "delivered", "read"]
        if happens(0.03) { names = ["failed"] } else if happens(0.4) { names.removeLast() }
        for name in names {
            if happens(0.01) { continue }
            let late = happens(0.05) ? random(0...7_200_000) : 0
            // Meta promises the opaque id, but not on a failure.
            let word = Word(
                body: body(name, at, opaque: name != "failed" || happens(0.5)), status: (message, name))
            list.append((at + late, word))
            if happens(0.1) { list.append((at + random(0...3_600_000), word)) }
            at += happens(0.1) ? random(60_000...86_400_000) : random(500...20_000)
        }
        return list
    }

    /// One person's messages to one number.
    static func inboundBody(_ list: [Received.Written], wall: Int64) -> [UInt8] {
        guard let first = list.first else { return [] }
        let names = [first.digits.map { #""wa_id":"\#($0)""# }, first.userID.map { #""user_id":"\#($0)""# }]
        let contact = "{\(names.compactMap { $0 }.joined(separator: ","))}"
        let messages = list.map { message in
            let from = [
                message.digits.map { #""from":"\#($0)","# }, message.userID.map { #""from_user_id":"\#($0)","# },
            ]
            return #"{\#(from.compactMap { $0 }.joined())"id":"\#(message.wamid)","timestamp":"\#(wall / 1000)","#
                + #""type":"text","text":{"body":"hi"}}"#
        }
        return Array(
            (#"{"entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"#
                + #""\#(first.phoneNumberID)"},"contacts":[\#(contact)],"#
                + #""messages":[\#(messages.joined(separator: ","))]}}]}]}"#).utf8)
    }
}

extension SimulatedMeta.Post {
    fileprivate init(_ attempt: Attempt, at moment: Int64, accepted: Bool) {
        self.init(
            opaque: attempt.opaque, phoneNumberID: attempt.phoneNumberID, to: attempt.to, at: moment,
            accepted: accepted)
    }
}
