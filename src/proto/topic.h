// SPDX-License-Identifier: MIT
// Topic names and topic filters: which are valid, and which filter matches which name [MQTT5 4.7].
// Nothing here recurses or allocates; text was already checked to be UTF-8 by the packet decoder.
#ifndef BUD_PROTO_TOPIC_H
#define BUD_PROTO_TOPIC_H

#include "proto/bytes.h"

// At least one byte, at most 65535, no NUL, no '+' or '#' [MQTT-4.7.3-1] [MQTT-3.3.2-2].
bool topic_name_valid(struct bytes name);

// As above, with '+' alone in its level and '#' alone in the last one [MQTT-4.7.1-1]
// [MQTT-4.7.1-2]. A `$share/...` filter must have been taken apart with topic_share_parse first.
bool topic_filter_valid(struct bytes filter);

// How many levels: one more than the number of '/'.
uint32_t topic_level_count(struct bytes topic);

// Takes the first level off `*rest` and returns it. `*more` is false once the last level was taken.
// Start with *rest = topic and call while *more:   do { level = topic_level_next(&rest, &more); ...
// } while (more);
struct bytes topic_level_next(struct bytes *rest, bool *more);

// Does `filter` match `name`? A leading wildcard does not match a name that starts with '$'
// [MQTT-4.7.2-1].
bool topic_matches(struct bytes filter, struct bytes name);

enum topic_share { TOPIC_SHARE_NONE, TOPIC_SHARE_VALID, TOPIC_SHARE_INVALID };

// Takes `$share/{group}/{filter}` apart [MQTT-4.8.2-1] [MQTT-4.8.2-2]. NONE: does not start with
// "$share/", out-params untouched. INVALID: no group, a group with '+', '#' or '/', or no filter
// after it. The filter itself still has to be checked.
enum topic_share topic_share_parse(struct bytes filter, struct bytes *ret_group,
                                   struct bytes *ret_filter);

#endif
