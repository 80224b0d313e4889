// SPDX-License-Identifier: MIT
// Bans by HTTP: listed, and lifted.
#include "access/ban.h"
#include "base/memory.h"
#include "edge/http_api_routes.h"
#include "server/door.h"
#include "server/worker.h"

#include <jansson.h>

// A name that was cut in the middle of a character loses what is left of it.
static json_t *text_of(struct bytes text)
{
    json_t *json = NULL;
    for (int i = 0; i < 4 && json == NULL; i++) {
        json = json_stringn((const char *)text.data, text.size);
        text.size -= json == NULL && text.size > 0;
    }
    return json != NULL ? json : json_string("?");
}

static void add_ban(void *context, const struct ban *ban)
{
    json_t *object = json_object();
    json_object_set_new(object, "address", json_string(ban->address));
    json_object_set_new(object, "user", ban->user.size > 0 ? text_of(ban->user) : json_null());
    json_object_set_new(object, "seconds_left", json_integer((ban->left_ms + 999) / 1000));
    json_object_set_new(object, "times", json_integer(ban->times));
    json_array_append_new(context, object);
}

// Takes it over.
static void answer_json(struct http_answer *answer, json_t *json)
{
    size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *text = size == 0 ? NULL : memory_try_new(size);
    answer->status = 503;
    if (text != NULL) {
        (void)json_dumpb(json, text, size, JSON_COMPACT);
        http_answer_text(answer, 200, API_JSON, bytes_make(text, size));
    }
    memory_free(text);
    json_decref(json);
}

void api_list_bans(struct worker *worker, const struct http_request *request, struct bytes argument,
                   struct http_answer *answer)
{
    json_t *list = json_array(), *object = json_object();
    (void)request;
    (void)argument;
    bans_list(worker->server->door->bans, worker->now_ms, add_ban, list);
    json_object_set_new(object, "bans", list);
    answer_json(answer, object);
}

static void answer_lifted(struct worker *worker, struct bytes what, size_t count,
                          struct http_answer *answer)
{
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_BAN_LIFTED);
    log_bytes(&line, "address", what);
    log_number(&line, "bans", count);
    log_end(&line);
    json_t *object = json_object();
    json_object_set_new(object, "lifted", json_integer((json_int_t)count));
    answer_json(answer, object);
}

void api_lift_all_bans(struct worker *worker, const struct http_request *request,
                       struct bytes argument, struct http_answer *answer)
{
    (void)request;
    (void)argument;
    answer_lifted(worker, BYTES_OF("all"),
                  bans_lift_all(worker->server->door->bans, worker->now_ms), answer);
}

void api_lift_ban(struct worker *worker, const struct http_request *request, struct bytes argument,
                  struct http_answer *answer)
{
    struct net_address address;
    (void)request;
    if (!ban_address_parse(argument, &address)) {
        http_answer_text(answer, 400, API_JSON,
                         BYTES_OF("{\"error\":\"that is no address (192.0.2.7, "
                                  "2001:db8::%2F64)\"}\n"));
        return;
    }
    size_t count = bans_lift(worker->server->door->bans, &address, worker->now_ms);
    if (count > 0)
        answer_lifted(worker, argument, count, answer);
    else
        http_answer_text(answer, 404, API_JSON,
                         BYTES_OF("{\"error\":\"this address is not banned\"}\n"));
}
