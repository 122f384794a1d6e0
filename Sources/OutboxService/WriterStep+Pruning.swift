import OutboxStore

/// When what has ended long ago is looked through.
extension WriterStep {
    // Nanoseconds: after the start, between the steps of a pass, and between passes.
    static var firstPruning: UInt64 { 30_000_000_000 }
    static var betweenSteps: UInt64 { 20_000_000 }
    static var betweenPasses: (byCount: UInt64, byAge: UInt64) { (10_000_000_000, 3_600_000_000_000) }

    func plan(after step: PruneStep, _ tick: UInt64, _ outputs: inout Outputs) {
        pruned += step.removed
        guard step.isDone else {
            pruneAt = tick + Self.betweenSteps
            return
        }
        if pruned > 0 { outputs.log.append(words.pruned(pruned)) }
        pruned = 0
        pruneAt = tick + (queue.prunesByCount ? Self.betweenPasses.byCount : Self.betweenPasses.byAge)
    }
}
