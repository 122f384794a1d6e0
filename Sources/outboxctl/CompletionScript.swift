import OutboxCommandLine

let completionCommand = Command(
    name: "completion", words: "SHELL", summary: "print the completion of bash, zsh or fish, to be put in its place"
) { arguments, _ in
    let shell = try words(arguments, "SHELL")[0]
    guard let script = CompletionScript(rawValue: shell) else {
        throw Arguments.Problem("\(shell): SHELL is bash, zsh or fish")
    }
    print(script.text, terminator: "")
}

/// What a shell has to know: to ask `outboxctl complete` at every TAB.
enum CompletionScript: String, CaseIterable {
    case bash, zsh, fish

    var text: String {
        switch self {
        case .bash:
            """
            # Completion of outboxctl for bash; made by outboxctl completion bash.
            _outboxctl() {
                local value description
                COMPREPLY=()
                while IFS=$'\\t' read -r value description; do
                    COMPREPLY+=("$value")
                done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
            }
            complete -o nosort -F _outboxctl outboxctl

            """
        case .zsh:
            """
            #compdef outboxctl
            # Completion of outboxctl for zsh; made by outboxctl completion zsh.
            _outboxctl() {
                local -a candidates
                local value description
                while IFS=$'\\t' read -r value description; do
                    candidates+=("${value//:/\\\\:}:${description:-$value}")
                done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
                _describe outboxctl candidates
            }
            if [ "$funcstack[1]" = _outboxctl ]; then _outboxctl "$@"; else compdef _outboxctl outboxctl; fi

            """
        case .fish:
            """
            # Completion of outboxctl for fish; made by outboxctl completion fish.
            function __outboxctl_complete
                set -l tokens (commandline -opc)
                $tokens[1] complete -- $tokens[2..] (commandline -ct) 2>/dev/null
            end
            complete -c outboxctl -f -a '(__outboxctl_complete)'

            """
        }
    }
}
