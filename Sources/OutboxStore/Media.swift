package import OutboxCore

/// What came of the wish to remove a file.
package enum MediaRemoval: Equatable, Sendable {
    case done
    case notFound
    /// A message that names it has not left.
    case inUse
}

/// Files callers hand in, as far as the queue knows them: whose they are, which messages name them.
extension Queue {
    private static let usedGrain: Int64 = 3_600_000

    /// Keeps what is known of a file whose bytes are on the disk. The same file of the same account is the one that was
    /// there. With a line its upload is asked for at once.
    package func keep(_ draft: MediaDraft, account: Int64, now: Timestamp) throws -> (file: MediaFile, isNew: Bool) {
        if let known = try files.byDigest.first(
            .blob(draft.sha256), .integer(account), .text(draft.mime), body: { MediaFile($0) })
        {
            var file = known
            file.filename = draft.filename ?? known.filename
            file.lastUsedAt = now
            try files.handedIn.run(
                .optional(file.filename), .integer(now.milliseconds), .integer(file.id.rawValue))
            // Its bytes may have been missing.
            try files.tryMissing.run(.integer(now.milliseconds), .integer(file.id.rawValue))
            try countUploads()
            return (file, false)
        }
        let file = MediaFile(
            id: nextID(now), sha256: draft.sha256, mime: draft.mime, size: draft.size, filename: draft.filename,
            createdAt: now, lastUsedAt: now)
        try files.insert.run(
            .integer(file.id.rawValue), .integer(account), .blob(file.sha256), .text(file.mime), .integer(file.size),
            .optional(file.filename), .integer(now.milliseconds))
        return (file, true)
    }

    package func file(_ id: MessageID, account: Int64) throws -> MediaFile? {
        try files.byID.first(.integer(id.rawValue), .integer(account)) { MediaFile($0) }
    }

    /// Removes a file nothing waits for. Messages that have ended go on naming it.
    package func removeFile(_ id: MessageID, account: Int64) throws -> MediaRemoval {
        guard let file = try file(id, account: account) else { return .notFound }
        guard try !isAwaited(file.id) else { return .inUse }
        try drop(file)
        return .done
    }

    func drop(_ file: MediaFile) throws {
        try files.deleteUploads.run(.integer(file.id.rawValue))
        try files.delete.run(.integer(file.id.rawValue))
        memory.uploadsRejected = memory.uploadsRejected.filter { $0.media != file.id }
        try countUploads()
        // Another account may have the same bytes, or this one under another type.
        if try files.hasDigest.first(.blob(file.sha256), body: { $0.integer(0) }) == 0 {
            memory.filesToRemove.append(file.sha256)
        }
    }

    /// SHA-256 of files that may be removed from the disk, of what was committed.
    package func takeFilesToRemove() -> [[UInt8]] {
        defer { memory.filesToRemove = [] }
        return memory.filesToRemove
    }

    private func isAwaited(_ id: MessageID) throws -> Bool {
        try files.isAwaited.first(.integer(id.rawValue)) { $0.integer(0) != 0 } ?? false
    }

    // MARK: Messages that name them

    enum MediaLookup {
        case found(MediaFile?)
        case refused(TemplateProblem)
    }

    /// The file a draft names; what is wrong with it otherwise.
    func lookUpMedia(_ draft: Draft, _ account: Int64) throws -> MediaLookup {
        guard let name = draft.media else { return .found(nil) }
        func wrong(_ words: String) -> MediaLookup {
            .refused(TemplateProblem(field: name.field, message: words))
        }

        guard let id = codec.id(name.id, .media), let file = try file(id, account: account) else {
            return wrong(
                "there is no such file here, or no longer; hand it in with POST /v1/media (outboxctl media upload)")
        }
        guard let type = MediaType.named(file.mime), type.messages.contains(name.shownAs) else {
            let kinds = MediaType.named(file.mime)?.messages.joined(separator: " or ") ?? "nothing"
            return wrong("is \(file.mime), which Meta takes as \(kinds), not as \(name.shownAs)")
        }
        return .found(file)
    }

    func mediaRefusal(of draft: Draft, _ account: Int64) throws -> SubmitRefusal? {
        guard case .refused(let problem) = try lookUpMedia(draft, account) else { return nil }
        return .media(problem)
    }

    /// A message to the person names it from now on; of a campaign: to whoever it is for.
    func used(_ file: MediaFile, by person: String, isOfCampaign: Bool, _ now: Timestamp) throws {
        let audience: MediaFile.Audience =
            switch file.audience {
            case .nobody where !isOfCampaign: .one(person)
            case .one(person) where !isOfCampaign: .one(person)
            default: .several
            }
        guard now.milliseconds - file.lastUsedAt.milliseconds >= Self.usedGrain || audience != file.audience else {
            return
        }
        try files.used.run(
            .integer(now.milliseconds), .optional(audience.column), .integer(file.id.rawValue))
    }

    // MARK: Its end

    /// Files that went to nobody but a person, whose messages are gone. Answers how many there were.
    func removeFiles(onlyTo person: String, account: Int64) throws -> Int64 {
        let own = try files.onlyTo.all(.integer(account), .text(person)) { MediaFile($0) }
        var removed: Int64 = 0
        for file in own where try files.isNamed.first(.integer(file.id.rawValue), body: { $0.integer(0) }) == 0 {
            try drop(file)
            removed += 1
        }
        return removed
    }

    private static let filesLookedAt: Int64 = 50

    /// One step of pruning: files nobody has used for long, or beyond the number kept, that no message waits for.
    func pruneFiles(_ now: Timestamp) throws -> PruneStep {
        let rule = retention(.media)
        var old = rule.ageMax.map { (now - $0).milliseconds } ?? .min
        if let most = rule.countMax {
            let last = try files.ageAtRank.first(.integer(most)) { $0.integer(0) }
            old = max(old, last ?? .min)
        }
        let candidates = try files.old.all(
            .integer(old), .integer(memory.pass.after), .integer(Self.filesLookedAt), body: { MediaFile($0) })
        var removed: Int64 = 0
        for file in candidates where try !isAwaited(file.id) {
            try drop(file)
            removed += 1
        }
        guard let last = candidates.last, candidates.count == Int(Self.filesLookedAt) else {
            return go(to: .campaigns, removed)
        }
        memory.pass.after = last.id.rawValue
        return PruneStep(removed: removed)
    }
}

extension MediaFile {
    static let columns = "id, sha256, mime, size, filename, created_at, last_used_at, only_to"

    init(_ row: Row) {
        self.init(
            id: MessageID(rawValue: row.integer(0)), sha256: row.bytes(1), mime: row.text(2), size: row.integer(3),
            filename: row.optionalText(4), createdAt: Timestamp(milliseconds: row.integer(5)),
            lastUsedAt: Timestamp(milliseconds: row.integer(6)), audience: Audience(column: row.optionalText(7)))
    }
}

extension MediaFile.Audience {
    fileprivate init(column: String?) {
        self = column.map { $0.isEmpty ? .several : .one($0) } ?? .nobody
    }

    fileprivate var column: String? {
        switch self {
        case .nobody: nil
        case .one(let person): person
        case .several: ""
        }
    }
}
