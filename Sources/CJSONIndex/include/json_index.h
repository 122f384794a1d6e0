#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One JSON value (or object key) as a place in the text it was read from.
typedef struct ob_json_node {
    uint32_t start;  ///< offset of the first byte, the opening quote or bracket included
    uint32_t end;    ///< offset behind the last byte
    uint32_t next;   ///< index of the node behind this one and everything in it
    uint8_t kind;    ///< '{' '[' '"' '0' (number) 't' 'f' 'n'
    uint8_t escaped; ///< a string that holds at least one backslash
} ob_json_node;

typedef struct ob_json_parser ob_json_parser;

/// A parser keeps its buffers from call to call; one thread at a time. NULL when memory ran out.
ob_json_parser *ob_json_parser_make(void);
void ob_json_parser_free(ob_json_parser *parser);

/// Checks all of `bytes` as one JSON text (RFC 8259, UTF-8) of at most `depth_max` nested containers and
/// lays its nodes out in document order; an object's keys and values alternate.
/// `bytes` must be readable for 64 bytes behind `length`. Returns 0, or a code for ob_json_error.
/// `nodes` stays valid until the next call.
int ob_json_parse(ob_json_parser *parser, const uint8_t *bytes, size_t length, size_t depth_max,
                  const ob_json_node **nodes, size_t *count);

/// Words for a code.
const char *ob_json_error(int code);

#ifdef __cplusplus
}
#endif
