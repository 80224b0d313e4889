// SPDX-License-Identifier: MIT
#include "server/mount.h"

#include "proto/topic.h"
#include "server/listener.h"
#include "server/worker.h"

#include <string.h>

static struct bytes point_of(const struct connection *connection)
{
    // A test's connection comes by no listener.
    const char *point =
        connection->listener == NULL ? "" : connection->listener->options->mount_point;
    return bytes_make(point, strlen(point));
}

bool mount_is_used(const struct connection *connection)
{
    return point_of(connection).size > 0;
}

// `head`, the point, `rest`.
static bool put_between(struct connection *connection, struct bytes head, struct bytes rest,
                        struct bytes *ret_whole)
{
    struct bytes point = point_of(connection);
    size_t size = head.size + point.size + rest.size;
    uint8_t *text = arena_try_take(&connection->worker->scratch, size);
    if (text == NULL)
        return false;
    if (head.size > 0)
        memcpy(text, head.data, head.size);
    memcpy(text + head.size, point.data, point.size);
    if (rest.size > 0)
        memcpy(text + head.size + point.size, rest.data, rest.size);
    *ret_whole = bytes_make(text, size);
    return true;
}

bool mount_topic(struct connection *connection, struct bytes topic, struct bytes *ret_topic)
{
    *ret_topic = topic;
    return !mount_is_used(connection) ||
           put_between(connection, (struct bytes){0}, topic, ret_topic);
}

bool mount_filter(struct connection *connection, struct bytes filter, struct bytes *ret_filter)
{
    struct bytes group, rest, head = {0};
    *ret_filter = filter;
    if (!mount_is_used(connection))
        return true;
    switch (topic_share_parse(filter, &group, &rest)) {
    case TOPIC_SHARE_INVALID: return true; // refused as it is
    case TOPIC_SHARE_NONE: rest = filter; break;
    case TOPIC_SHARE_VALID: head = bytes_make(filter.data, filter.size - rest.size); break;
    }
    return put_between(connection, head, rest, ret_filter);
}

struct bytes mount_strip(const struct connection *connection, struct bytes topic)
{
    struct bytes point = point_of(connection);
    bool is_below = point.size > 0 && topic.size > point.size &&
                    memcmp(topic.data, point.data, point.size) == 0;
    return is_below ? bytes_from(topic, point.size) : topic;
}
