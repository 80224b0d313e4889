// SPDX-License-Identifier: MIT
// How the filter of an access rule meets a topic, or another filter. In a `pattern` rule %c and %u
// stand for the client id and the user; in other rules nothing does. Nothing here allocates, builds
// a string or recurses. An attacker controls the names, the topic and the other filter.
#ifndef BUD_ACCESS_ACL_MATCH_H
#define BUD_ACCESS_ACL_MATCH_H

#include "proto/bytes.h"

struct acl_subject {
    struct bytes client_id, user;
    bool has_user; // false: anonymous
};

// The filter of a rule as one subject sees it. `subject` NULL: no name stands for anything in it.
struct acl_filter {
    struct bytes text;
    const struct acl_subject *subject;
};

// Does it match this topic name? A filter that does not begin with '$' matches no topic that does.
bool acl_filter_matches(struct acl_filter filter, struct bytes topic);

// Is there a topic that both match?
bool acl_filter_overlaps(struct acl_filter filter, struct bytes other);

// Does it match whatever `other` matches? No, when in doubt.
bool acl_filter_covers(struct acl_filter filter, struct bytes other);

// %c, %u: does a level name the client or the user at all?
bool acl_names_client(struct bytes text);
bool acl_names_user(struct bytes text);

#endif
