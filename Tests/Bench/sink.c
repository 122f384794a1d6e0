// A callback subscriber that costs as little as one can: answers every request on loopback with 200.
//
//   sink      prints its port; GET / tells how many requests were answered before
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { room = 65536 };

typedef struct {
    int socket;
    size_t held;
    char bytes[room];
} Connection;

static long answered;

// The length of the first request in the buffer; 0 when it is not all there.
static size_t whole_request(const Connection *connection) {
    const char *head_end = memmem(connection->bytes, connection->held, "\r\n\r\n", 4);
    if (!head_end) return 0;
    const size_t head = head_end + 4 - connection->bytes;
    size_t body = 0;
    for (const char *line = connection->bytes; line < head_end; line = (const char *)memchr(line, '\n', head) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0) body = strtoul(line + 15, NULL, 10);
    return connection->held >= head + body ? head + body : 0;
}

static void answer(Connection *connection, size_t length) {
    char words[128], count[32];
    const int asked = connection->bytes[0] == 'G';
    const int digits = asked ? snprintf(count, sizeof count, "%ld", answered) : 0;
    const int size = snprintf(
        words, sizeof words, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s", digits, digits, count);
    if (!asked) answered += 1;
    send(connection->socket, words, size, MSG_NOSIGNAL);
    connection->held -= length;
    memmove(connection->bytes, connection->bytes + length, connection->held);
}

int main(void) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 128) != 0) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    while (1) {
        const int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            if (!connection) {
                connection = calloc(1, sizeof *connection);
                connection->socket = accept(listener, NULL, NULL);
                event.data.ptr = connection;
                epoll_ctl(poll, EPOLL_CTL_ADD, connection->socket, &event);
                continue;
            }
            const ssize_t got =
                recv(connection->socket, connection->bytes + connection->held, room - connection->held, 0);
            if (got <= 0) {
                close(connection->socket);
                free(connection);
                continue;
            }
            connection->held += got;
            for (size_t length; (length = whole_request(connection)) > 0;) answer(connection, length);
        }
    }
}
