#pragma once
#include <stdint.h>

// What happened to the files, in its order.
typedef struct {
    int kind;
    int file;
    int64_t offset, length;
    unsigned char *bytes;
} op;

extern op *ops;
extern int64_t op_count;

void log_op(int file, int kind, int64_t offset, int64_t length, const void *bytes);
