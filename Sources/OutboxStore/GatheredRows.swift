/// New rows of one table that are put in several at a time: SQLite opens a table and all of its indexes once for each
/// statement, which for `message` is half of what a row costs.
///
/// They wait within a transaction. `Database` puts them in before any statement that looks at their table, and the queue
/// does before it commits: nobody sees that they waited.
final class GatheredRows {
    /// Its table's.
    let bit: Database.Tables
    private let statements: [(rows: Int, statement: Statement)]
    private let rowsMax: Int
    private let columns: Int
    private var values: [SQLValue] = []
    private(set) var count = 0

    /// `columns` separated by commas.
    init(_ database: Database, table: String, bit: Database.Tables, columns: String) throws {
        self.bit = bit
        let count = columns.split(separator: ",").count
        let row = "(\(Array(repeating: "?", count: count).joined(separator: ", ")))"
        statements = try [16, 4, 1].map { rows in
            let list = Array(repeating: row, count: rows).joined(separator: ", ")
            return (rows, try database.prepare("INSERT INTO \(table) (\(columns)) VALUES \(list)", overlooksRows: true))
        }
        rowsMax = statements[0].rows
        self.columns = count
    }

    var all: [Statement] { statements.map(\.statement) }

    func add(_ row: [SQLValue]) {
        precondition(row.count == columns, "a row has \(columns) columns")
        values += row
        count += 1
    }

    var isFull: Bool { count == rowsMax }

    /// What fails fails for all of them.
    func putIn() throws {
        defer { forget() }
        var done = 0
        for (rows, statement) in statements {
            while count - done >= rows {
                try statement.run(list: values[done * columns..<(done + rows) * columns])
                done += rows
            }
        }
    }

    /// They were part of what is undone.
    func forget() {
        values.removeAll(keepingCapacity: true)
        count = 0
    }
}
