import Glibc

let status = runOutboxd(Array(CommandLine.arguments.dropFirst()))
fflush(nil)
// Not exit(3): it would take libcrypto's memory from under a thread that still asks Meta something, which nobody waits for.
_exit(status)
