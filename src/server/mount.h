// SPDX-License-Identifier: MIT
// mount_point: everything that the clients of a listener publish, subscribe to and leave as a will
// is below it, and what they get has lost it again. They do not know. Whoever comes by another
// listener sees the whole topics.
#ifndef BUD_SERVER_MOUNT_H
#define BUD_SERVER_MOUNT_H

#include "server/connection.h"

bool mount_is_used(const struct connection *connection);

// As it is outside: the point and then `topic`, in the worker's scratch until the end of the turn.
// False: no memory. Without a mount point it is `topic` itself.
bool mount_topic(struct connection *connection, struct bytes topic, struct bytes *ret_topic);
// The same for a filter, where `$share/GROUP/` stays in front.
bool mount_filter(struct connection *connection, struct bytes filter, struct bytes *ret_filter);

// As the client shall see it.
struct bytes mount_strip(const struct connection *connection, struct bytes topic);

#endif
