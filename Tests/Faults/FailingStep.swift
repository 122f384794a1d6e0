#if DEBUG
    import CFaultVFS
    import OutboxCore
    import OutboxHTTP
    import OutboxJSON
    import OutboxStore

    @testable import OutboxAPI
    @testable import OutboxService

    /// The writer's turns, with the n-th operation below them failing, until one says that the process must end.
    func failingStep(seed: UInt64, runs: Int) throws -> [String] {
        let scratch = Scratch()
        return try everyFailure("step", seed: seed, runs: runs) { _ in
            scratch.clear()
            fault_record(scratch.database)
            let desk = Desk(path: scratch.database, seed: seed)
            var problems = desk.run()
            fault_disarm()
            problems += desk.afterwards()
            problems += try end(desk.acknowledged, scratch, now: desk.now) { desk.abandon() }
            return problems
        }
    }

    /// Turns of the writer with inputs drawn from a seed, and what their outputs told.
    private final class Desk {
        private let path: String
        private var step: WriterStep<Dice>?
        private var dice: Dice
        private let parser = JSONParser()
        private(set) var now = Timestamp(milliseconds: 1_800_000_000_000)
        private(set) var acknowledged = Acknowledged()
        private var problems: [String] = []
        private var ended = false

        private var serial: UInt64 = 0
        /// Exchanges that wait for their one answer, and the message they speak of.
        private var asked: [Exchange: MessageID?] = [:]
        private var askedWithKey: [Exchange: IdempotencyKey] = [:]
        private var askedWith: [Exchange: StatusReport] = [:]
        private var askedOf: [Exchange: String] = [:]
        private var calls: CallDesk?
        private var underWay: [Attempt] = []
        private var fed: [(attempt: Attempt, outcome: Outcome)] = []
        private var accepted: [Attempt] = []
        private var number = 0
        private var written = 0
        private let seed: UInt64

        init(path: String, seed: UInt64) {
            self.path = path
            self.seed = seed
            dice = Dice(seed: seed)
            acknowledged.isAll = true
        }

        func abandon() {
            step = nil
            calls = nil
        }

        private func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &dice) }

        func run() -> [String] {
            do {
                let queue = try Queue(path: path, reading: reading(now))
                // So that the log is written into the file now and then.
                queue.logPagesMax = 300
                step = try WriterStep(queue: queue, slotsMax: 8, chance: Dice(seed: 5), shown: { $0 })
                calls = try CallDesk(path: path, seed: seed)
            } catch is StoreError {
                ended = true
                return []
            } catch {
                return ["opening threw \(error)"]
            }
            turn([.putLine(exchange(), lineSettings)])
            for _ in 0..<40 where !ended {
                now = now + .milliseconds(Int64(random(100...3000)))
                var inputs = (0...random(0...6)).map { _ in draw() }
                inputs += calls?.turn(now: now) ?? []
                if random(0...7) == 0 { inputs.insert(impossible(), at: random(0...inputs.count)) }
                turn(inputs)
                if random(0...3) == 0 { read() }
            }
            return problems
        }

        /// Nothing fails any more: the writer goes on, and what it was told is not lost.
        func afterwards() -> [String] {
            problems = []
            for _ in 0..<4 where !ended {
                now = now + .seconds(2)
                turn([])
            }
            tellTheRest()
            guard !ended, let queue = step?.queue else { return problems }
            do {
                problems += try calls?.settle(path: path) ?? []
                problems += try queue.disagreements()
                let reader = try QueueReader(path: path)
                for (attempt, outcome) in fed {
                    guard let found = try reader.message(attempt.message, account: 1) else { continue }
                    if case .unknown = outcome { continue }
                    if found.state == .processing, found.attempts == attempt.number {
                        problems.append(
                            "the outcome of attempt \(attempt.number) was not recorded: \(found.id.rawValue)")
                    }
                }
                let count = acknowledged.messages.count
                problems += try acknowledged.missing(in: queue, path: path, now: now)
                if queue.line(named: "main", account: 1) == nil { turn([.putLine(exchange(), lineSettings)]) }
                turn([.submit(exchange(), try textDraft(number: 2))])
                if acknowledged.messages.count == count {
                    problems.append("nothing is taken any more")
                }
            } catch {
                problems.append("afterwards: \(error)")
            }
            return problems
        }

        /// Until nobody is to be told of anything any more.
        private func tellTheRest() {
            for _ in 0..<400 where !ended {
                guard let calls, let next = calls.next(now) else { return }
                now = max(now + .milliseconds(1), next)
                turn(calls.turn(now: now, isKind: true))
            }
            if !ended { problems.append("there is no end of calls") }
        }

        /// A reader answers what is true, or an error.
        private func read() {
            do {
                let reader = try QueueReader(path: path)
                for (id, standing) in acknowledged.messages.prefix(5) {
                    guard let found = try reader.message(id, account: 1) else {
                        problems.append("a reader does not find message \(id.rawValue)")
                        continue
                    }
                    let now = Acknowledged.Standing(state: found.state, attempt: found.attempts)
                    if !standing.allows(now) || found.content.count < 50 || found.type != "text" {
                        problems.append("a reader found \(now) of \(found.content.count) bytes, not \(standing)")
                    }
                }
                _ = try reader.list(ListFilter(), account: 1)
            } catch is StoreError {} catch {
                problems.append("a reader threw \(error)")
            }
        }

        // MARK: A turn

        private func turn(_ inputs: [WriterInput]) {
            guard let step else { return }
            let syncs = fault_sync_hits()
            let tick = ticks(now)
            let outputs = step.turn(inputs, now: now, tick: tick)
            for attempt in outputs.attempts {
                underWay.append(attempt)
                acknowledged.note(.attempt(attempt.message, attempt.number))
                acknowledged.note(
                    .message(attempt.message, Acknowledged.Standing(state: .processing, attempt: attempt.number)))
            }
            calls?.hear(outputs.recordedReports, outputs.changedSubscriptions, grew: outputs.logEnd != nil)
            for (exchange, reply) in outputs.replies { heard(reply, exchange) }
            if outputs.fatal != nil {
                ended = true
                return
            }
            if fault_sync_hits() > syncs { problems.append("a sync failed, and the writer goes on") }
            if !asked.isEmpty { problems.append("\(asked.count) requests have no answer") }
            asked = [:]
            fault_pause()
            do { problems += try step.queue.disagreements() } catch { problems.append("afterwards: \(error)") }
            fault_go_on()
        }

        private func heard(_ reply: WriterReply, _ exchange: Exchange) {
            guard let subject = asked.removeValue(forKey: exchange) else {
                return problems.append("an answer nobody waits for: \(reply)")
            }
            let key = askedWithKey.removeValue(forKey: exchange)
            let status = askedWith.removeValue(forKey: exchange)
            let wamid = askedOf.removeValue(forKey: exchange)
            if calls?.heard(reply, exchange, &acknowledged) ?? false { return }
            switch reply {
            case .submitted(.done(let done)):
                see(done.id, done.state)
                if let key { acknowledged.note(.key(key, done)) }
            case .sliceStored(_, let results, _):
                for case .done(let done) in results { see(done.id, done.state) }
            case .request(.done(let state)): if let subject { see(subject, state) }
            case .cursor(.done(let cursor, _)): acknowledged.note(.cursor(cursor.name, cursor.position))
            case .webhookStored:
                if let status { acknowledged.reports.append(status) }
                // Without the line, which the failure may have kept from being made, it is for nobody.
                if let wamid, step?.queue.line(named: "main", account: 1) != nil {
                    acknowledged.note(.call(.received(wamid)))
                }
            case .replayed(let done):
                if let key, acknowledged.keys[key.text]?.submitted != done {
                    problems.append("key \(key.text) changed")
                }
            case .storageFailed(.unsure): acknowledged.isAll = false
            default: break
            }
        }

        private func see(_ id: MessageID, _ state: MessageState) {
            // In one turn a message may be claimed too, of which the attempt tells.
            let attempt = acknowledged.messages[id]?.attempt ?? 0
            guard acknowledged.messages[id]?.state != .processing || state != .queued else { return }
            acknowledged.note(.message(id, Acknowledged.Standing(state: state, attempt: attempt)))
        }

        // MARK: Inputs

        private func exchange(about id: MessageID? = nil) -> Exchange {
            serial += 1
            let exchange = Exchange(descriptor: 1, serial: serial)
            asked[exchange] = .some(id)
            return exchange
        }

        private func draft() -> Draft {
            number += 1
            do {
                return try textDraft(number: number % 90, bytes: random(0...3) == 0 ? random(5000...40_000) : 40)
            } catch {
                preconditionFailure("the number is one")
            }
        }

        private func draw() -> WriterInput {
            switch random(0...14) {
            case 0...2: return .submit(exchange(), draft())
            case 3: return keyed()
            case 4:
                let drafts = (0..<random(5...30)).map { _ in draft() }
                return .slice(exchange(), BulkSlice(batch: nil, drafts: drafts, refusedBefore: 0, atomic: false))
            case 5...7: return outcome()
            case 8...9: return webhook()
            case 10:
                guard let id = acknowledged.messages.keys.sorted().randomElement(using: &dice) else { break }
                return random(0...1) == 0 ? .cancel(exchange(about: id), id) : .retry(exchange(about: id), id)
            case 11...13:
                let exchange = exchange()
                if let input = calls?.draw(exchange, path: path, &acknowledged) { return input }
                asked[exchange] = nil
            default: break
            }
            return .moveCursor(
                exchange(), name: "reader", CursorBody(after: step?.queue.lastEvent ?? 0, rewind: false))
        }

        /// The schema refuses it, and it alone.
        private func impossible() -> WriterInput {
            var draft = draft()
            draft.type = ""
            return .submit(exchange(), draft)
        }

        private func keyed() -> WriterInput {
            let used = acknowledged.keys.keys.sorted().randomElement(using: &dice)
            let draft = draft()
            var key = IdempotencyKey(
                caller: 1000, text: "key-\(number)", form: .single,
                digest: [UInt8](repeating: 7, count: IdempotencyKey.digestBytes))
            if random(0...1) == 0, let used, let entry = acknowledged.keys[used] { key = entry.key }
            let exchange = exchange()
            askedWithKey[exchange] = key
            return .submit(exchange, draft, key)
        }

        private func outcome() -> WriterInput {
            guard !underWay.isEmpty else { return .submit(exchange(), draft()) }
            let attempt = underWay.remove(at: random(0...underWay.count - 1))
            let outcome = Outcome.drawn(random(0...7), for: attempt)
            if case .accepted = outcome { accepted.append(attempt) }
            fed.append((attempt, outcome))
            return .outcome(AttemptOutcome(attempt: attempt, outcome: outcome))
        }

        private func webhook() -> WriterInput {
            var statuses = "[]"
            if let attempt = accepted.randomElement(using: &dice) {
                let status = ["delivered", "read"][random(0...1)]
                statuses = """
                    [{"id":"wamid.\(attempt.opaque)","status":"\(status)","timestamp":"1800000100",
                    "recipient_id":"\(attempt.to)","biz_opaque_callback_data":"\(attempt.opaque)"}]
                    """
            }
            written += 1
            let wamid = "wamid.in.\(random(0...5) == 0 ? random(1...written) : written)"
            let from = ["\"from\":\"1415555\(2000 + written % 9)\",", "\"from_user_id\":\"US.\(written % 9)\","]
            let names = [from[0], from[1], from.joined()][random(0...2)]
            let messages = """
                [{\(names)"id":"\(wamid)","timestamp":"1800000100","type":"text","text":{"body":"hi"}}]
                """
            let body = """
                {"object":"whatsapp_business_account","entry":[{"id":"W","changes":[{"field":"messages","value":
                {"messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"statuses":\(statuses),
                "messages":\(messages)}}]}]}
                """
            let webhook = ReceivedWebhook.reading(app: "default", body: Array(body.utf8), parser: parser)
            let exchange = exchange()
            askedWith[exchange] = webhook.statuses.first
            askedOf[exchange] = wamid
            return .webhook(exchange, webhook)
        }
    }
#else
    /// Looks into the service's own parts: for that it must be built with tests enabled.
    func failingStep(seed: UInt64, runs: Int) throws -> [String] { ["only a debug build can do that"] }
#endif
