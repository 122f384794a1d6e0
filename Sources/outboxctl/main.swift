import Glibc
import OutboxCommandLine

// Swift mends broken UTF-8 silently; a message must not be changed on its way.
if (1..<Int(CommandLine.argc)).contains(where: { index in
    CommandLine.unsafeArgv[index].map { String(validatingCString: $0) == nil } ?? false
}) {
    complain("outboxctl: an argument is not UTF-8")
    exit(64)
}
exit(runOutboxctl(Array(CommandLine.arguments.dropFirst())))
