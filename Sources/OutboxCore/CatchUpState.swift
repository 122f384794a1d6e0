/// How far a line has got with asking Meta what became of its messages while nobody heard.
package struct CatchUpState: Equatable, Sendable {
    package var line: Int64
    /// Messages sent then or later are asked about.
    package var since: Timestamp
    package var startedAt: Timestamp
    /// Messages to ask about, counted at the start.
    package var total: Int64
    package var asked: Int64 = 0
    /// Messages whose state was another one.
    package var changed: Int64 = 0
    /// Everything up to this message is done, and nothing behind `last` is asked about.
    package var place: MessageID
    package var last: MessageID
    /// Why it was given up.
    package var problem: String?
    package var finishedAt: Timestamp?

    package init(
        line: Int64, since: Timestamp, startedAt: Timestamp, total: Int64, place: MessageID, last: MessageID
    ) {
        self.line = line
        self.since = since
        self.startedAt = startedAt
        self.total = total
        self.place = place
        self.last = last
    }
}
