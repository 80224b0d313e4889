// SPDX-License-Identifier: MIT
#include "access/topic_claims.h"

#include "base/memory.h"
#include "proto/topic.h"

#include <string.h>

static bool refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static bool try_grow(struct topic_claims *claims)
{
    if (claims->count < claims->capacity)
        return true;
    size_t capacity = claims->capacity == 0 ? 8 : claims->capacity * 2;
    struct topic_claim *list = memory_try_resize(claims->list, capacity * sizeof(*list));
    if (list == NULL)
        return false;
    claims->list = list;
    claims->capacity = capacity;
    return true;
}

static const struct {
    const char *name;
    char letter; // behind a '%' in an access rule
} placeholders[] = {{"${clientid}", 'c'}, {"${username}", 'u'}};

// The letter of the placeholder that a text begins with, and its size; 0: it is none.
static char placeholder_at(struct bytes text, size_t *ret_size)
{
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        size_t size = strlen(placeholders[i].name);
        if (text.size < size || memcmp(text.data, placeholders[i].name, size) != 0)
            continue;
        *ret_size = size;
        return placeholders[i].letter;
    }
    return 0;
}

static bool names_something_unknown(struct bytes text)
{
    size_t size;
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '$' && text.data[i + 1] == '{' &&
            placeholder_at(bytes_from(text, i), &size) == 0)
            return true;
    return false;
}

static bool add(struct topic_claims *claims, const json_t *filter, uint8_t access, bool is_deny,
                const char **ret_why)
{
    if (!json_is_string(filter))
        return refuse(ret_why, "a topic of its topic claims is no text");
    struct bytes text = bytes_make(json_string_value(filter), json_string_length(filter));
    if (!topic_filter_valid(text))
        return refuse(ret_why, "a topic of its topic claims is no topic filter");
    if (names_something_unknown(text))
        return refuse(ret_why, "a topic of its topic claims has another placeholder than "
                               "${clientid} and ${username}");
    if (is_deny && access != (TOPIC_CLAIM_READ | TOPIC_CLAIM_WRITE))
        return refuse(ret_why, "a topic claim that denies must be for action all");
    if (claims->count == TOPIC_CLAIMS_MAX)
        return refuse(ret_why, "it has more than 1000 topic claims");
    if (!try_grow(claims))
        return refuse(ret_why, "no memory for its topic claims");
    claims->list[claims->count++] =
        (struct topic_claim){.filter = text, .access = access, .is_deny = is_deny};
    return true;
}

static bool add_all(struct topic_claims *claims, const json_t *filters, uint8_t access,
                    const char **ret_why)
{
    size_t index;
    const json_t *filter;
    if (!json_is_array(filters))
        return refuse(ret_why, "its topic claims are no list of topics");
    json_array_foreach(filters, index, filter)
    {
        if (!add(claims, filter, access, false, ret_why))
            return false;
    }
    return true;
}

