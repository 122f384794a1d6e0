import CLinux

/// Freed memory stays with the process up to some megabytes a thread, instead of going back to the kernel and being
/// asked for again with every turn. To be called before there are other threads.
package func keepFreedMemory() {
    // Refused settings leave the C library's own, which are slower and no less right.
    _ = mallopt(OB_M_TRIM_THRESHOLD, 4 << 20)
    _ = mallopt(OB_M_TOP_PAD, 256 << 10)
    // Set with the first one, it no longer moves by itself: what is larger goes back at once.
    _ = mallopt(OB_M_MMAP_THRESHOLD, 512 << 10)
}
