package import OutboxCore

extension Queue {
    /// Writes an event of no message of ours, in the transaction of the change it tells; `detail` is JSON, the data as
    /// it is shown.
    package func tell(_ kind: EventKind, line: Line?, account: Int64, detail: [UInt8], now: Timestamp) throws {
        _ = try appendEvent(
            account: line?.account ?? account, line: line?.id, message: nil, previous: nil, at: now, kind: kind,
            state: nil, attempt: 0, detail: detail)
    }

    /// The line's templates, as last listed; nil: they were never read.
    package func standings(line: Int64) -> [TemplateName: TemplateStanding]? { memory.templates[line] }
}

extension Queue {
    /// What Meta said of the tier of a line's pool.
    package func learnedTier(line: Int64) -> Tier? {
        memory.lines[line].flatMap { memory.pools[$0.pool] }?.learned
    }

    /// The lines counted together with this one, itself included.
    package func linesSharingPool(with line: Int64) -> [Int64] {
        guard let pool = memory.lines[line]?.pool else { return [] }
        return memory.lines.values.filter { $0.pool == pool }.map(\.id).sorted()
    }
}
