import OutboxAPI
import OutboxCore
import OutboxHTTP

/// Calls that bring a key.
extension Frontend {
    /// The key of a submitting call; nil: it brings none. `body` is all of it, but for a stream.
    func idempotencyKey(
        _ head: RequestHead, _ guest: Guest, _ form: IdempotencyKey.Form, body: [UInt8] = []
    ) throws(APIError) -> IdempotencyKey? {
        guard head["idempotency-key"] != nil else { return nil }
        let text = try IdempotencyKey.read(head.headers.filter { $0.name == "idempotency-key" }.map(\.value))
        guard let caller = guest.caller else {
            throw APIError(.forbidden, "an idempotency key belongs to a user or a bearer key, and there is none here")
        }
        return IdempotencyKey(
            caller: caller, text: text, form: form,
            digest: form == .stream ? IdempotencyKey.noDigest : IdempotencyKey.digest(ofJSON: body))
    }

    /// What the writer says of a bulk with a key.
    func keyedReply(_ reply: WriterReply, _ job: BulkJob, _ exchange: Exchange) {
        var job = job
        switch reply {
        case .keyedStored(let batch, let results, let forecast):
            job.batch = batch
            job.forecast = forecast?.and(job.forecast) ?? job.forecast
            for (index, result) in zip(job.under, results) {
                let path = path(index, job)
                if let error = job.keyed?.refusal(index, result, path: path) {
                    job.refuse(index, error)
                } else {
                    job.queued += 1
                }
            }
            bulks[exchange] = job
            storeNextSlice(exchange)
        case .keyedRefused(let refusal):
            bulks[exchange] = nil
            respond(exchange, job.batch == nil ? .error(refusal.error) : finished(job, refusal.error))
        case .bulkAnswer(let body, let replayed):
            bulks[exchange] = nil
            let response = HTTPResponse(status: 202, headers: [HTTPResponse.jsonType], body: body)
            respond(exchange, replayed ? response.replayed : response)
        default: preconditionFailure("a bulk was answered as something else")
        }
    }
}
