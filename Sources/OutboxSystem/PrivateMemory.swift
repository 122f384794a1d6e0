import CLinux

/// Neither a core dump nor another process of the same user gets to see this one's memory, which holds secrets; its
/// files in /proc belong to root.
package func keepMemoryPrivate() {
    let done = ob_set_dumpable(0)
    precondition(done == 0, "PR_SET_DUMPABLE was refused")
}

package var isMemoryPrivate: Bool { ob_is_dumpable() == 0 }
