// SPDX-License-Identifier: MIT
// The access rules of all listeners, behind core/ports.h: made whole from the options, or not at
// all; never changed; swapped while no worker runs. A broker without a file of rules allows
// everything; but who comes with rules of its own (principal.rules, a struct acl) is held to them.
// Whose rules they are is asked by the principal's domain: with per_listener_settings that is the
// listener it came by, else there is one for all. Who is of no listener that is there now (it was
// stored before a restart that removed it, say) is allowed what all rules allow.
#ifndef BUD_SERVER_ACCESS_RULES_H
#define BUD_SERVER_ACCESS_RULES_H

#include "core/ports.h"
#include "server/log.h"
#include "server/options.h"

struct access_rules;
struct reload_part;

extern const struct reload_part access_rules_part;

// 0, or -errno with a sentence in `error` (SERVER_ERROR_MAX bytes): a file that is missing, cannot
// be read or has a wrong line. An empty one is none of that: it lets nobody do anything.
int access_rules_build(const struct options *options, struct access_rules **ret_rules, char *error);
void access_rules_free(struct access_rules *rules); // NULL is fine

// What is strange in the files, a line of log each.
void access_rules_say(const struct access_rules *rules, struct log *log);

// Puts them to use, as a new generation; NULL: everything is allowed. What the port pointed to
// before is the caller's to free.
void access_rules_fill_port(struct access_rules *rules, struct access_port *port);

// Who is still a user? Before the rules are put to use; NULL: everybody.
void access_rules_set_known(struct access_rules *rules, void *context,
                            bool (*is_known)(void *context, const struct principal *principal));

// The domain of who comes in by this listener; the same after a reload or a restart.
uint32_t access_rules_domain(const struct options *options,
                             const struct listener_options *listener);

#endif