static bool says(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static uint8_t access_of(const json_t *action)
{
    return says(action, "publish")     ? TOPIC_CLAIM_WRITE
           : says(action, "subscribe") ? TOPIC_CLAIM_READ
           : says(action, "all")       ? TOPIC_CLAIM_READ | TOPIC_CLAIM_WRITE
                                       : 0;
}

static bool add_rule(struct topic_claims *claims, const json_t *rule, const char **ret_why)
{
    const json_t *permission = json_object_get(rule, "permission");
    uint8_t access = access_of(json_object_get(rule, "action"));
    bool is_deny = says(permission, "deny");
    if (!json_is_object(rule) || access == 0 || (!is_deny && !says(permission, "allow")))
        return refuse(ret_why, "a rule of its acl claim is none: it needs permission (allow, "
                               "deny), action (publish, subscribe, all) and topic");
    if (json_object_size(rule) != 3)
        return refuse(ret_why, "a rule of its acl claim has a condition that is not known here; "
                               "only permission, action and topic are");
    return add(claims, json_object_get(rule, "topic"), access, is_deny, ret_why);
}

static bool add_rules(struct topic_claims *claims, const json_t *rules, const char **ret_why)
{
    size_t index;
    const json_t *rule;
    json_array_foreach(rules, index, rule)
    {
        if (!add_rule(claims, rule, ret_why))
            return false;
    }
    return true;
}

static bool add_lists(struct topic_claims *claims, json_t *lists, const char **ret_why)
{
    const char *name;
    const json_t *filters;
    json_object_foreach(lists, name, filters)
    {
        uint8_t access = strcmp(name, "pub") == 0   ? TOPIC_CLAIM_WRITE
                         : strcmp(name, "sub") == 0 ? TOPIC_CLAIM_READ
                         : strcmp(name, "all") == 0 ? TOPIC_CLAIM_READ | TOPIC_CLAIM_WRITE
                                                    : 0;
        if (access == 0)
            return refuse(ret_why, "its acl claim has another list than pub, sub and all");
        if (!add_all(claims, filters, access, ret_why))
            return false;
    }
    return true;
}

static bool add_acl(struct topic_claims *claims, json_t *acl, const char **ret_why)
{
    if (json_is_array(acl))
        return add_rules(claims, acl, ret_why);
    if (json_is_object(acl))
        return add_lists(claims, acl, ret_why);
    return refuse(ret_why, "its acl claim is neither a list nor an object");
}

bool topic_claims_read(const json_t *object, struct topic_claims *claims, const char **ret_why)
{
    const json_t *write = json_object_get(object, "publ"), *read = json_object_get(object, "subs");
    json_t *acl = json_object_get(object, "acl");
    claims->stated = write != NULL || read != NULL || acl != NULL;
    return (write == NULL || add_all(claims, write, TOPIC_CLAIM_WRITE, ret_why)) &&
           (read == NULL || add_all(claims, read, TOPIC_CLAIM_READ, ret_why)) &&
           (acl == NULL || add_acl(claims, acl, ret_why));
}

static bool has_placeholder(struct bytes text)
{
    size_t size;
    for (size_t i = 0; i < text.size; i++)
        if (placeholder_at(bytes_from(text, i), &size) != 0)
            return true;
    return acl_names_client(text) || acl_names_user(text);
}

// As an access rule writes it; never longer.
static struct bytes with_letters(struct bytes text, uint8_t *memory)
{
    size_t written = 0, size;
    while (text.size > 0) {
        char letter = placeholder_at(text, &size);
        if (letter == 0) {
            memory[written++] = text.data[0];
            text = bytes_from(text, 1);
            continue;
        }
        memory[written++] = '%';
        memory[written++] = (uint8_t)letter;
        text = bytes_from(text, size);
    }
    return bytes_make(memory, written);
}

static bool try_add_rule(struct acl *acl, const struct topic_claim *claim, bool is_pattern,
                         struct bytes user)
{
    uint8_t *memory = memory_try_new(claim->filter.size);
    if (memory == NULL)
        return false;
    struct acl_rule_source source = {
        .is_pattern = is_pattern,
        .has_user = user.size > 0,
        .user = user,
        .filter = with_letters(claim->filter, memory),
        .access = claim->is_deny ? ACL_READ_WRITE : claim->access,
        .is_deny = claim->is_deny,
    };
    bool added = acl_try_add(acl, &source);
    memory_free(memory);
    return added;
}

struct acl *topic_claims_try_acl(const struct topic_claims *claims, struct bytes user,
                                 const char **ret_why)
{
    struct acl *acl = acl_try_new("its topic claims");
    bool is_pattern = false;
    // All of them, or a pattern that denies would come after a rule of its own that allows.
    for (size_t i = 0; i < claims->count; i++)
        is_pattern = is_pattern || has_placeholder(claims->list[i].filter);
    bool added = acl != NULL;
    for (size_t i = 0; added && i < claims->count; i++)
        added = try_add_rule(acl, &claims->list[i], is_pattern, user);
    if (added)
        return acl;
    acl_unref(acl);
    *ret_why = "no memory for its topic claims";
    return NULL;
}

void topic_claims_done(struct topic_claims *claims)
{
    memory_free(claims->list);
    *claims = (struct topic_claims){0};
}
