// A disk whose syncs take longer: preloaded into a program, each fsync, fdatasync and sync_file_range sleeps for
// SLOW_SYNC_MS milliseconds before the real one. For outboxd and its peers alike.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

static void slow_down(void) {
    const char *words = getenv("SLOW_SYNC_MS");
    long ms = words ? atol(words) : 0;
    struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0) {
    }
}

int fsync(int file) {
    slow_down();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    slow_down();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

int sync_file_range(int file, off64_t offset, off64_t count, unsigned int flags) {
    slow_down();
    return ((int (*)(int, off64_t, off64_t, unsigned int))dlsym(RTLD_NEXT, "sync_file_range"))(
        file, offset, count, flags);
}
