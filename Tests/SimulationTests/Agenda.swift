/// What is to happen, in the order of its time; of two at one time the one that was put in first.
struct Agenda<Deed> {
    private struct Entry {
        var at: Int64
        var number: Int
        var deed: Deed
    }

    private var heap: [Entry] = []
    private var added = 0

    var isEmpty: Bool { heap.isEmpty }
    var nextAt: Int64? { heap.first?.at }

    mutating func add(_ deed: Deed, at moment: Int64) {
        heap.append(Entry(at: moment, number: added, deed: deed))
        added += 1
        var child = heap.count - 1
        while child > 0, goesBefore(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (at: Int64, deed: Deed)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.at, first.deed)
    }

    /// Takes out what a new world does not know any more.
    mutating func removeAll(where isGone: (Deed) -> Bool) {
        let rest = heap.filter { !isGone($0.deed) }.sorted(by: goesBefore)
        heap = rest
    }

    private func goesBefore(_ a: Entry, _ b: Entry) -> Bool { a.at != b.at ? a.at < b.at : a.number < b.number }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && goesBefore(heap[child], heap[least]) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
