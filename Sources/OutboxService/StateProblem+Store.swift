import OutboxStore

extension StateProblem {
    /// What SQLite met on `path` while outboxd started.
    init(_ path: String, _ error: StoreError) {
        let status = isFull(path) && !error.isDamaged ? ExitStatus.full : ExitStatus(error)
        let remedy =
            switch status {
            case .full: "the disk is full: free some space; nothing that was acknowledged is lost"
            case .damaged:
                "the database is damaged: move \(path) and the files of that name aside, then put a backup in its place, "
                    + "or what sqlite3's .recover makes of it"
            case .foreign: "a symbolic link stands there: put the file itself there, or name another --state-dir"
            case .cannotCreate: "its folder and it must be writable to \(ownUser()), on a file system that is, too"
            default:
                error.isPassing
                    ? "another program, such as sqlite3, holds the database: end it"
                    : "the disk fails: see the kernel's log (journalctl -k)"
            }
        self.init(status: status, description: "\(path): \(error); \(remedy)")
    }
}

/// Whether not even SQLite's smallest file has room beside `path`.
private func isFull(_ path: String) -> Bool {
    guard let room = DiskRoom.free(beside: path) else { return false }
    return room.free < 65_536
}
