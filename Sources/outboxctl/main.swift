import Glibc

exit(runOutboxctl(Array(CommandLine.arguments.dropFirst())))
