import Glibc

/// Writes a line to standard error.
package func complain(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    // A closed terminal takes nothing; there is nobody else to tell.
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
