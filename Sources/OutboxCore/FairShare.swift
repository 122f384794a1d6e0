/// Shares `slots` among lines that have messages ready, one each in turn, beginning behind the line served last.
///
/// `ready` is sorted by line. A line gets no more than it has ready, and no line waits for a longer one.
package func fairShare(slots: Int, ready: [(line: Int64, count: Int)], after last: Int64?)
    -> [(line: Int64, count: Int)]
{
    guard slots > 0, !ready.isEmpty else { return [] }
    let start = last.flatMap { last in ready.firstIndex { $0.line > last } } ?? 0
    let turn = ready[start...] + ready[..<start]
    var shares = turn.map { (line: $0.line, count: 0) }
    var wants = turn.map(\.count)
    var left = slots
    while left > 0 {
        let hungry = wants.indices.filter { wants[$0] > 0 }
        guard !hungry.isEmpty else { break }
        let each = max(1, left / hungry.count)
        for index in hungry where left > 0 {
            let given = min(each, wants[index], left)
            shares[index].count += given
            wants[index] -= given
            left -= given
        }
    }
    return shares.filter { $0.count > 0 }
}
