import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// What callers are told of the writer's replies.
struct ReplyWords {
    let codec: IDCodec
    let clock: LimitClock

    private func wall(_ moment: Timestamp) -> Timestamp { clock.wall(moment) }

    /// `draft` is the one a dry run was asked for, or whose content is for Meta to check.
    func response(to reply: WriterReply, draft: Draft?) -> HTTPResponse {
        switch reply {
        case .submitted(.done(let submitted)): return submittedResponse(submitted, draft)
        case .submitted(.refused(let refusal)): return .error(refusal.error)
        case .replayed(let submitted): return submittedResponse(submitted, draft).replayed
        case .refused(let error): return .error(error)
        case .estimated(_, let estimate?, _): return dryRunResponse(estimate, draft)
        case .estimated(let refusals, nil, _):
            return .error(refusals.first.flatMap { $0?.error } ?? APIError(.internalError, "nothing was estimated"))
        case .markedRead(let id, let typing):
            return .json(200) {
                $0.object("data") {
                    $0.field("id", codec.text(id, .inbound))
                    $0.field("status", "read")
                    $0.field("typing", typing)
                }
            }
        case .request(let result): return requestResponse(result)
        case .moved(let result): return movedResponse(result)
        case .line(let line, let isNew): return .json(isNew ? 201 : 200) { line.write(to: &$0, name: "data") }
        case .lineRemoved(let removal, _): return removalResponse(removal)
        case .pool(nil):
            return .error(APIError(.notFound, "there is no such pool; pools come with the lines that name them"))
        case .pool(let status?): return .json(200) { status.write(to: &$0, name: "data", wall: wall) }
        case .paused(let pause, let line):
            return .json(201) { pause.write(to: &$0, name: "data", line: line, target: pause.shownTarget(codec)) }
        case .resumed(nil): return .error(APIError(.notFound, "there is no such pause"))
        case .resumed: return HTTPResponse(status: 204)
        case .retention(let kind, let rule): return .json(200) { rule.write(to: &$0, name: "data", kind) }
        case .marketing(let reply): return response(to: reply)
        case .erased(let report): return erasedResponse(report)
        case .template(let template, _, let isNew):
            return .json(isNew ? 201 : 200) { $0.field("data", raw: template.raw) }
        case .templatesRemoved(let line, let name, let languages):
            return .json(200) {
                $0.object("data") {
                    $0.field("line", line)
                    $0.field("name", name)
                    $0.array("languages") { for language in languages { $0.value(language) } }
                }
            }
        case .templatesSynced(let sync): return syncedResponse(sync)
        case .cursor(let move): return cursorResponse(move)
        case .cursorRemoved(true): return HTTPResponse(status: 204)
        case .cursorRemoved(false): return .error(APIError(.notFound, "there is no such cursor"))
        case .subscription(let subscription, let isNew):
            return .json(isNew ? 201 : 200) { subscription.write(to: &$0, name: "data") }
        case .unsubscribed: return HTTPResponse(status: 204)
        case .noSubscription: return .error(APIError(.notFound, "there is no such subscription"))
        case .eventsReplayed(let replayed):
            return .json(202) {
                $0.object("data") {
                    $0.field("replayed", replayed.count)
                    $0.field("next", replayed.next)
                }
            }
        case .wrong(let error): return .error(.validation([error]))
        case .webhookStored: return .text(200, "ok\n")
        case .storageFailed(let trouble): return .error(storageError(trouble))
        case .account(.done(let account), _):
            return .json(201) { account.write(to: &$0, name: "data") }
        case .accountSet(let account?, _): return .json(200) { account.write(to: &$0, name: "data") }
        case .accountSet(nil, _):
            return .error(APIError(.notFound, "there is no such account; see outboxctl account ls"))
        case .account(.exists, _): return .error(APIError(.conflict, "there is an account of that name"))
        case .key(.exists, _):
            return .error(APIError(.conflict, "the account has a key of that name; see outboxctl key ls"))
        case .account(.tooMany(let max), _), .key(.tooMany(let max), _):
            return .error(APIError(.conflict, "there are \(max) already: that is the most there may be"))
        case .key(.done, _), .keyRotated(.some, _):
            return .error(APIError(.internalError, "a key was made and nobody waits for it"))
        case .keyRotated(nil, _), .keyRemoved(nil, _): return .error(APIError(.notFound, "there is no such key"))
        case .keyRemoved(.some, _): return HTTPResponse(status: 204)
        case .link(let reply): return .error(reply.refusal)
        case .media(let kept): return self.response(to: kept)
        case .mediaRemoved(let removal): return self.response(to: removal)
        case .measured: return .error(APIError(.internalError, "the metrics have no page"))
        case .sliceStored, .sliceRefused, .keyedStored, .keyedRefused, .bulkAnswer:
            return .error(APIError(.internalError, "a bulk's answer has no bulk"))
        }
    }

