#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "log.h"

#define FILES 3
#define SECTOR 512

// A file's bytes, as far as they are written.
typedef struct {
    int exists;
    int64_t size, room;
    unsigned char *bytes;
} image;

// What is synced, and the numbers of the operations that are not.
static struct {
    image synced;
    int64_t *pending, count, room;
} files[FILES];
static int64_t at;

static void grow(image *file, int64_t size) {
    if (size > file->room) {
        int64_t room = file->room ? file->room : 65536;
        while (room < size) room *= 2;
        file->bytes = realloc(file->bytes, (size_t)room);
        if (!file->bytes) abort();
        file->room = room;
    }
    // What was never written reads as zeros.
    if (size > file->size) memset(file->bytes + file->size, 0, (size_t)(size - file->size));
    if (size > file->size) file->size = size;
}

static void apply(image *file, const op *one, int64_t length) {
    file->exists = 1;
    if (one->kind == 'w') {
        grow(file, one->offset + length);
        memcpy(file->bytes + one->offset, one->bytes, (size_t)length);
    } else if (one->kind == 't') {
        if (one->offset > file->size) grow(file, one->offset);
        file->size = one->offset;
    } else if (one->kind == 'd') {
        file->size = 0;
        file->exists = 0;
    }
}

void disk_reset(void) {
    for (int index = 0; index < FILES; index++) {
        files[index].synced.size = 0;
        files[index].synced.exists = 0;
        files[index].count = 0;
    }
    at = 0;
}

static void settle(int file) {
    for (int64_t index = 0; index < files[file].count; index++) {
        const op *one = &ops[files[file].pending[index]];
        apply(&files[file].synced, one, one->length);
    }
    files[file].count = 0;
    if (ops[at].kind == 's') files[file].synced.exists = 1;
}

// What was deleted is gone for good.
static void settle_deletes(void) {
    for (int file = 0; file < FILES; file++) {
        int64_t count = files[file].count;
        while (count > 0 && ops[files[file].pending[count - 1]].kind != 'd') count--;
        if (!count) continue;
        apply(&files[file].synced, &ops[files[file].pending[count - 1]], 0);
        memmove(files[file].pending, files[file].pending + count, (size_t)(files[file].count - count) * sizeof(int64_t));
        files[file].count -= count;
    }
}

void disk_advance(int64_t index) {
    for (; at < index && at < op_count; at++) {
        int file = ops[at].file;
        switch (ops[at].kind) {
        case 's':
            settle(file);
            if (ops[at].offset) settle_deletes();
            break;
        // The kernel tells of it once and holds the pages clean from then on: no later sync writes them.
        case 'f': files[file].count = 0; break;
        default:
            if (files[file].count == files[file].room) {
                files[file].room = files[file].room ? files[file].room * 2 : 256;
                files[file].pending = realloc(files[file].pending, (size_t)files[file].room * sizeof(int64_t));
                if (!files[file].pending) abort();
            }
            files[file].pending[files[file].count++] = at;
            // Deleted, and the folder synced.
            if (ops[at].kind == 'd' && ops[at].offset) settle_deletes();
        }
    }
}

// MARK: After the cut

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// A write of which only the first sectors arrived; the next one may hold anything.
static void tear(image *file, const op *one, int garbage, uint64_t *seed) {
    int64_t first = SECTOR - one->offset % SECTOR;
    int64_t sectors = one->length > first ? (one->length - first + SECTOR - 1) / SECTOR : 0;
    int64_t kept = (int64_t)(next(seed) % (uint64_t)(sectors + 1));
    int64_t length = kept == 0 ? 0 : first + (kept - 1) * SECTOR;
    if (length > 0) apply(file, one, length);
    if (!garbage || length >= one->length) return;
    int64_t room = kept == 0 ? first : SECTOR;
    if (room > one->length - length) room = one->length - length;
    // Bytes beside the write keep their value: SQLite counts on powersafe overwrite.
    op noise = {'w', one->file, one->offset + length, room, malloc((size_t)room)};
    if (!noise.bytes) abort();
    for (int64_t index = 0; index < room; index++) noise.bytes[index] = (unsigned char)next(seed);
    apply(file, &noise, room);
    free(noise.bytes);
}

