import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import TestKit

@testable import OutboxService

/// Callers, operators, people who write, and what breaks.
extension Simulation {
    private static let people = 400

    func person() -> String { "1415555\(1000 + Int(random(0...Int64(Self.people - 1))))" }

    func setUp() throws {
        for (index, name) in Self.lines.enumerated() {
            var settings = LineSettings(
                name: name, phoneNumberID: "10\(index)", wabaID: nil, credential: "c", unknownPolicy: .byKind,
                unknownGrace: .seconds(300), messagesPerSecond: 20)
            settings.pool = "shared"
            settings.closedWindow = .leave
            settings.retry.attemptsMax = 6
            post(.putLine(exchange(), settings))
        }
        var body = PoolBody()
        body.tier = .set(.tier50)
        post(.putPool(exchange(), name: "shared", body))
        if forgets {
            for kind in RetentionKind.allCases {
                post(.putRetention(exchange(), kind, RetentionRule(ageMax: .milliseconds(Self.keptFor))))
            }
        }
        try subscribe(Told.Wish(askedAt: time))
    }

    /// Something happens, and the next thing is planned.
    func act() throws {
        guard !isEnding else { return }
        switch random(0...99) {
        case 0..<60: submit(Int(happens(0.1) ? random(5...60) : random(1...3)))
        case 60..<70: inbound()
        case 70..<72: try happens(0.5) ? markRead() : moveCursor()
        case 72..<77: cancelOne()
        case 77..<82: retryOne()
        case 82..<85: resolveOne()
        case 85..<87: pauseSomething()
        case 87..<89: try endPauses()
        case 89..<91: changePolicy()
        case 91..<93: kill()
        case 93: meta.outageUntil = time + random(10_000...1_800_000)
        case 94:
            try setDisk(full: true)
            agenda.add(.mendDisk, at: time + random(1000...600_000))
        case 95..<97: stop()
        default: break
        }
        if happens(0.12) { try actOnSubscriptions() }
        if happens(0.2) { broadcast() }
        agenda.add(.act, at: time + random(1000...6_000_000))
    }

    private func submit(_ count: Int) {
        for _ in 0..<count {
            guard let to = Recipient(person()) else { continue }
            let priority: Priority = happens(0.2) ? .high : happens(0.3) ? .low : .normal
            var draft = Draft(
                line: Self.lines.randomElement(using: &dice), to: to, type: "template",
                content: Array(#"{"name":"t","language":{"code":"en"}}"#.utf8), priority: priority)
            draft.template = TemplateName(name: "t", language: "en")
            draft.metadata = Array(#"{"n":\#(calls.count)}"#.utf8)
            if happens(0.2) { draft.onUnknown = UnknownPolicy.allCases.randomElement(using: &dice) }
            if happens(0.2) { draft.sendAt = wall + .milliseconds(random(1000...86_400_000)) }
            if happens(0.1) {
                draft.expiresAt = (draft.sendAt ?? wall) + .milliseconds(random(1000...86_400_000))
            }
            if happens(0.1) { draft.anyOrder = true }
            let number = calls.count
            let key = IdempotencyKey(
                caller: 0, text: "call-\(number)", form: .single, digest: Array(repeating: 1, count: 16))
            calls.append(Call(draft: draft, key: key))
            call(number)
        }
    }

    private func someID(_ states: MessageState...) -> MessageID? {
        history.known.filter { states.contains($0.value.state) }.keys.sorted { $0.rawValue < $1.rawValue }
            .randomElement(using: &dice)
    }

    private func cancelOne() {
        guard let id = someID(.scheduled, .queued, .retrying, .processing) else { return }
        post(.cancel(exchange(), id))
    }

    private func retryOne() {
        guard let id = someID(.failed) else { return }
        history.sentAgain(id)
        post(.retry(exchange(), id))
    }

    private func resolveOne() {
        guard let id = someID(.processing), let resolution = [Resolution.failed, .resend].randomElement(using: &dice)
        else { return }
        if resolution == .resend { history.sentAgain(id) }
        post(.resolve(exchange(), id, ResolveBody(resolution: resolution), who: "somebody"))
    }

    private func pauseSomething() {
        let scope: PauseScope = happens(0.3) ? .everything : .line
        let body = PauseBody(
            scope: scope, line: scope == .line ? Self.lines.randomElement(using: &dice) : nil,
            until: happens(0.7) ? wall + .milliseconds(random(60_000...21_600_000)) : nil)
        post(.pause(exchange(), body, who: "somebody"))
    }

    func endPauses() throws {
        guard let pauses = try? QueueReader(path: folder.file("outboxd.db")).pauses(account: 1) else { return }
        for pause in pauses { post(.resume(exchange(), id: pause.id, who: "somebody")) }
    }

    private func changePolicy() {
        guard let name = Self.lines.randomElement(using: &dice),
            var settings = step?.queue.line(named: name, account: 1)?.settings,
            let policy = UnknownPolicy.allCases.randomElement(using: &dice)
        else { return }
        settings.unknownPolicy = policy
        post(.putLine(exchange(), settings))
    }
}
