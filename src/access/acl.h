// SPDX-License-Identifier: MIT
// Who may read and write what, as a Mosquitto ACL file says it: sections of `topic` rules for one
// user each, one for anonymous clients, and `pattern` rules for everybody with %c (client id) and
// %u (user). Deny rules come first, whatever their position; then the first rule that gives the
// access; what no rule gives is denied. Built rule by rule, never changed after that, counted:
// workers and tokens share it.
// A client chooses the names and the topic. Names are compared as bytes, level by level: they never
// become part of a filter, so a '+', '#', '/' or '%' in one gives nothing. The rules are trusted.
#ifndef BUD_ACCESS_ACL_H
#define BUD_ACCESS_ACL_H

#include "access/acl_match.h"
#include "base/map.h"

#include <stdatomic.h>

enum acl_access { ACL_READ = 1, ACL_WRITE = 2, ACL_READ_WRITE = 3 };

struct acl_rule {
    struct acl_rule *next;      // with the same beginning, in the order of the file
    struct acl_rule *following; // in the section
    struct bytes filter;
    uint32_t order; // in the section
    uint32_t line;  // 0: it is from no file
    uint8_t access;
    bool is_deny;
    bool is_pattern;
    uint8_t text[];
};

// Rules of one user. A topic is looked up by each of its beginnings that a rule has: the literal
// levels before the first wildcard or name.
struct acl_section {
    struct bytes user;
    struct acl_rule *first, *last;
    uint32_t count, denials;
    uint64_t depths;       // bit n: a beginning of n levels is there
    struct map beginnings; // struct acl_beginning
    uint8_t text[];
};

struct acl {
    _Atomic uint32_t references;
    struct hash_key key;
    char *name;          // the file's path, for people
    struct map sections; // struct acl_section, by user
    struct acl_section *anonymous, *patterns;
    bool is_of_one;
};

enum acl_cause {
    ACL_BY_RULE,    // `rule` says so
    ACL_BY_NAME,    // '+' or '#' in the user's name or client id, and there are patterns
    ACL_NO_SECTION, // no rule is for this user, and there are no patterns
    ACL_NO_RULE,    // there are rules, but none gives this
};

struct acl_reason {
    enum acl_cause cause;
    const struct acl_rule *rule; // NULL but for ACL_BY_RULE
};

// With one reference. NULL without memory.
struct acl *acl_try_new(const char *name);
struct acl *acl_ref(struct acl *acl); // NULL is fine
void acl_unref(struct acl *acl);      // likewise

// The rules that somebody brings along, in a token: those without a user are for whoever asks.
struct acl *acl_try_new_of_one(const char *name);

// Adds a rule, as long as nobody else has the object. Texts are copied. False without memory.
struct acl_rule_source {
    bool is_pattern; // for everybody, with %c and %u; `user` means nothing then
    bool has_user;   // false: for anonymous clients
    struct bytes user;
    struct bytes filter; // a valid topic filter
    uint8_t access;      // what it gives or denies
    bool is_deny;
    uint32_t line; // 0: none
};
bool acl_try_add(struct acl *acl, const struct acl_rule_source *source);

// A section without rules is something else than none only to whoever explains.
bool acl_try_add_section(struct acl *acl, struct bytes user);

// May it do this (ACL_READ or ACL_WRITE) on this topic? `ret_why` may be NULL.
bool acl_check(const struct acl *acl, const struct acl_subject *subject, uint8_t access,
               struct bytes topic, struct acl_reason *ret_why);

// Is there a topic that this filter matches and that it may read? Never no when there is one; yes
// sometimes when there is none, if several rules together deny it.
bool acl_may_subscribe(const struct acl *acl, const struct acl_subject *subject,
                       struct bytes filter, struct acl_reason *ret_why);

#endif
