import Glibc

exit(runSandbox(Array(CommandLine.arguments.dropFirst())))
