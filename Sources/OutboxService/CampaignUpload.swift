import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Recipients of a campaign on their way into the database, slice by slice.
struct CampaignUpload {
    let asker: Asker
    let campaign: MessageID
    let stream: Bool
    /// Of a stream, which may take long.
    var visitor: Frontend.Visitor?
    var splitter: LineSplitter
    var lines = 0
    var bodyEnded = false
    /// Read and checked, not yet stored.
    var waiting: [RecipientItem] = []
    var isUnderWay = false
    var total = 0
    var added: Int64 = 0
    var duplicates: Int64 = 0
    var errors: [(index: Int, error: APIError)] = []
    var errorCount = 0

    init(_ asker: Asker, campaign: MessageID, stream: Bool, limits: Frontend.Limits) {
        self.asker = asker
        self.campaign = campaign
        self.stream = stream
        splitter = LineSplitter(bytesMax: limits.ndjsonLineBytesMax)
    }

    mutating func refuse(_ index: Int, _ error: APIError) {
        errorCount += 1
        if errors.count < BulkJob.errorsListedMax { errors.append((index, error)) }
    }

    mutating func take(_ value: JSONValue, path: String, hasZone: (String) -> Bool) {
        let index = total
        total += 1
        switch RecipientBody.read(value, path: path, hasZone: hasZone) {
        case .complete(let body): waiting.append(RecipientItem(index: index, body: body))
        case .wrong(let details): refuse(index, .validation(details))
        }
    }
}

extension Frontend {
    // MARK: One array

    func addRecipients(_ id: MessageID, _ request: HTTPRequest, _ exchange: Exchange, _ asker: Asker) throws(APIError) {
        let value = try parse(request.body)
        guard value.kind == .object, value.members.allSatisfy({ $0.name == "recipients" }),
            let items = value["recipients"], items.kind == .array
        else {
            throw .validation([FieldError("recipients", "must be the only member of the body, and an array")])
        }
        var upload = CampaignUpload(asker, campaign: id, stream: false, limits: limits)
        upload.bodyEnded = true
        for (index, item) in items.elements.enumerated() {
            guard index < limits.bulkMessagesMax else {
                throw .validation([
                    FieldError(
                        "recipients",
                        "has more than \(limits.bulkMessagesMax) items; make several requests, or send NDJSON")
                ])
            }
            upload.take(item, path: "recipients[\(index)].") { zones.rules($0) != nil }
        }
        guard upload.total > 0 else { throw .validation([FieldError("recipients", "is empty")]) }
        recipientUploads[exchange] = upload
        storeNextRecipients(exchange)
    }

    // MARK: A stream of lines

    func uploadPiece(_ piece: [UInt8], _ exchange: Exchange) {
        guard var upload = recipientUploads[exchange] else { return }
        var splitter = upload.splitter
        do throws(LineSplitter.TooLong) {
            try splitter.take(piece) { takeRecipient($0, &upload) }
            upload.splitter = splitter
        } catch {
            recipientUploads[exchange] = nil
            let error = APIError(
                .tooLarge, "line \(upload.lines + 1) of the body is longer than \(limits.ndjsonLineBytesMax) bytes")
            return respond(exchange, uploaded(upload, error))
        }
        recipientUploads[exchange] = upload
        if upload.waiting.isEmpty { server.resume(exchange) } else { storeNextRecipients(exchange) }
    }

    private func takeRecipient(_ line: ArraySlice<UInt8>, _ upload: inout CampaignUpload) {
        upload.lines += 1
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
        do throws(APIError) {
            upload.take(try parse(line), path: "") { zones.rules($0) != nil }
        } catch {
            upload.refuse(
                upload.total,
                .validation([FieldError("body", "line \(upload.lines) of the body: \(error.message)")]))
            upload.total += 1
        }
    }

