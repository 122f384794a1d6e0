// What sending comes to over the wire and nothing else: a libcurl multi loop that posts bodies over kept-alive
// connections and looks at each answer's status.
//
//   bare_post URL CONNECTIONS FILE    FILE: a line each, PHONE_NUMBER_ID, tab, body; prints messages per second
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    CURL *handle;
    char url[256];
} Slot;

static char *bodies, *next, *end;
static const char *base;
static CURLM *multi;
static struct curl_slist *headers;

static size_t ignore(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes;
    (void)context;
    return size * count;
}

// Gives the slot the next body; 0 when there is none.
static int begin(Slot *slot) {
    if (next >= end) return 0;
    char *tab = memchr(next, '\t', end - next), *line_end = memchr(next, '\n', end - next);
    snprintf(slot->url, sizeof slot->url, "%s/v25.0/%.*s/messages", base, (int)(tab - next), next);
    curl_easy_setopt(slot->handle, CURLOPT_URL, slot->url);
    curl_easy_setopt(slot->handle, CURLOPT_POSTFIELDS, tab + 1);
    curl_easy_setopt(slot->handle, CURLOPT_POSTFIELDSIZE, (long)(line_end - tab - 1));
    next = line_end + 1;
    curl_multi_add_handle(multi, slot->handle);
    return 1;
}

static Slot *new_slot(void) {
    Slot *slot = calloc(1, sizeof *slot);
    slot->handle = curl_easy_init();
    curl_easy_setopt(slot->handle, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(slot->handle, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(slot->handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(slot->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(slot->handle, CURLOPT_TIMEOUT, 30L);
    return slot;
}

int main(int count, char **words) {
    if (count != 4) return 64;
    FILE *file = fopen(words[3], "rb");
    if (!file) return 1;
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    bodies = malloc(size);
    if (fread(bodies, 1, size, file) != (size_t)size) return 1;
    next = bodies;
    end = bodies + size;
    base = words[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    const int connections = atoi(words[2]);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer token");
    headers = curl_slist_append(headers, "Expect:");
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int under_way = 0;
    long done = 0, refused = 0;
    for (int i = 0; i < connections; i++) under_way += begin(new_slot());
    while (under_way > 0) {
        int running, left;
        curl_multi_perform(multi, &running);
        CURLMsg *message;
        while ((message = curl_multi_info_read(multi, &left))) {
            CURL *handle = message->easy_handle;
            long status = 0;
            Slot *slot;
            curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(handle, CURLINFO_PRIVATE, (char **)&slot);
            if (message->data.result != CURLE_OK || status != 200) refused += 1;
            done += 1;
            curl_multi_remove_handle(multi, handle);
            if (!begin(slot)) under_way -= 1;
        }
        if (under_way > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (refused) {
        fprintf(stderr, "bare_post: %ld of %ld were not taken\n", refused, done);
        return 1;
    }
    printf("%.0f\n", done / (now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9));
    return 0;
}
