import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Many messages in one request, on their way into the queue slice by slice.
struct BulkJob {
    let asker: Asker
    /// Comes line by line instead of as one array.
    let stream: Bool
    private let limits: Frontend.Limits
    var atomic = false
    var dryRun = false
    /// When all that waits on the lines used will have left.
    var forecast: Forecast?
    var batch: MessageID?
    /// Read and checked, not yet stored, as they go to the writer.
    private(set) var waiting: [Slice] = []
    /// Places in the request of what is with the writer.
    var under: [Int] = []
    /// A slice is on its way to the disk.
    var isWithWriter = false
    /// Ends it as soon as what came before is stored.
    var failure: APIError?
    var total = 0
    var queued = 0
    var errors: [(index: Int, error: APIError)] = []
    var errorCount = 0
    private var refusedSinceSlice = 0
    /// Places of refused items behind one that is not stored yet.
    private var refusedAhead: [Int] = []
    /// Items whose content is for Meta to check.
    private(set) var uncheckedCount = 0
    /// When it brings an idempotency key: takes the place of `waiting`.
    /// Of a stream, which may take long.
    var visitor: Frontend.Visitor?
    var keyed: KeyedBulk?
    /// NDJSON: where the lines end.
    var splitter: LineSplitter
    /// NDJSON: lines read, blank ones included.
    var lines = 0
    var bodyEnded = false

    struct Slice {
        /// Their places in the request.
        var indices: [Int] = []
        var drafts: [Draft] = []
    }

    /// Errors listed in the answer; all are counted.
    static let errorsListedMax = 1000

    init(_ asker: Asker, stream: Bool, limits: Frontend.Limits) {
        self.asker = asker
        self.stream = stream
        self.limits = limits
        splitter = LineSplitter(bytesMax: limits.ndjsonLineBytesMax)
    }

    mutating func refuse(_ index: Int, _ error: APIError) {
        errorCount += 1
        if errors.count < Self.errorsListedMax { errors.append((index, error)) }
    }

    /// What is wrong with an atomic bulk, as far as it is listed.
    var listedDetails: [FieldError] { Array(errors.flatMap(\.error.details).prefix(Self.errorsListedMax)) }

    /// An item that is no message at all.
    mutating func refuseNext(_ detail: FieldError, line: ArraySlice<UInt8>) {
        enter(.failure(.validation([detail])), line)
    }

    /// `line` is the one of a stream it stands in.
    mutating func take(
        _ value: JSONValue, path: @autoclosure () -> String, now: Timestamp, line: ArraySlice<UInt8> = []
    ) {
        // Where an item stands is told in errors alone: what is wrong is read once more, with its place.
        var reading = MessageBody.read(value, now: now)
        if case .wrong = reading { reading = MessageBody.read(value, path: path(), now: now) }
        switch reading {
        case .complete(let message) where message.dryRun:
            let detail = FieldError(path() + "dryRun", "is for single messages and, beside messages, for a bulk array")
            enter(.failure(.validation([detail])), line)
        case .complete(let message):
            if !message.draft.isChecked { uncheckedCount += 1 }
            enter(.success(message.draft), line)
        case .wrong(let details): enter(.failure(.validation(details)), line)
        }
    }

    private mutating func enter(_ item: Result<Draft, APIError>, _ line: ArraySlice<UInt8>) {
        let index = total
        total += 1
        if keyed != nil {
            keyed?.take(index, item, line: line)
            return
        }
        switch item {
        case .success(let draft): wait(index, draft)
        case .failure(let error):
            refuse(index, error)
            refusedSinceSlice += 1
            if firstUnstored != nil { refusedAhead.append(index) }
        }
    }

    private mutating func wait(_ index: Int, _ draft: Draft) {
        // What is estimated, or stored all or not at all, stays together.
        let isFull = waiting.last.map { $0.drafts.count >= limits.sliceMessages && !atomic && !dryRun } ?? true
        if isFull { waiting.append(Slice()) }
        waiting[waiting.count - 1].indices.append(index)
        waiting[waiting.count - 1].drafts.append(draft)
    }

    /// Something waits to be given to the writer.
    var isWaiting: Bool { keyed?.isWaiting ?? !waiting.isEmpty }

    /// More may be read while a slice is being stored, until about one more waits. A stream with a key goes step by
    /// step, for the key grows with what was read.
    var readsAhead: Bool { stream && keyed == nil && !firstIsFull }

    /// The writer may begin with this while more is read.
    var hasFullSlice: Bool { !atomic && !dryRun && firstIsFull }

    private var firstIsFull: Bool { (waiting.first?.drafts.count ?? 0) >= limits.sliceMessages }

    private var firstUnstored: Int? { isWithWriter && !under.isEmpty ? under[0] : waiting.first?.indices.first }

