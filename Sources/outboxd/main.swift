import Glibc

exit(runOutboxd(Array(CommandLine.arguments.dropFirst())))