    private func movedResponse(_ result: MoveResult) -> HTTPResponse {
        switch result {
        case .done(let state, let line):
            .json(202) {
                $0.object("data") {
                    $0.field("status", state.name)
                    $0.field("line", line)
                }
            }
        case .notFound: .error(APIError(.notFound, "there is no such message"))
        case .notWaiting(let state):
            .error(
                APIError(
                    .tooLate,
                    "only a message that waits can go to another line; this one is \(state.name)"))
        case .same: .error(APIError(.conflict, "the message is on this line already"))
        case .refused(let refusal): .error(refusal.error)
        }
    }

    private func erasedResponse(_ report: ErasureReport) -> HTTPResponse {
        .json(200) {
            $0.object("data") {
                $0.object("erased") {
                    $0.field("messages", report.messages)
                    $0.field("received", report.received)
                    $0.field("conversations", report.conversations)
                    $0.field("contacts", report.contacts)
                    $0.field("files", report.files)
                    $0.field("events", report.events)
                    $0.field("webhooks", report.webhooks)
                }
                $0.array("kept") {
                    for kept in report.kept {
                        $0.object {
                            $0.field("what", kept.what)
                            $0.field("count", kept.count)
                            $0.field("reason", kept.why)
                            $0.field("until", kept.until?.rfc3339)
                        }
                    }
                }
            }
        }
    }

    private func submittedResponse(_ submitted: Submitted, _ draft: Draft?) -> HTTPResponse {
        .json(202) {
            $0.object("data") {
                $0.field("id", codec.text(submitted.id))
                $0.field("status", submitted.state.name)
                $0.field("scheduledFor", submitted.sendAt?.rfc3339)
                if draft?.isChecked == false { $0.field("checked", false) }
            }
        }
    }

    func storageError(_ trouble: StorageTrouble) -> APIError {
        switch trouble {
        case .full: .diskFull
        case .passing:
            APIError(.unavailable, "the database could not be written: nothing is stored; the journal says why")
        case .unsure:
            APIError(
                .internalError,
                "the database failed while it was written, and outboxd starts afresh: whether this is stored, only a "
                    + "look tells, or a repeat with the same Idempotency-Key; the journal says why")
        }
    }

    private func dryRunResponse(_ estimate: Estimate, _ draft: Draft?) -> HTTPResponse {
        .json(200) {
            $0.object("data") {
                $0.field("dryRun", true)
                $0.field("id", nil as String?)
                $0.field("status", draft?.sendAt == nil ? "queued" : "scheduled")
                $0.field("scheduledFor", draft?.sendAt?.rfc3339)
                if draft?.isChecked == false { $0.field("checked", false) }
                $0.object("estimate") {
                    $0.field("line", estimate.line)
                    $0.field("ahead", estimate.ahead)
                    $0.field("notBefore", estimate.notBefore.rfc3339)
                    $0.field("leavesBy", estimate.forecast.leavesBy?.rfc3339)
                    $0.field("limitedBy", estimate.forecast.limit.rawValue)
                }
            }
        }
    }

    private func requestResponse(_ result: RequestResult) -> HTTPResponse {
        switch result {
        case .done(let state): return .json(202) { $0.object("data") { $0.field("status", state.name) } }
        case .notFound: return .error(APIError(.notFound, "there is no such message"))
        case .refused(.tooLate, let state):
            return .error(APIError(.tooLate, "too late: the message is \(state.name), it is with Meta or may be"))
        case .refused(.notFailed, let state):
            return .error(APIError(.conflict, "only a failed message can be retried; this one is \(state.name)"))
        case .refused(.notUnknown, let state):
            return .error(
                APIError(.conflict, "the message is \(state.name) and its outcome is not unknown: nothing to settle"))
        case .refused(_, let state): return .error(APIError(.conflict, "the message is \(state.name) already"))
        case .expired(let moment):
            return .error(
                APIError(.conflict, "the message expired at \(moment.rfc3339); submit a new one"))
        case .lineGone: return .error(APIError(.conflict, "the message's line was removed; submit a new one"))
        }
    }

    private func syncedResponse(_ sync: TemplateSync) -> HTTPResponse {
        .json(200) {
            $0.object("data") {
                $0.field("line", sync.line)
                $0.field("total", sync.total)
                $0.field("wasKnown", sync.wasKnown)
                $0.array("changes") {
                    for entry in sync.changes {
                        $0.object {
                            $0.field("name", entry.name.name)
                            $0.field("language", entry.name.language)
                            $0.field("status", entry.now?.status.name)
                            $0.field("category", entry.now?.category.name)
                            $0.field("statusBefore", entry.before?.status.name)
                            $0.field("categoryBefore", entry.before?.category.name)
                        }
                    }
                }
            }
        }
    }

    private func cursorResponse(_ move: CursorMove) -> HTTPResponse {
        switch move {
        case .done(let cursor, let isNew): return .json(isNew ? 201 : 200) { cursor.write(to: &$0, name: "data") }
        case .beyond(let end):
            return .error(.validation([FieldError("after", "lies beyond the end of the log: that is \(end)")]))
        case .tooMany:
            return .error(
                APIError(.conflict, "there are \(Queue.cursorsMax) cursors already; delete what nobody uses"))
        }
    }

