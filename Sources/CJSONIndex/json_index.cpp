#include "json_index.h"

#include <cstring>
#include <new>
#include <simdjson.h>
#include <vector>

// simdjson's DOM decides what is valid; the index below is laid over a text already known to be valid,
// so that values can be kept and passed on byte for byte, which the DOM alone does not offer.

struct ob_json_parser {
    simdjson::dom::parser dom;
    size_t depth = 0;
    std::vector<ob_json_node> nodes;
    std::vector<uint32_t> open;
};

namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of eight bytes is taken for the lowest");

constexpr size_t kept_max = 1 << 20;

// Each takes 16 bytes here and 16 in the caller's copy, more than it may take in the text.
constexpr size_t nodes_max = 4'000'000;
constexpr int too_many_values = -1;

bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

constexpr uint64_t eight(uint8_t c) { return 0x0101010101010101 * c; }

// A word whose lowest set bit is in the first of eight bytes that is `c`; 0 when none is.
uint64_t matches(uint64_t bytes, uint8_t c) {
    const uint64_t differences = bytes ^ eight(c);
    return (differences - eight(1)) & ~differences & eight(0x80);
}

// `start` is the opening quote's. Returns the offset behind the closing one, which a valid text has. Looks at eight bytes
// at a time: behind the text 64 may be read.
uint32_t string_end(const uint8_t *text, uint32_t start, bool &escaped) {
    uint32_t at = start + 1;
    for (;;) {
        uint64_t bytes;
        memcpy(&bytes, text + at, sizeof bytes);
        const uint64_t found = matches(bytes, '"') | matches(bytes, '\\');
        if (found == 0) {
            at += sizeof bytes;
            continue;
        }
        at += static_cast<uint32_t>(__builtin_ctzll(found)) / 8;
        if (text[at] == '"') return at + 1;
        escaped = true;
        at += 2;
    }
}

bool ends_scalar(uint8_t c) { return c == ',' || c == ']' || c == '}' || is_space(c); }

// False when there are more than nodes_max of them.
bool index_valid(ob_json_parser &parser, const uint8_t *text, uint32_t length) {
    auto &nodes = parser.nodes;
    auto &open = parser.open;
    nodes.clear();
    open.clear();
    uint32_t at = 0;
    while (at < length) {
        if (nodes.size() > nodes_max) return false;
        const uint8_t c = text[at];
        if (is_space(c) || c == ',' || c == ':') {
            at++;
        } else if (c == '{' || c == '[') {
            open.push_back(static_cast<uint32_t>(nodes.size()));
            nodes.push_back({at, at + 1, 0, c, 0});
            at++;
        } else if (c == '}' || c == ']') {
            auto &container = nodes[open.back()];
            open.pop_back();
            container.end = at + 1;
            container.next = static_cast<uint32_t>(nodes.size());
            at++;
        } else {
            bool escaped = false;
            uint32_t end = at + 1;
            uint8_t kind = c;
            if (c == '"') {
                end = string_end(text, at, escaped);
            } else {
                while (end < length && !ends_scalar(text[end])) end++;
                if (c == '-' || (c >= '0' && c <= '9')) kind = '0';
            }
            const auto next = static_cast<uint32_t>(nodes.size() + 1);
            nodes.push_back({at, end, next, kind, static_cast<uint8_t>(escaped)});
            at = end;
        }
    }
    return true;
}

}  // namespace

ob_json_parser *ob_json_parser_make(void) { return new (std::nothrow) ob_json_parser(); }

void ob_json_parser_free(ob_json_parser *parser) { delete parser; }

int ob_json_parse(ob_json_parser *parser, const uint8_t *bytes, size_t length, size_t depth_max,
                  const ob_json_node **nodes, size_t *count) {
    if (length > UINT32_MAX - 64) return simdjson::CAPACITY;
    try {
        // One huge text must not cost its memory for ever.
        if (length < kept_max && parser->dom.capacity() > kept_max) {
            parser->dom = simdjson::dom::parser();
            parser->nodes = {};
            parser->depth = 0;
        }
        if (parser->depth != depth_max || parser->dom.capacity() < length) {
            const auto error = parser->dom.allocate(length < 4096 ? 4096 : length, depth_max);
            if (error) return error;
            parser->depth = depth_max;
        }
        simdjson::dom::element root;
        const auto error = parser->dom.parse(bytes, length, false).get(root);
        if (error) return error;
        if (!index_valid(*parser, bytes, static_cast<uint32_t>(length))) return too_many_values;
    } catch (const std::bad_alloc &) {
        return simdjson::MEMALLOC;
    }
    *nodes = parser->nodes.data();
    *count = parser->nodes.size();
    return 0;
}

const char *ob_json_error(int code) {
    if (code == too_many_values) return "it holds more than 4,000,000 values";
    return simdjson::error_message(static_cast<simdjson::error_code>(code));
}
