#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fault_vfs.h"

static _Atomic int64_t first, count, seen;
static atomic_bool is_armed;

void fault_arm_curl(int64_t nth, int64_t number) {
    atomic_store(&seen, 0);
    atomic_store(&first, nth);
    atomic_store(&count, number);
    atomic_store(&is_armed, 1);
}
void fault_disarm_curl(void) { atomic_store(&is_armed, 0); }
int64_t fault_curl_seen(void) { return atomic_load(&seen); }

static int fails(void) {
    if (!atomic_load(&is_armed)) return 0;
    int64_t number = atomic_fetch_add(&seen, 1) + 1, nth = atomic_load(&first);
    return number >= nth && number - nth < atomic_load(&count);
}

void *fault_curl_malloc(size_t size) { return fails() ? NULL : malloc(size); }
void fault_curl_free(void *pointer) { free(pointer); }
void *fault_curl_realloc(void *pointer, size_t size) { return fails() ? NULL : realloc(pointer, size); }
char *fault_curl_strdup(const char *text) { return fails() ? NULL : strdup(text); }
void *fault_curl_calloc(size_t number, size_t size) { return fails() ? NULL : calloc(number, size); }