    /// What was with the writer is stored.
    mutating func stored() {
        isWithWriter = false
        let first = firstUnstored ?? .max
        refusedAhead.removeAll { $0 < first }
    }

    /// The writer did not store what it had: a stream is told how far it came, and nothing of what was read ahead.
    mutating func cutBack() {
        defer { isWithWriter = false }
        guard stream, keyed == nil, let first = firstUnstored else { return }
        total = first
        errorCount -= refusedAhead.count { $0 > first }
        errors.removeAll { $0.index > first }
    }

    /// Also for nothing, unless it has failed.
    private var opensBatch: Bool { batch == nil && failure == nil }

    mutating func nextKeyedSlice() -> KeyedSlice? {
        guard isWaiting || opensBatch else { return nil }
        guard let slice = keyed?.nextSlice(batch: batch, atomic: atomic, countMax: limits.sliceMessages) else {
            return nil
        }
        under = slice.items.map(\.index)
        return slice
    }

    mutating func nextSlice() -> BulkSlice? {
        guard keyed == nil, !waiting.isEmpty || opensBatch || refusedSinceSlice > 0 else { return nil }
        let slice = waiting.isEmpty ? Slice() : waiting.removeFirst()
        under = slice.indices
        defer { refusedSinceSlice = 0 }
        return BulkSlice(batch: batch, drafts: slice.drafts, refusedBefore: refusedSinceSlice, atomic: atomic)
    }
}

extension Frontend {
    // MARK: One array

    func submitBulk(_ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest) throws(APIError) {
        let value = try parse(request.body)
        let header = BulkHeader.read(value)
        guard header.errors.isEmpty, let messages = header.messages else { throw .validation(header.errors) }
        var job = BulkJob(Asker(account: guest.account), stream: false, limits: limits)
        job.atomic = header.atomic
        job.dryRun = header.dryRun
        job.bodyEnded = true
        let key = try idempotencyKey(request.head, guest, .array, body: request.body)
        if !job.dryRun { job.keyed = key.map { KeyedBulk($0) } }
        let now = now
        let items = messages.elements
        var tooMany = items.dropFirst(limits.bulkMessagesMax).makeIterator()
        guard tooMany.next() == nil else {
            throw .validation([
                FieldError(
                    "messages", "has more than \(limits.bulkMessagesMax) items; send several requests, or NDJSON")
            ])
        }
        for (index, item) in items.enumerated() {
            job.take(item, path: "messages[\(index)].", now: now)
            if !job.isWithWriter, job.hasFullSlice { job = storeNextSlice(job, exchange) }
        }
        if job.atomic, job.errorCount > 0 { throw .validation(job.listedDetails) }
        if job.dryRun { post(job.asker, .estimate(exchange, job.waiting.flatMap(\.drafts))) }
        bulks[exchange] = job
        if !job.dryRun, !job.isWithWriter { storeNextSlice(exchange) }
    }

    // MARK: A stream of lines

    func streamPiece(_ piece: [UInt8], _ exchange: Exchange) {
        guard var job = bulks[exchange] else { return }
        // Apart from the job, which each line changes.
        var splitter = job.splitter
        do throws(LineSplitter.TooLong) {
            try splitter.take(piece) { takeLine($0, &job) }
            job.splitter = splitter
        } catch {
            job.failure = APIError(
                .tooLarge, "line \(job.lines + 1) of the body is longer than \(limits.ndjsonLineBytesMax) bytes")
        }
        bulks[exchange] = job
        if !job.isWithWriter, job.isWaiting || job.failure != nil { storeNextSlice(exchange) }
        readAhead(exchange)
    }

    /// The next piece is read while the writer stores what came before it.
    private func readAhead(_ exchange: Exchange) {
        guard let job = bulks[exchange], job.failure == nil, !job.isWithWriter || job.readsAhead else { return }
        server.resume(exchange)
    }

    private func takeLine(_ line: ArraySlice<UInt8>, _ job: inout BulkJob) {
        job.lines += 1
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
        do throws(APIError) {
            job.take(try parse(line), path: "", now: now, line: line)
        } catch {
            job.refuseNext(FieldError("body", "line \(job.lines) of the body: \(error.message)"), line: line)
        }
    }

    func streamEnded(_ exchange: Exchange) {
        guard var job = bulks[exchange] else { return }
        takeLine(job.splitter.end(), &job)
        job.bodyEnded = true
        bulks[exchange] = job
        if !job.isWithWriter { storeNextSlice(exchange) }
    }

    // MARK: Slices

    /// Hands the next slice to the writer; when all are stored, goes on reading, or answers.
    func storeNextSlice(_ exchange: Exchange) {
        guard let job = bulks[exchange] else { return }
        bulks[exchange] = nil
        let next = storeNextSlice(job, exchange)
        if next.isWithWriter {
            bulks[exchange] = next
            if next.stream { readAhead(exchange) }
        } else if next.bodyEnded || next.failure != nil {
            respond(exchange, finished(next, next.failure))
        } else {
            bulks[exchange] = next
            server.resume(exchange)
        }
    }

