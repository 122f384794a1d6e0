/// How a pool stands.
package struct PoolStatus: Equatable, Sendable {
    package var pool: Pool
    /// People its lines wrote to in the last 24 hours.
    package var used: Int64
    /// People others wrote to, as told, that still count.
    package var elsewhere: Int64
    /// Messages that wait for room.
    package var waiting: Int64
    /// By the limits' clock; nil: nobody is counted.
    package var nextFreeAt: Timestamp?
    package var lines: [String]

    package init(
        pool: Pool, used: Int64, elsewhere: Int64, waiting: Int64, nextFreeAt: Timestamp?, lines: [String]
    ) {
        self.pool = pool
        self.used = used
        self.elsewhere = elsewhere
        self.waiting = waiting
        self.nextFreeAt = nextFreeAt
        self.lines = lines
    }
}
