/// What is to be done at its time: a binary heap by moment, then by order of entry.
struct Agenda<Deed> {
    private struct Entry {
        var at: UInt64
        var order: UInt64
        var deed: Deed

        func comesBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    private var heap: [Entry] = []
    private var lastOrder: UInt64 = 0

    var count: Int { heap.count }
    var nextDue: UInt64? { heap.first?.at }

    mutating func add(_ deed: Deed, at moment: UInt64) {
        lastOrder += 1
        heap.append(Entry(at: moment, order: lastOrder, deed: deed))
        var child = heap.count - 1
        while child > 0, heap[child].comesBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes out the first deed whose moment has come.
    mutating func next(due now: UInt64) -> Deed? {
        guard let first = heap.first, first.at <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }
            guard let least = children.min(by: { heap[$0].comesBefore(heap[$1]) }),
                heap[least].comesBefore(heap[parent])
            else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return first.deed
    }
}
