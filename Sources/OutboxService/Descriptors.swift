import Glibc

/// How many files and sockets the process may have open at a time.
enum Descriptors {
    /// The database's connections, the journal, the listeners, secrets while they are read, and some to spare.
    static let ownFiles = 64
    /// Files on their way in, out and to Meta, with their connections.
    static let mediaFiles =
        MediaStore.intakesMax + MediaStore.sendingMax + 2 * MediaUploader.connections + 3 * MediaFetcher.underWayMax
    /// On each socket: clients are served even where that leaves too few for everything else.
    static let connectionsMin = 16
    private static let wanted: rlim_t = 16_384

    /// Raises the process's soft limit as far as it is allowed and of use, and answers what it is then.
    static func raiseMax() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        if limit.rlim_cur < min(wanted, limit.rlim_max) {
            var raised = limit
            raised.rlim_cur = min(wanted, limit.rlim_max)
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
