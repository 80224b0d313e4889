// SPDX-License-Identifier: MIT
#include "cmd/owner.h"

#include "cmd/data_directory.h"
#include "os/net.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000
#define ANSWER_SIZE_MAX ((size_t)64 << 20)

static int send_all(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        struct iovec part = {(void *)(uintptr_t)text, size};
        ssize_t written = net_writev(fd, &part, 1);
        if (written == -EAGAIN) {
            int ready = net_wait(fd, true, WAIT_MS);
            if (ready != 1)
                return ready == 0 ? -ETIMEDOUT : ready;
            continue;
        }
        if (written < 0)
            return (int)written;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

static int receive_all(int fd, struct buffer *answer)
{
    while (true) {
        uint8_t memory[16384];
        int ready = net_wait(fd, false, WAIT_MS);
        if (ready != 1)
            return ready == 0 ? -ETIMEDOUT : ready;
        ssize_t got = net_read(fd, memory, sizeof(memory));
        if (got == -EAGAIN)
            continue;
        if (got <= 0)
            return (int)got;
        if (!buffer_try_append(answer, bytes_make(memory, (size_t)got), ANSWER_SIZE_MAX))
            return -ENOMEM;
    }
}

static int exchange(int fd, const char *method, const char *path, struct buffer *answer)
{
    char request[2 * PATH_MAX];
    int size =
        snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: bud\r\n\r\n", method, path);
    if ((size_t)size >= sizeof(request))
        return -ENAMETOOLONG;
    int result = send_all(fd, request);
    return result < 0 ? result : receive_all(fd, answer);
}

// The status; the body alone stays in the buffer.
static int take_head(struct buffer *answer)
{
    static const char start[] = "HTTP/1.1 ";
    size_t size = sizeof(start) - 1;
    const char *text = (const char *)answer->data;
    const char *end = answer->size == 0 ? NULL : memmem(text, answer->size, "\r\n\r\n", 4);
    if (end == NULL || answer->size < size + 3 || memcmp(text, start, size) != 0)
        return -EPROTO;
    char digits[4] = ""; // what was received ends without a NUL
    memcpy(digits, text + size, 3);
    buffer_consume(answer, (size_t)(end + 4 - text));
    return (int)strtol(digits, NULL, 10);
}

static const char *words_for(int error)
{
    switch (-error) {
    case ENOENT:
    case ECONNREFUSED: return "no broker runs with this data directory (see --data)";
    case EACCES: return "it is another user's broker: run this as that user, or as root";
    case ETIMEDOUT: return "the broker did not answer in time";
    case EPROTO: return "what answers there is no broker of this version";
    default: return strerror(-error);
    }
}

int owner_ask(const char *directory, const char *method, const char *path, struct buffer *ret_body,
              char *error)
{
    char standard[PATH_MAX] = "", socket_path[PATH_MAX + 16];
    struct buffer answer = {0};
    if (directory == NULL && !data_directory_default(standard, sizeof(standard))) {
        (void)snprintf(error, OWNER_ERROR_MAX, "where is the broker's data? Say it with --data");
        return -ENOENT;
    }
    (void)snprintf(socket_path, sizeof(socket_path), "%s/bud.sock",
                   directory == NULL ? standard : directory);
    int fd = net_connect_unix(socket_path);
    int result = fd < 0 ? fd : exchange(fd, method, path, &answer);
    if (fd >= 0)
        net_close(fd);
    if (result >= 0)
        result = take_head(&answer);
    if (result < 0) {
        buffer_done(&answer);
        (void)snprintf(error, OWNER_ERROR_MAX, "%s: %s", socket_path, words_for(result));
        return result;
    }
    *ret_body = answer;
    return result;
}

void owner_encode(const char *text, char *encoded, size_t size)
{
    size_t at = 0;
    for (; *text != 0 && at + 4 <= size; text++) {
        bool is_plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                        (*text >= 'A' && *text <= 'Z') || *text == '.' || *text == '-';
        at += (size_t)snprintf(encoded + at, size - at, is_plain ? "%c" : "%%%02X",
                               is_plain ? *text : (unsigned char)*text);
    }
    encoded[at] = 0;
}
