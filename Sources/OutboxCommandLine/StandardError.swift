import Glibc
import OutboxCore

/// Writes a line to standard error; words of others in it do not speak to the terminal.
package func complain(_ text: String) {
    let bytes = Array((text.withoutControls + "\n").utf8)
    // A closed terminal takes nothing; there is nobody else to tell.
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