    private func removalResponse(_ removal: LineRemoval) -> HTTPResponse {
        switch removal {
        case .done: return HTTPResponse(status: 204)
        case .notFound: return .error(APIError(.notFound, "there is no such line"))
        case .subscribed(let id):
            return .error(
                APIError(
                    .conflict,
                    "the subscription \(id) is to this line alone: change it (outboxctl webhook set \(id)) or remove it "
                        + "first"))
        case .campaign(let id):
            let words = "the campaign \(codec.text(id, .batch)) of this line is not over: cancel it first"
            return .error(APIError(.conflict, words))
        case .busy(let count):
            return .error(
                APIError(.conflict, "\(count) messages of this line still wait or are on their way; cancel them first"))
        }
    }
}

extension Pause {
    /// What it is about, as callers know it.
    func shownTarget(_ codec: IDCodec) -> String? {
        guard scope == .batch, let number = target.flatMap({ Int64($0) }) else { return target }
        return codec.text(MessageID(rawValue: number), .batch)
    }
}

extension SubmitRefusal {
    var error: APIError { error(path: "") }

    /// `path` stands before the names of fields.
    func error(path: String) -> APIError {
        switch self {
        case .poolFull(_, _, let until):
            APIError(
                .limitReached, "the tier is used up: nothing is stored", fieldErrors(path: path),
                retryAfter: until.map(secondsUntil))
        case .lineDown(_, let until):
            APIError(
                .unavailable, "nothing gets through: nothing is stored", fieldErrors(path: path),
                retryAfter: secondsUntil(until))
        case .windowClosed:
            APIError(.windowClosed, "the person's window is closed: nothing is stored", fieldErrors(path: path))
        case .lineStopped(_, let reason):
            APIError(.lineStopped, reason + ": nothing is stored", fieldErrors(path: path))
        case .keyUsed, .refusedBefore:
            APIError(
                .idempotencyConflict, "the idempotency key stands for something else: nothing is stored",
                fieldErrors(path: path))
        case .optedOut:
            APIError(.optedOut, "the person wants no marketing: nothing is stored", fieldErrors(path: path))
        case .capReached(_, let until):
            APIError(
                .frequencyCap, "the person was sent as much marketing as the cap allows: nothing is stored",
                fieldErrors(path: path), retryAfter: secondsUntil(until))
        case .template, .mention, .media: .validation(fieldErrors(path: path))
        case .noSuchLine, .noLines, .lineNotNamed: .validation(fieldErrors(path: path))
        }
    }

    func fieldErrors(path: String = "") -> [FieldError] {
        if case .template(let problems) = self { return problems.map { FieldError(path + $0.field, $0.message) } }
        return [fieldError(path)]
    }

    private func secondsUntil(_ moment: Timestamp) -> Int64 {
        max(1, (moment.milliseconds - wallClockMilliseconds() + 999) / 1000)
    }

    private func fieldError(_ path: String) -> FieldError {
        switch self {
        case .noSuchLine(let name): FieldError(path + "line", "there is no line \(name); see outboxctl line ls")
        case .noLines: FieldError(path + "line", "there is no line yet; add one with outboxctl line add")
        case .lineStopped(let name, let reason): FieldError(path + "line", "\(name) cannot send: \(reason)")
        case .lineDown(let name, let until):
            FieldError(path + "line", "\(name) gets nothing through; the next try is at \(until.rfc3339)")
        case .template: FieldError(path + "template", "is not as Meta has it")
        case .mention(let problem), .media(let problem): FieldError(path + problem.field, problem.message)
        case .keyUsed(let since):
            FieldError(
                IdempotencyKey.header,
                "was first used at \(since.rfc3339), for other bytes; repeat a call byte for byte, or give a new one a "
                    + "new key")
        case .refusedBefore(let moment):
            FieldError(
                IdempotencyKey.header,
                "stands for a stream that was answered, and this item was refused then, at \(moment.rfc3339); "
                    + "submit it with a new key")
        case .optedOut:
            FieldError(path + "to", "wants no marketing; see outboxctl opt-out ls, and send no marketing template")
        case .capReached(let cap, let until):
            FieldError(
                path + "to",
                "was sent \(cap.messages) marketing messages in \(cap.days) days, which is the cap; the next may leave at "
                    + until.rfc3339)
        case .windowClosed(let field):
            FieldError(
                path + field,
                "cannot be sent (63016, Meta's 131047): this person has not written to the line in the last 24 hours; "
                    + "send a template, or give one as fallback")
        case .poolFull(let pool, let tier, let until):
            FieldError(
                path + "to",
                "the pool \(pool) has written to as many people as \(tier.name) allows in 24 hours"
                    + (until.map { "; the next place is free at \($0.rfc3339)" } ?? ""))
        case .lineNotNamed: FieldError(path + "line", "is missing: there are several lines, name one of them")
        }
    }
}

extension APIError {
    static var diskFull: APIError {
        APIError(
            .storageFull, "the disk is full: nothing is stored; free some space and submit again",
            retryAfter: diskRetryAfter)
    }
}