static void choose(int file, image *left, int choice, uint64_t *seed) {
    const int64_t *pending = files[file].pending;
    int64_t count = files[file].count, begin = 0, end = count;
    if (choice == DISK_NONE) return;
    // A file made after one that was deleted is another one: of what happened to them, so many deletes count.
    if (choice != DISK_ALL) {
        for (int64_t index = 0; index < count; index++) {
            if (ops[pending[index]].kind != 'd') continue;
            if (next(seed) % 2) {
                end = index;
                break;
            }
            apply(left, &ops[pending[index]], 0);
            begin = index + 1;
        }
    }
    int64_t *chosen = malloc((size_t)(count + 1) * sizeof *chosen), number = 0;
    if (!chosen) abort();
    uint64_t share = next(seed) % 8;
    for (int64_t index = begin; index < end; index++) {
        int in = choice == DISK_ALL || choice == DISK_TORN || choice == DISK_GARBAGE || next(seed) % 8 >= share;
        if (in) chosen[number++] = pending[index];
    }
    if (choice == DISK_TORN || choice == DISK_GARBAGE) {
        // Everything up to one of the writes, which is torn.
        if (number > 0 && next(seed) % 4 == 0) number = 1 + (int64_t)(next(seed) % (uint64_t)number);
    }
    for (int64_t index = number - 1; choice == DISK_REORDERED && index > 0; index--) {
        int64_t other = (int64_t)(next(seed) % (uint64_t)(index + 1)), kept = chosen[index];
        chosen[index] = chosen[other];
        chosen[other] = kept;
    }
    for (int64_t index = 0; index < number; index++) {
        const op *one = &ops[chosen[index]];
        int torn = choice == DISK_TORN || choice == DISK_GARBAGE;
        if (torn && index == number - 1 && one->kind == 'w') tear(left, one, choice == DISK_GARBAGE, seed);
        else apply(left, one, one->length);
    }
    free(chosen);
}

static int put(const char *path, const image *file) {
    if (!file->exists) return unlink(path), 0;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (descriptor < 0) return 1;
    int64_t done = 0;
    while (done < file->size) {
        ssize_t count = write(descriptor, file->bytes + done, (size_t)(file->size - done));
        if (count <= 0) break;
        done += count;
    }
    return close(descriptor) != 0 || done < file->size;
}

int disk_leave(const char *path, int choice, uint64_t seed) {
    static image left[FILES];
    static const char *const ends[FILES] = {"", "-wal", "-journal"};
    int failed = 0;
    for (int file = 0; file < FILES; file++) {
        left[file].size = 0;
        grow(&left[file], files[file].synced.size);
        if (files[file].synced.size > 0)
            memcpy(left[file].bytes, files[file].synced.bytes, (size_t)files[file].synced.size);
        left[file].exists = files[file].synced.exists;
        choose(file, &left[file], choice, &seed);
        char name[600];
        snprintf(name, sizeof name, "%s%s", path, ends[file]);
        failed |= put(name, &left[file]);
    }
    // What the shared memory's file holds is worth nothing after a cut.
    char name[600];
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
    if (next(&seed) % 4 == 0) {
        image noise = {1, 0, 0, NULL};
        grow(&noise, 32768);
        for (int64_t index = 0; index < noise.size; index++) noise.bytes[index] = (unsigned char)next(&seed);
        failed |= put(name, &noise);
        free(noise.bytes);
    }
    return failed;
}

int fault_copy(const char *from, const char *to) {
    static const char *const ends[FILES] = {"", "-wal", "-journal"};
    int failed = 0;
    for (int file = 0; file < FILES; file++) {
        char name[600];
        snprintf(name, sizeof name, "%s%s", from, ends[file]);
        image copy = {0, 0, 0, NULL};
        int descriptor = open(name, O_RDONLY);
        if (descriptor >= 0) {
            copy.exists = 1;
            grow(&copy, lseek(descriptor, 0, SEEK_END));
            if (copy.size > 0) failed |= pread(descriptor, copy.bytes, (size_t)copy.size, 0) != copy.size;
            close(descriptor);
        }
        snprintf(name, sizeof name, "%s%s", to, ends[file]);
        failed |= put(name, &copy);
        free(copy.bytes);
    }
    return failed;
}
