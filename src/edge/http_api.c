// SPDX-License-Identifier: MIT
#include "edge/http_api.h"

#include "access/secret.h"
#include "access/secret_file.h"
#include "base/memory.h"
#include "edge/http_api_routes.h"
#include "os/net.h"
#include "server/door.h"
#include "server/worker.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 4096
#define KEY_SIZE_MAX 1024

struct http_api {
    struct http_handler handler;
    struct server *server;
    struct bytes key; // empty: there is none
};

static const struct {
    enum request_method method;
    const char *path; // a last '*' is one more part, decoded
    api_route *answer;
} routes[] = {
    {METHOD_GET, "/api/v1/bans", api_list_bans},
    {METHOD_DELETE, "/api/v1/bans", api_lift_all_bans},
    {METHOD_DELETE, "/api/v1/bans/*", api_lift_ban},
};

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// Percent-encoding is taken off. False: it is wrong, or too long.
static bool decode(struct bytes text, uint8_t *memory, size_t size_max, struct bytes *ret_text)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? digit_of(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? digit_of(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (size == size_max || c == 0)
            return false;
        memory[size++] = c;
    }
    *ret_text = bytes_make(memory, size);
    return true;
}

// Is it this route's path? What its '*' stands for is put into *ret_argument, still encoded.
static bool fits(const char *route, struct bytes path, struct bytes *ret_argument)
{
    size_t size = strlen(route);
    bool has_argument = route[size - 1] == '*';
    size_t fixed = has_argument ? size - 1 : size;
    if (path.size < fixed || memcmp(path.data, route, fixed) != 0)
        return false;
    *ret_argument = bytes_from(path, fixed);
    return has_argument ? ret_argument->size > 0 &&
                              memchr(ret_argument->data, '/', ret_argument->size) == NULL
                        : ret_argument->size == 0;
}

static void say(struct http_answer *answer, unsigned status, const char *why)
{
    char text[160];
    int size = snprintf(text, sizeof(text), "{\"error\":\"%s\"}\n", why);
    http_answer_text(answer, status, API_JSON, bytes_make(text, (size_t)size));
}

static struct bytes bearer_of(const struct http_head *head)
{
    static const char scheme[] = "bearer ";
    size_t size = sizeof(scheme) - 1;
    const struct http_header *header = http_head_find(head, BYTES_OF("Authorization"));
    if (header == NULL || header->value.size <= size ||
        !http_token_equal(bytes_make(header->value.data, size), bytes_make(scheme, size)))
        return (struct bytes){0};
    return text_trim(bytes_from(header->value, size));
}

static bool is_allowed(const struct http_api *api, const struct http_request *request)
{
    struct bytes key = bearer_of(request->head);
    if (request->is_owner)
        return true;
    if (api->key.size > 0 && secret_equal(key, api->key))
        return true;
    if (key.size > 0) // who brings none has only looked
        (void)door_on_wrong_password(request->connection, false, (struct bytes){0});
    return false;
}

static void refuse(struct http_answer *answer)
{
    say(answer, 401, "this needs the admin key: Authorization: Bearer KEY");
    answer->headers = "WWW-Authenticate: Bearer\r\n";
}

static bool is_below_api(struct bytes path)
{
    return path.size >= 5 && memcmp(path.data, "/api/", 5) == 0;
}

static void answer(void *context, struct worker *worker, const struct http_request *request,
                   struct http_answer *ret_answer)
{
    struct http_api *api = context;
    const struct http_head *head = request->head;
    uint8_t memory[PATH_MAX_BYTES];
    bool is_path = false;
    if (!is_below_api(head->path))
        return;
    if (!is_allowed(api, request)) {
        refuse(ret_answer);
        return;
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct bytes argument;
        if (!fits(routes[i].path, head->path, &argument))
            continue;
        is_path = true;
        if (routes[i].method != head->method ||
            !decode(argument, memory, sizeof(memory), &argument))
            continue;
        routes[i].answer(worker, request, argument, ret_answer);
        return;
    }
    if (is_path)
        say(ret_answer, 405, "this cannot be done here");
    else
        say(ret_answer, 404, "there is no such thing here");
}

// Without a key nothing that comes over the network is allowed, so one that cannot be read closes.
static void read_key(struct http_api *api)
{
    char path[PATH_MAX_BYTES];
    struct file_contents contents = {0};
    int size = snprintf(path, sizeof(path), "%s/admin.key", api->server->options.data);
    if (api->server->options.data[0] == 0 || (size_t)size >= sizeof(path) ||
        file_read_contents(path, false, KEY_SIZE_MAX, &contents) < 0)
        return;
    struct bytes key = text_trim(bytes_make(contents.data, contents.size));
    uint8_t *copy = memory_new(key.size + 1);
    if (key.size > 0)
        memcpy(copy, key.data, key.size);
    api->key = bytes_make(copy, key.size);
    secret_file_done(&contents);
}

struct http_api *http_api_new(struct server *server)
{
    struct http_api *api = memory_new(sizeof(*api));
    api->server = server;
    api->handler = (struct http_handler){.context = api, .answer = answer};
    read_key(api);
    server->http = &api->handler;
    return api;
}

void http_api_free(struct http_api *api)
{
    if (api == NULL)
        return;
    api->server->http = NULL;
    secret_free((void *)(uintptr_t)api->key.data, api->key.size);
    memory_free(api);
}
