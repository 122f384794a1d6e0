import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// Copies the database while everything goes on, and hands the copy over: one at a time, on a thread of its own. What
/// else takes its time and waits for the disk is done here, too.
///
/// The copy lies beside the database until it is whole, then it has no name any more and goes when it was handed over.
final class BackupThread: Sendable {
    private enum Mail: Sendable {
        case start(Exchange, by: String)
        /// What was handed over has been taken.
        case drained(Exchange)
        case gone(Exchange)
        case examine(Exchange, ProcessFacts)
        case breakOff
        case end
    }

    private static let pieceBytes = 256 << 10

    private let mailbox: Mailbox<Mail>
    private let ending = Lock(false)
    private let thread: Thread

    /// `path` is the database's.
    init(
        path: String, examination: Examination, journal: Journal,
        orders: @escaping @Sendable ([StreamOrder]) -> Void,
        answers: @escaping @Sendable ([(Exchange, HTTPResponse)]) -> Void
    ) {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        let ending = ending
        let unfinished = "\(path).backup"
        // A process that was killed may have left one.
        for suffix in ["", "-wal", "-shm", "-journal"] { _ = removeFile(unfinished + suffix) }
        thread = Thread("backup") {
            var job = Job(path: path, unfinished: unfinished, journal: journal, orders: orders)
            while true {
                for mail in mailbox.take() {
                    switch mail {
                    case .start(let exchange, _) where ending.withLock { $0 }: orders([.refuse(exchange, .stopping)])
                    case .examine(let exchange, _) where ending.withLock { $0 }:
                        answers([(exchange, .error(.stopping))])
                    case .breakOff: job.breakOff()
                    case .start(let exchange, let who):
                        job.start(exchange, by: who, cancelled: { ending.withLock { $0 } })
                    case .drained(let exchange): job.sendOn(exchange)
                    case .gone(let exchange): job.forget(exchange)
                    case .examine(let exchange, let facts):
                        do {
                            answers([(exchange, try examination.answer(facts))])
                        } catch {
                            journal.write(LogLine(.error, .readFailed, "the database could not be examined: \(error)"))
                            let words = "the database could not be read; the journal says why"
                            answers([(exchange, .error(APIError(.internalError, words)))])
                        }
                    case .end: return job.breakOff()
                    }
                }
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    /// `who` asks for it.
    func start(_ exchange: Exchange, by who: String) { mailbox.post(.start(exchange, by: who)) }

    func drained(_ exchange: Exchange) { mailbox.post(.drained(exchange)) }

    func gone(_ exchange: Exchange) { mailbox.post(.gone(exchange)) }

    func examine(_ exchange: Exchange, _ facts: ProcessFacts) { mailbox.post(.examine(exchange, facts)) }

    /// What is not handed over by now is broken off: its caller has to ask again. Whoever asks from now on is told so.
    func stop() {
        ending.withLock { $0 = true }
        mailbox.post(.breakOff)
    }

    /// Once nobody can ask any more.
    func finish() {
        mailbox.post(.end)
        thread.join()
    }

    /// What the thread has in hand.
    private struct Job {
        let path: String
        let unfinished: String
        let journal: Journal
        let orders: ([StreamOrder]) -> Void
        /// Whole copies on their way.
        private var sending: [Exchange: Int32] = [:]

        init(path: String, unfinished: String, journal: Journal, orders: @escaping ([StreamOrder]) -> Void) {
            self.path = path
            self.unfinished = unfinished
            self.journal = journal
            self.orders = orders
        }

        mutating func start(_ exchange: Exchange, by who: String, cancelled: () -> Bool) {
            do {
                guard sending.isEmpty else {
                    throw APIError(.conflict, "another backup is being handed over; ask again when it is done")
                }
                let descriptor = try copy(cancelled)
                sending[exchange] = descriptor
                let head = HTTPResponse(
                    status: 200, headers: [HTTPHeader("content-type", "application/vnd.sqlite3")],
                    body: try piece(descriptor))
                orders([.begin(exchange, head, endless: false)])
                journal.write(LogLine(.notice, .backupTaken, "a copy of the queue is handed over", [(.actor, who)]))
            } catch let error as APIError {
                orders([.refuse(exchange, error)])
            } catch {
                journal.write(LogLine(.error, .backupFailed, "a backup could not be made: \(error)"))
                let isFull = (error as? StoreError)?.isFull ?? false
                orders([
                    .refuse(
                        exchange,
                        isFull
                            ? APIError(.storageFull, "the disk of the state directory has no room for the copy")
                            : APIError(.internalError, "the copy could not be made; the journal says why"))
                ])
            }
        }

        private func copy(_ cancelled: () -> Bool) throws -> Int32 {
            let size = try Backup.size(of: path)
            if let room = DiskRoom.free(beside: path), room.free < size + min(DiskRoom.reserve, room.size / 16) {
                throw APIError(
                    .storageFull,
                    "the disk of the state directory must have room for a copy: \(size >> 20) MiB and a reserve, "
                        + "and \(room.free >> 20) MiB are free")
            }
            defer { _ = removeFile(unfinished) }
            let backup = try Backup(
                of: path, to: unfinished, now: Timestamp(milliseconds: wallClockMilliseconds()))
            while try backup.step() {
                if cancelled() { throw APIError.stopping }
            }
            try backup.finish()
            let descriptor = open(unfinished, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { throw APIError(.internalError, "the copy cannot be read back") }
            return descriptor
        }

        private func piece(_ descriptor: Int32) throws(APIError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: BackupThread.pieceBytes)
            let count = read(descriptor, &bytes, bytes.count)
            guard count >= 0 else { throw APIError(.internalError, "the copy cannot be read back") }
            bytes.removeLast(bytes.count - count)
            return bytes
        }

        mutating func sendOn(_ exchange: Exchange) {
            guard let descriptor = sending[exchange] else { return }
            do throws(APIError) {
                let bytes = try piece(descriptor)
                guard bytes.isEmpty else { return orders([.piece(exchange, bytes)]) }
                forget(exchange)
                orders([.end(exchange)])
            } catch {
                forget(exchange)
                orders([.breakOff(exchange)])
            }
        }

        mutating func forget(_ exchange: Exchange) {
            guard let descriptor = sending.removeValue(forKey: exchange) else { return }
            close(descriptor)
        }

        mutating func breakOff() {
            for exchange in sending.keys {
                forget(exchange)
                orders([.breakOff(exchange)])
            }
        }
    }
}
