import OutboxAPI
import OutboxCore
import OutboxStore

/// What a turn does with what came, and what it refuses at once for want of room.
extension WriterStep {
    private static var aheadMin: Int { 16 }

    /// What earlier turns left.
    func planTheRest() -> [Operation] {
        var operations = unrecorded.map { Operation.input($0) }
        unrecorded = []
        operations += (unmarked + toApply).map { .apply($0) }
        unmarked = []
        toApply = []
        ahead = 0
        return operations
    }

    func plan(
        _ inputs: [WriterInput], _ now: Timestamp, _ tick: UInt64, _ operations: inout [Operation],
        _ outputs: inout Outputs
    ) {
        operations.reserveCapacity(operations.count + inputs.count + 4)
        if !diskRoom.takesMessages || queue.hasCampaigns || inputs.contains(where: \.fillsDisk) { lookAtDisk(&outputs) }
        // What this turn takes counts before it is stored: a turn does not pass the limit by being long.
        var queueRoom = limits.queueMax.map { $0 - queue.waiting } ?? .max
        for input in inputs {
            if case .outcome(let outcome) = input {
                underWay -= 1
                ahead += 1
                learn(outcome, now, tick, &outputs)
                operations.append(.input(input))
                continue
            }
            if case .uploadEnded(let end) = input { uploads.keys.remove(end.task.key) }
            switch input.wish {
            case let wish where wish.fillsDisk && !diskRoom.takesMessages:
                refuse(input, .diskFull, .storageFailed(.full), &operations, &outputs)
            // A part of a bulk that finds room goes in whole: it has 500 messages at most, or all of one that is atomic.
            case let wish where wish.isIntake && queueRoom <= 0 && !hasBegun(wish):
                let error = APIError.queueFull(limits.queueMax ?? 0)
                refuse(input, error, .refused(error), &operations, &outputs)
            case .limitIntake(let limits):
                self.limits = limits
                diskRoom.set = limits.freeDiskMin
            case .stopClaiming:
                claims = false
                endErasures(&outputs)
            case .releaseLines:
                gates.release()
                refreshes.forgetAll()
            case .lookedAt(let name, let anew):
                if let line = queue.line(named: name, account: input.asker.account) {
                    refreshes.lookedAt(line.id, anew: anew, now)
                }
            case .barrier(let reached): outputs.barriers.append(reached)
            case .ping(let number):
                outputs.pong = WriterPong(number: number, waiting: queue.waiting, underWay: underWay)
            case .measure(let exchange): measuring.append(exchange)
            case .erase(let exchange, _) where !claims: outputs.replies.append((exchange, .refused(.stopping)))
            case .erase(let exchange, let body):
                erasures.append(ErasureJob(exchange, body, asker: input.asker))
            default:
                queueRoom -= Int64(input.intakeCount)
                operations.append(.input(input))
            }
        }
    }

    /// What each turn does when all that came is done.
    func planTheEnd(_ tick: UInt64) -> [Operation] {
        var operations: [Operation] = []
        ahead = ahead < Self.aheadMin ? 0 : min(ahead, slotsMax)
        if !gates.unsaved.isEmpty { operations.append(.breakers) }
        operations.append(.clock)
        // What had to be written down could not be: that first.
        if queue.hasCampaigns, !feedRests { operations.append(.feed) }
        operations.append(.claim)
        if claims, let at = pruneAt, at <= tick { operations.append(.prune) }
        if !erasures.isEmpty { operations.append(.erase) }
        return operations
    }

    /// A bulk that has begun goes on.
    private func hasBegun(_ wish: WriterInput) -> Bool {
        guard case .keyedSlice(_, let slice) = wish else { return false }
        return slice.batch != nil
    }

    /// An intake there is no room for. What was stored under its key before is said, and a bulk gone on with, all the
    /// same.
    private func refuse(
        _ input: WriterInput, _ error: APIError, _ reply: WriterReply, _ operations: inout [Operation],
        _ outputs: inout Outputs
    ) {
        if case .submit(let exchange, _, let key?) = input.wish {
            operations.append(.input(input.instead(.recall(exchange, key, otherwise: error))))
        } else if case .keyedSlice(let exchange, var slice) = input.wish, case .refused = reply {
            slice.otherwise = error
            operations.append(.input(input.instead(.keyedSlice(exchange, slice))))
        } else if let exchange = input.exchange {
            outputs.replies.append((exchange, reply))
        }
    }

    /// Why no message is taken that nobody waits for; nil: there is room.
    var lackOfRoom: APIError? {
        if !diskRoom.takesMessages { return .diskFull }
        guard let most = limits.queueMax, queue.waiting >= most else { return nil }
        return .queueFull(most)
    }

    /// What the log holds must find room in the file, too, when nothing but the reserve is left.
    func limitLog(diskSize: UInt64) { queue.limitLog(to: diskRoom.kept(of: diskSize) / 2) }

    private func lookAtDisk(_ outputs: inout Outputs) {
        guard let room = room() else { return }
        limitLog(diskSize: room.size)
        guard let change = diskRoom.found(free: room.free, size: room.size) else { return }
        func megabytes(_ bytes: UInt64) -> String { "\(bytes >> 20).\((bytes >> 10 & 1023) * 10 / 1024) MiB" }
        switch change {
        case .ended(let free, let needed):
            let text =
                "the disk is nearly full, \(megabytes(free)) are left: new messages are refused with 507 until "
                + "\(megabytes(needed)) are free; what is in the queue goes on. Free some space"
            outputs.log.append(LogLine(.error, .diskFilling, text))
        case .began(let free):
            let text = "the disk has room again, \(megabytes(free)): new messages are taken"
            outputs.log.append(LogLine(.notice, .diskHasRoom, text))
        }
    }
}
