/// The open connections by their descriptors, which are small: the kernel gives the least that is free.
struct ConnectionTable {
    private var places: [Connection?] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// In no order that means anything.
    var values: [Connection] { places.compactMap(\.self) }

    subscript(_ descriptor: Int32) -> Connection? {
        let place = Int(descriptor)
        return places.indices.contains(place) ? places[place] : nil
    }

    mutating func insert(_ connection: Connection) {
        let place = Int(connection.descriptor)
        while places.count <= place { places.append(nil) }
        precondition(places[place] == nil, "a descriptor is open twice")
        places[place] = connection
        count += 1
    }

    mutating func remove(_ connection: Connection) {
        precondition(self[connection.descriptor] === connection, "a connection is closed twice")
        places[Int(connection.descriptor)] = nil
        count -= 1
    }
}
