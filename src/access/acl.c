// SPDX-License-Identifier: MIT
#include "access/acl.h"

#include "base/assert.h"
#include "base/memory.h"
#include "os/random.h"
#include "proto/topic.h"

#include <string.h>

#define FEW_RULES 2u
#define DEPTH_MAX 63u // longer beginnings are cut there

// Rules with the same beginning. Known by a hash of it: whoever shares one by chance is looked at
// in vain, no more.
struct acl_beginning {
    uint64_t hash;
    struct acl_rule *first, *last;
};

static struct bytes user_key(const void *section)
{
    return ((const struct acl_section *)section)->user;
}

static struct bytes beginning_key(const void *beginning)
{
    const struct acl_beginning *of = beginning;
    return bytes_make(&of->hash, sizeof(of->hash));
}

// ---- life ----

static struct acl_section *try_new_section(const struct acl *acl, struct bytes user)
{
    struct acl_section *section = memory_try_new(sizeof(*section) + user.size);
    if (section == NULL)
        return NULL;
    if (user.size > 0)
        memcpy(section->text, user.data, user.size);
    section->user = bytes_make(section->text, user.size);
    map_init(&section->beginnings, acl->key, beginning_key);
    return section;
}

static void free_section(struct acl_section *section)
{
    if (section == NULL)
        return;
    struct acl_rule *rule = section->first;
    while (rule != NULL) {
        struct acl_rule *following = rule->following;
        memory_free(rule);
        rule = following;
    }
    size_t position = 0;
    void *beginning;
    while ((beginning = map_next(&section->beginnings, &position)) != NULL)
        memory_free(beginning);
    map_done(&section->beginnings);
    memory_free(section);
}

static void free_acl(struct acl *acl)
{
    size_t position = 0;
    struct acl_section *section;
    while ((section = map_next(&acl->sections, &position)) != NULL)
        free_section(section);
    map_done(&acl->sections);
    free_section(acl->anonymous);
    free_section(acl->patterns);
    memory_free(acl->name);
    memory_free(acl);
}

struct acl *acl_try_new(const char *name)
{
    struct acl *acl = memory_try_new(sizeof(*acl));
    if (acl == NULL)
        return NULL;
    atomic_init(&acl->references, 1);
    random_bytes(&acl->key, sizeof(acl->key));
    map_init(&acl->sections, acl->key, user_key);
    acl->name = memory_try_new(strlen(name) + 1);
    acl->anonymous = try_new_section(acl, (struct bytes){0});
    acl->patterns = try_new_section(acl, (struct bytes){0});
    if (acl->name == NULL || acl->anonymous == NULL || acl->patterns == NULL) {
        free_acl(acl);
        return NULL;
    }
    memcpy(acl->name, name, strlen(name));
    return acl;
}

struct acl *acl_try_new_of_one(const char *name)
{
    struct acl *acl = acl_try_new(name);
    if (acl != NULL)
        acl->is_of_one = true;
    return acl;
}

struct acl *acl_ref(struct acl *acl)
{
    if (acl != NULL)
        atomic_fetch_add_explicit(&acl->references, 1, memory_order_relaxed);
    return acl;
}

