/// Whose turn is when among the messages of one line and class: each batch, and all single messages together, get one
/// message after the other in turn, however many a batch holds.
///
/// Start-time fair queuing (Goyal, Vin, Cheng 1996) with messages of one size: a message's turn is one after its
/// flow's last one, but never before the turn that is being served.
package struct FairTurns: Equatable, Sendable {
    /// The turn served last.
    private var current: Int64
    private var last: [Int64: Int64] = [:]

    /// Flows remembered before those whose turns have passed are forgotten.
    private static let flowsMax = 256

    package init(current: Int64 = 0) { self.current = current }

    /// The turn of a message that becomes ready; nil is the flow of single messages.
    package mutating func next(batch: MessageID?) -> Int64 {
        let flow = batch?.rawValue ?? 0
        let turn = max(current, (last[flow] ?? current - 1) + 1)
        if last[flow] == nil, last.count >= Self.flowsMax { last = last.filter { $0.value >= current } }
        last[flow] = turn
        return turn
    }

    package mutating func served(_ turn: Int64) { current = max(current, turn) }
}