    func uploadEnded(_ exchange: Exchange) {
        guard var upload = recipientUploads[exchange] else { return }
        takeRecipient(upload.splitter.end(), &upload)
        upload.bodyEnded = true
        recipientUploads[exchange] = upload
        storeNextRecipients(exchange)
    }

    // MARK: Slices

    private func storeNextRecipients(_ exchange: Exchange) {
        guard var upload = recipientUploads[exchange], !upload.isUnderWay else { return }
        // Also with nothing to add: whether there is such a campaign only the writer tells.
        guard !upload.waiting.isEmpty || upload.bodyEnded && upload.added + upload.duplicates == 0
        else {
            if !upload.bodyEnded { return server.resume(exchange) }
            recipientUploads[exchange] = nil
            return respond(exchange, uploaded(upload, nil))
        }
        let slice = Array(upload.waiting.prefix(limits.sliceMessages))
        upload.waiting.removeFirst(slice.count)
        upload.isUnderWay = true
        recipientUploads[exchange] = upload
        post(upload.asker, .marketing(exchange, .add(upload.campaign, slice)))
    }

    func uploadReply(_ reply: WriterReply, _ exchange: Exchange) {
        guard var upload = recipientUploads[exchange] else { return }
        upload.isUnderWay = false
        func end(_ error: APIError) {
            recipientUploads[exchange] = nil
            respond(exchange, uploaded(upload, error))
        }
        switch reply {
        case .marketing(.added(let added?, let refused, _)):
            upload.added += added.added
            upload.duplicates += added.duplicates
            for (index, error) in refused {
                upload.refuse(index, upload.stream ? error : error.under("recipients[\(index)]."))
            }
            guard added.surplus == 0 else {
                return end(APIError(.conflict, "a campaign takes \(Queue.campaignRecipientsMax) recipients at most"))
            }
            recipientUploads[exchange] = upload
            if upload.waiting.isEmpty, upload.bodyEnded {
                recipientUploads[exchange] = nil
                return respond(exchange, uploaded(upload, nil))
            }
            storeNextRecipients(exchange)
        case .marketing(.added(nil, _, let state?)):
            end(APIError(.conflict, "the campaign is \(state.name): recipients are added before it begins"))
        case .marketing(.added(nil, _, nil)): end(APIError(.notFound, "there is no such campaign"))
        case .storageFailed(let trouble): end(words.storageError(trouble))
        case .refused(let error): end(error)
        default: end(APIError(.internalError, "an answer was meant for somebody else"))
        }
    }

    /// What was stored before an error stays stored, and is said.
    private func uploaded(_ upload: CampaignUpload, _ error: APIError?) -> HTTPResponse {
        if let error, upload.added + upload.duplicates == 0 { return .error(error) }
        return .json(error?.status ?? 200) { json in
            json.object("data") {
                $0.field("campaignId", batchText(upload.campaign))
                $0.field("total", upload.total)
                $0.field("added", upload.added)
                $0.field("duplicates", upload.duplicates)
                $0.field("failedCount", upload.errorCount)
                $0.array("errors") {
                    for (index, error) in upload.errors.sorted(by: { $0.index < $1.index }) {
                        $0.object {
                            $0.field("index", index)
                            error.write(to: &$0)
                        }
                    }
                }
            }
            error?.write(to: &json)
        }
    }

    func expelUploaders(_ isMeant: (Visitor) -> Bool) {
        for (exchange, upload) in recipientUploads {
            guard let visitor = upload.visitor, isMeant(visitor) else { continue }
            recipientUploads[exchange] = nil
            let error = APIError(.unauthorized, "the key has ended, or the role was taken away, while the body came")
            respond(exchange, uploaded(upload, error))
        }
    }
}

extension APIError {
    /// The same with names of fields that stand in an array.
    fileprivate func under(_ path: String) -> APIError {
        var error = self
        error.details = details.map { FieldError(path + $0.field, $0.message) }
        return error
    }
}
