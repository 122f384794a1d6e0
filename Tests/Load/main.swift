import Glibc

exit(runLoad(Array(CommandLine.arguments.dropFirst())))
