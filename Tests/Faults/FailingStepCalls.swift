#if DEBUG
    import CFaultVFS
    import OutboxCore
    import OutboxHTTP
    import OutboxJSON
    import OutboxStore

    @testable import OutboxAPI
    @testable import OutboxService

    /// Whoever calls subscriptions' endpoints, beside the writer, and endpoints that take most events.
    final class CallDesk {
        private let step: CallerStep<Dice>
        private var dice: Dice
        private let parser = JSONParser()
        private var mail: [CallerMail] = []
        private var wake: Timestamp?
        private var goesOn = true
        /// What endpoints answered with 200, by subscription.
        private var taken: [Int64: Set<Int64>] = [:]
        /// Subscriptions as they were answered, and the last event before each.
        private var begun: [Int64: Int64] = [:]
        private var asked: [Exchange: Request] = [:]
        private(set) var problems: [String] = []

        private enum Request {
            case subscribe(SubscriptionSettings)
            case change(Int64, SubscriptionSettings?)
            case mark(MessageID)
            case replay
        }

        init(path: String, seed: UInt64) throws {
            dice = Dice(seed: seed ^ 0xCA11)
            let secret = "whsec_\(Base64.text([UInt8](repeating: 1, count: 32)))"
            step = try CallerStep(
                QueueReader(path: path), chance: Dice(seed: 6), secret: { _ in secret }, allowsHTTP: { false })
        }

        private func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &dice) }

        // MARK: Its turns

        /// After a turn of the writer.
        func hear(_ recorded: [Int64: Int], _ changed: [Int64], grew: Bool) {
            if !recorded.isEmpty { mail.append(.recorded(recorded)) }
            if !changed.isEmpty { mail.append(.changed(changed)) }
            if grew { mail.append(.logged) }
        }

        /// What it reports; endpoints answer at once.
        func turn(now: Timestamp, isKind: Bool = false) -> [WriterInput] {
            guard goesOn || !mail.isEmpty || wake.map({ $0 <= now }) ?? false else { return [] }
            let outputs = step.turn(mail, now: now, tick: ticks(now))
            (mail, wake, goesOn) = ([], outputs.wake, outputs.goOn)
            for (request, call) in outputs.calls {
                let isTaken = isKind || random(0...3) > 0
                if isTaken { taken[call.subscription, default: []].formUnion(call.events) }
                let body = try? parser.parse(request.body)
                let told = (body?["events"].map { Array($0.elements) } ?? [body].compactMap { $0 }).compactMap {
                    $0["seq"]?.integer
                }
                if told != call.events { problems.append("a call for \(call.events) tells \(told)") }
                mail.append(
                    .ended(
                        call, .answered(status: isTaken ? 200 : 500, headers: [], body: []), at: ticks(now)))
            }
            return outputs.reports.map(WriterInput.callbacks)
        }

        /// When there is something to do; nil: never.
        func next(_ now: Timestamp) -> Timestamp? { goesOn || !mail.isEmpty ? now : wake }

        // MARK: Operators

        func draw(_ exchange: Exchange, path: String, _ acknowledged: inout Acknowledged) -> WriterInput? {
            switch random(0...7) {
            case 0...2 where begun.count < 3:
                let settings = SubscriptionSettings(
                    url: "https://example.com/\(random(0...9))", eventsPerCall: Int([1, 1, 2, 100][random(0...3)]))
                asked[exchange] = .subscribe(settings)
                return .subscribe(exchange, SubscriptionBody(settings: settings), secret: "s")
            case 3: return change(exchange, &acknowledged)
            case 4:
                guard let id = begun.keys.sorted().randomElement(using: &dice) else { return nil }
                asked[exchange] = .replay
                return .replay(exchange, id, ReplayBody(range: 1...Int64.max, failedOnly: false, isOne: false))
            default:
                let reader = try? QueueReader(path: path)
                let page = try? reader?.conversations(ConversationFilter(), account: 1)
                guard let id = page?.items.randomElement(using: &dice)?.lastReceived else { return nil }
                asked[exchange] = .mark(id)
                return .markRead(exchange, id, typing: false)
            }
        }

        private func change(_ exchange: Exchange, _ acknowledged: inout Acknowledged) -> WriterInput? {
            guard let id = begun.keys.sorted().randomElement(using: &dice) else { return nil }
            guard random(0...4) > 0 else {
                asked[exchange] = .change(id, nil)
                acknowledged.note(.call(.asked(id, nil)))
                return .unsubscribe(exchange, id)
            }
            let settings = SubscriptionSettings(
                url: "https://example.com/\(random(0...9))", isActive: random(0...3) > 0,
                eventsPerCall: Int([1, 1, 2, 100][random(0...3)]))
            asked[exchange] = .change(id, settings)
            acknowledged.note(.call(.asked(id, settings)))
            return .changeSubscription(exchange, id, settings)
        }

        /// Whether the answer was to something of this desk's.
        func heard(_ reply: WriterReply, _ exchange: Exchange, _ acknowledged: inout Acknowledged) -> Bool {
            guard let request = asked.removeValue(forKey: exchange) else { return false }
            switch (request, reply) {
            case (.subscribe(let settings), .subscription(let made, true)):
                begun[made.id] = made.cursor
                acknowledged.note(.call(.subscription(made.id, settings)))
            case (.change(let id, let settings?), .subscription): acknowledged.note(.call(.subscription(id, settings)))
            case (.change(let id, nil), .unsubscribed):
                begun[id] = nil
                acknowledged.note(.call(.subscription(id, nil)))
            case (.mark(let id), .markedRead): acknowledged.note(.call(.marked(id)))
            case (_, .storageFailed), (.change, .noSubscription), (.replay, _): break
            default: problems.append("\(request) was answered with \(reply)")
            }
            return true
        }

        // MARK: The end

        /// When everything had its time: what was taken is shown so, and everything else was told.
        func settle(path: String) throws -> [String] {
            var found = problems
            let reader = try QueueReader(path: path)
            let callbacks = try CallbackReader(reader)
            let log = try LogReader(reader).events(after: 0, limit: 1_000_000, account: 1)
            for row in try callbacks.subscriptions() {
                let told = taken[row.id] ?? []
                for one in try callbacks.deliveries(row.id, status: .delivered, before: .max, limit: 1_000_000)
                where !told.contains(one.delivery.event) {
                    found.append("event \(one.delivery.event) is shown as delivered, and was not taken")
                }
                guard row.settings.isActive, let start = begun[row.id] else { continue }
                for event in log where event.sequence > start && event.kind.publicName != nil {
                    if !told.contains(event.sequence) {
                        found.append("event \(event.sequence) was not told to subscription \(row.id)")
                    }
                }
            }
            return found
        }
    }
#endif