    private func storeNextSlice(_ job: BulkJob, _ exchange: Exchange) -> BulkJob {
        var job = job
        if let slice = job.nextKeyedSlice() {
            post(job.asker, .keyedSlice(exchange, slice))
        } else if let slice = job.nextSlice() {
            post(job.asker, .slice(exchange, slice))
        } else if job.bodyEnded, let key = job.keyed?.key, let batch = job.batch {
            // What it is answered stands on the disk first.
            post(job.asker, .endBulk(exchange, key, batch: batch, answer: finished(job, nil).body))
        } else {
            return job
        }
        job.isWithWriter = true
        return job
    }

    func bulkReply(_ reply: WriterReply, _ exchange: Exchange) {
        guard var job = bulks[exchange] else { return }
        switch reply {
        case .storageFailed, .refused: job.cutBack()
        default: job.stored()
        }
        switch reply {
        case .sliceStored(let batch, let results, let forecast):
            job.batch = batch
            job.forecast = forecast?.and(job.forecast) ?? job.forecast
            for (index, result) in zip(job.under, results) {
                switch result {
                case .done: job.queued += 1
                case .refused(let refusal): job.refuse(index, refusal.error(path: path(index, job)))
                }
            }
            bulks[exchange] = job
            storeNextSlice(exchange)
        case .sliceRefused(let refusals):
            bulks[exchange] = nil
            let errors = zip(job.under, refusals).compactMap { index, refusal in
                refusal?.error(path: path(index, job)) ?? job.keyed?.wrong(index)
            }
            // All that is wrong, under the code they share.
            let details = Array(errors.flatMap(\.details).prefix(BulkJob.errorsListedMax))
            var error = APIError.validation(details)
            if let first = errors.first, errors.allSatisfy({ $0.code == first.code }), first.code != .validation {
                error = first
                error.details = details
            }
            respond(exchange, .error(error))
        case .estimated(let refusals, let estimate, let forecast):
            bulks[exchange] = nil
            respond(exchange, estimated(job, refusals, estimate, forecast))
        case .storageFailed(let trouble):
            bulks[exchange] = nil
            respond(exchange, finished(job, words.storageError(trouble)))
        case .refused(let error):
            bulks[exchange] = nil
            respond(exchange, finished(job, error))
        default: keyedReply(reply, job, exchange)
        }
    }

    func path(_ index: Int, _ job: BulkJob) -> String { job.stream ? "" : "messages[\(index)]." }

    // MARK: Answers

    /// With an error, what was stored before it stays stored, and is said.
    func finished(_ job: BulkJob, _ error: APIError?) -> HTTPResponse {
        let text = job.batch.map { batchText($0) }
        var response = HTTPResponse.json(error?.status ?? 202) { json in
            json.object("data") {
                write(job, text, to: &$0)
                if let forecast = job.forecast { $0.object("estimate") { write(forecast, to: &$0) } }
            }
            error?.write(to: &json)
        }
        if let seconds = error?.retryAfter { response.headers.append(HTTPHeader("retry-after", String(seconds))) }
        return response
    }

    private func estimated(
        _ job: BulkJob, _ refusals: [SubmitRefusal?], _ estimate: Estimate?, _ forecast: Forecast?
    ) -> HTTPResponse {
        var job = job
        for (index, refusal) in zip(job.waiting.flatMap(\.indices), refusals) {
            if let refusal {
                job.refuse(index, refusal.error(path: path(index, job)))
            } else {
                job.queued += 1
            }
        }
        return .json(200) {
            $0.object("data") {
                $0.field("dryRun", true)
                write(job, nil, to: &$0)
                if let estimate {
                    $0.object("estimate") {
                        $0.field("ahead", estimate.ahead)
                        write(estimate.forecast.and(forecast), to: &$0)
                    }
                }
            }
        }
    }

    private func write(_ forecast: Forecast, to json: inout JSONWriter) {
        json.field("leavesBy", forecast.leavesBy?.rfc3339)
        json.field("limitedBy", forecast.limit.rawValue)
    }

    private func write(_ job: BulkJob, _ batch: String?, to json: inout JSONWriter) {
        json.field("batchId", batch)
        json.field("totalMessages", job.total)
        json.field("queued", job.queued)
        json.field("failedCount", job.errorCount)
        if job.uncheckedCount > 0 { json.field("uncheckedCount", job.uncheckedCount) }
        json.array("errors") {
            for (index, error) in job.errors.sorted(by: { $0.index < $1.index }) {
                $0.object {
                    $0.field("index", index)
                    error.write(to: &$0)
                }
            }
        }
    }
}
