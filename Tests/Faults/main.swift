import Glibc

exit(runFaults(Array(CommandLine.arguments.dropFirst())))