void acl_unref(struct acl *acl)
{
    if (acl == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&acl->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        free_acl(acl);
}

// ---- building ----

static bool is_literal(struct bytes level, bool is_pattern)
{
    if (level.size == 1 && (level.data[0] == '+' || level.data[0] == '#'))
        return false;
    return !is_pattern || (!acl_names_client(level) && !acl_names_user(level));
}

// The literal levels in front, and how many they are.
static struct bytes beginning_of(const struct acl_rule *rule, uint32_t *ret_depth)
{
    struct bytes rest = rule->filter;
    size_t end = 0;
    bool more = true;
    for (*ret_depth = 0; more && *ret_depth < DEPTH_MAX; ++*ret_depth) {
        struct bytes level = topic_level_next(&rest, &more);
        if (!is_literal(level, rule->is_pattern))
            break;
        end = (size_t)(level.data - rule->filter.data) + level.size;
    }
    return bytes_make(rule->filter.data, end);
}

static struct acl_beginning *try_make_beginning(const struct acl *acl, struct acl_section *section,
                                                const struct acl_rule *rule)
{
    uint32_t depth;
    struct bytes text = beginning_of(rule, &depth);
    uint64_t hash = hash_bytes(acl->key, depth, text);
    struct acl_beginning *beginning =
        map_find(&section->beginnings, bytes_make(&hash, sizeof(hash)));
    if (beginning == NULL) {
        beginning = memory_try_new(sizeof(*beginning));
        if (beginning == NULL)
            return NULL;
        beginning->hash = hash;
        if (!map_try_put(&section->beginnings, beginning)) {
            memory_free(beginning);
            return NULL;
        }
    }
    section->depths |= UINT64_C(1) << depth;
    return beginning;
}

static void append(struct acl_section *section, struct acl_beginning *beginning,
                   struct acl_rule *rule)
{
    rule->order = section->count++;
    section->denials += rule->is_deny;
    *(section->last == NULL ? &section->first : &section->last->following) = rule;
    section->last = rule;
    *(beginning->last == NULL ? &beginning->first : &beginning->last->next) = rule;
    beginning->last = rule;
}

static struct acl_section *try_make_section(struct acl *acl, struct bytes user)
{
    struct acl_section *section = map_find(&acl->sections, user);
    if (section != NULL)
        return section;
    section = try_new_section(acl, user);
    if (section != NULL && !map_try_put(&acl->sections, section)) {
        free_section(section);
        return NULL;
    }
    return section;
}

bool acl_try_add_section(struct acl *acl, struct bytes user)
{
    return try_make_section(acl, user) != NULL;
}

bool acl_try_add(struct acl *acl, const struct acl_rule_source *source)
{
    ASSERT(topic_filter_valid(source->filter));
    struct acl_section *section = source->is_pattern ? acl->patterns
                                  : source->has_user ? try_make_section(acl, source->user)
                                                     : acl->anonymous;
    if (section == NULL)
        return false;
    struct acl_rule *rule = memory_try_new(sizeof(*rule) + source->filter.size);
    if (rule == NULL)
        return false;
    memcpy(rule->text, source->filter.data, source->filter.size);
    rule->filter = bytes_make(rule->text, source->filter.size);
    rule->line = source->line;
    rule->access = source->access;
    rule->is_deny = source->is_deny;
    rule->is_pattern = source->is_pattern;
    struct acl_beginning *beginning = try_make_beginning(acl, section, rule);
    if (beginning == NULL) {
        memory_free(rule);
        return false;
    }
    append(section, beginning, rule);
    return true;
}

// ---- asking ----

struct question {
    const struct acl_subject *subject;
    struct bytes topic; // or filter
    uint8_t access;
    const struct acl_rule *denial, *grant; // the first of each so far
};

static struct acl_filter filter_of(const struct acl_rule *rule, const struct question *question)
{
    return (struct acl_filter){rule->filter, rule->is_pattern ? question->subject : NULL};
}

static bool is_earlier(const struct acl_rule *rule, const struct acl_rule *than)
{
    return than == NULL || rule->order < than->order;
}

// Deny rules decide whatever their position, so among rules only the kind matters; the first of a
// kind is what is told.
static void look_at(struct question *question, const struct acl_rule *rule)
{
    const struct acl_rule **first = rule->is_deny ? &question->denial : &question->grant;
    if ((rule->access & question->access) != 0 && is_earlier(rule, *first) &&
        acl_filter_matches(filter_of(rule, question), question->topic))
        *first = rule;
}

static void look_at_beginning(const struct acl *acl, const struct acl_section *section,
                              struct question *question, uint32_t depth, struct bytes text)
{
    uint64_t hash = hash_bytes(acl->key, depth, text);
    const struct acl_beginning *beginning =
        map_find(&section->beginnings, bytes_make(&hash, sizeof(hash)));
    if (beginning == NULL)
        return;
    for (const struct acl_rule *rule = beginning->first; rule != NULL; rule = rule->next)
        look_at(question, rule);
}

static void look_at_beginnings(const struct acl *acl, const struct acl_section *section,
                               struct question *question)
{
    struct bytes rest = question->topic;
    bool more = true;
    size_t end = 0;
    for (uint32_t depth = 0; depth <= DEPTH_MAX && section->depths >> depth != 0; depth++) {
        if ((section->depths >> depth & 1) != 0)
            look_at_beginning(acl, section, question, depth, bytes_make(question->topic.data, end));
        if (!more)
            break;
        struct bytes level = topic_level_next(&rest, &more);
        end = (size_t)(level.data - question->topic.data) + level.size;
    }
}

static void look_through(const struct acl *acl, const struct acl_section *section,
                         struct question *question)
{
    if (section->count > FEW_RULES) {
        look_at_beginnings(acl, section, question);
        return;
    }
    for (const struct acl_rule *rule = section->first; rule != NULL; rule = rule->following)
        look_at(question, rule);
}

static const struct acl_section *section_of(const struct acl *acl,
                                            const struct acl_subject *subject)
{
    return subject->has_user && !acl->is_of_one ? map_find(&acl->sections, subject->user)
                                                : acl->anonymous;
}

static bool has_wildcard(struct bytes name)
{
    return name.size > 0 &&
           (memchr(name.data, '+', name.size) != NULL || memchr(name.data, '#', name.size) != NULL);
}

static bool is_poison(const struct acl_subject *subject)
{
    return has_wildcard(subject->client_id) || (subject->has_user && has_wildcard(subject->user));
}

static bool say(struct acl_reason *ret_why, enum acl_cause cause, const struct acl_rule *rule)
{
    if (ret_why != NULL)
        *ret_why = (struct acl_reason){cause, rule};
    return rule != NULL && !rule->is_deny;
}

static bool say_nothing_gives_it(const struct acl *acl, const struct acl_section *own,
                                 struct acl_reason *ret_why)
{
    bool has_rules = own != NULL && (own->count > 0 || own != acl->anonymous);
    return say(ret_why, has_rules || acl->patterns->count > 0 ? ACL_NO_RULE : ACL_NO_SECTION, NULL);
}

// Both for topics and for filters: how a section is looked through is what differs.
static bool decide(const struct acl *acl, struct question *question, struct acl_reason *ret_why,
                   void (*look)(const struct acl *acl, const struct acl_section *section,
                                struct question *question))
{
    const struct acl_section *own = section_of(acl, question->subject);
    if (own != NULL)
        look(acl, own, question);
    if (question->denial == NULL && question->grant == NULL && acl->patterns->count > 0) {
        if (is_poison(question->subject))
            return say(ret_why, ACL_BY_NAME, NULL);
        look(acl, acl->patterns, question);
    }
    if (question->denial != NULL)
        return say(ret_why, ACL_BY_RULE, question->denial);
    if (question->grant != NULL)
        return say(ret_why, ACL_BY_RULE, question->grant);
    return say_nothing_gives_it(acl, own, ret_why);
}

bool acl_check(const struct acl *acl, const struct acl_subject *subject, uint8_t access,
               struct bytes topic, struct acl_reason *ret_why)
{
    struct question question = {.subject = subject, .topic = topic, .access = access};
    return decide(acl, &question, ret_why, look_through);
}

static void look_for_overlap(const struct acl *acl, const struct acl_section *section,
                             struct question *question)
{
    (void)acl;
    for (const struct acl_rule *rule = section->first; rule != NULL; rule = rule->following) {
        struct acl_filter filter = filter_of(rule, question);
        if ((rule->access & ACL_READ) == 0)
            continue;
        if (rule->is_deny && acl_filter_covers(filter, question->topic)) {
            question->denial = rule; // nothing that follows can help
            return;
        }
        if (!rule->is_deny && question->grant == NULL &&
            acl_filter_overlaps(filter, question->topic))
            question->grant = rule;
        if (question->grant != NULL && section->denials == 0)
            return;
    }
}

bool acl_may_subscribe(const struct acl *acl, const struct acl_subject *subject,
                       struct bytes filter, struct acl_reason *ret_why)
{
    // Without a wildcard it is a topic.
    if (!has_wildcard(filter))
        return acl_check(acl, subject, ACL_READ, filter, ret_why);
    struct question question = {.subject = subject, .topic = filter, .access = ACL_READ};
    return decide(acl, &question, ret_why, look_for_overlap);
}
