#pragma once
#include <stddef.h>
#include <stdint.h>

// For tests: what lies below SQLite and libcurl, made to fail, and every change of a database's files written down.
// Belongs to one thread, but for the memory of libcurl.

// Becomes SQLite's file layer and memory; before SQLite is used. Nothing is ever really synced. 0 when it worked.
int fault_install(void);

// Written out when the process dies of a signal.
void fault_describe(const char *text);

enum {
    FAULT_OPEN = 1, FAULT_READ = 2, FAULT_WRITE = 4, FAULT_SYNC = 8, FAULT_TRUNCATE = 16, FAULT_DELETE = 32,
    FAULT_SHM_MAP = 64, FAULT_SHM_LOCK = 128, FAULT_SIZE = 256, FAULT_ACCESS = 512, FAULT_LOCK = 1024,
    FAULT_MEMORY = 2048,
};

// How a write fails: at once with an I/O error, half done with one, or half done on a full disk.
enum { FAULT_AS_ERROR = 0, FAULT_AS_SHORT = 1, FAULT_AS_FULL = 2 };

// Operations of these kinds are counted from 1; those from `nth` on fail, `count` of them.
void fault_arm(unsigned kinds, int as, int64_t nth, int64_t count);
// From now on nothing fails or is counted; what was counted stays.
void fault_disarm(void);
// In between nothing fails or is counted.
void fault_pause(void);
void fault_go_on(void);
// Operations counted, failed, and syncs failed since it was armed.
int64_t fault_seen(void);
int64_t fault_hits(void);
int64_t fault_sync_hits(void);

// Writes down what happens to the database of that path, its journal and its write-ahead log, from now on.
void fault_record(const char *path);
void fault_stop_recording(void);
int64_t fault_op_count(void);
// What the operation was: 'w'rite, 't'runcate, 's'ync, 'f'ailed sync, 'd'elete, and of which file: 0 the database,
// 1 the log, 2 the journal.
int fault_op_kind(int64_t index);
int fault_op_file(int64_t index);
// Where it wrote, or the size it truncated to.
int64_t fault_op_offset(int64_t index);

// A disk on which the operations happen: it keeps what was synced; of the rest, anything may be there after a cut.
void disk_reset(void);
// Everything before operation `index` has happened.
void disk_advance(int64_t index);
enum { DISK_NONE = 0, DISK_ALL = 1, DISK_SOME = 2, DISK_REORDERED = 3, DISK_TORN = 4, DISK_GARBAGE = 5 };
// Writes the files as the disk may have left them. 0 when it worked.
int disk_leave(const char *path, int choice, uint64_t seed);

// Copies the files as a process that is killed leaves them: all that was written is there. 0 when it worked.
int fault_copy(const char *from, const char *to);

// 1 when SQLite finds the file whole; `digest` is one of all its rows, 0 without tables. `problem` gets the words.
int fault_examine(const char *path, uint64_t *digest, char *problem, size_t room);

// Runs SQL on a connection of its own. 0 when it worked.
int fault_execute(const char *path, const char *sql);

// Memory for curl_global_init_mem, failing as armed, in whatever thread.
void fault_arm_curl(int64_t nth, int64_t count);
void fault_disarm_curl(void);
int64_t fault_curl_seen(void);
void *fault_curl_malloc(size_t size);
void fault_curl_free(void *pointer);
void *fault_curl_realloc(void *pointer, size_t size);
char *fault_curl_strdup(const char *text);
void *fault_curl_calloc(size_t count, size_t size);
