// SPDX-License-Identifier: MIT
#include "server/access_rules.h"

#include "access/acl_file.h"
#include "base/memory.h"
#include "server/logins.h"
#include "server/reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Something strange in a file, kept until it can be said.
struct note {
    struct note *next;
    uint32_t line;
    const char *path; // of the rules' acl, or of the options while they are made
    char text[256];
};

struct domain {
    uint32_t number;
    struct acl *acl; // NULL: everything is allowed
};

struct access_rules {
    struct domain *domains;
    uint32_t count;
    struct note *notes, *last_note;
    const char *reading; // path of the file that is read now
    void *known_context;
    bool (*is_known)(void *context, const struct principal *principal);
    bool brings_own; // somebody may come with rules of its own
    bool refuses_subscriptions;
    bool checks_retain_source;
};

// ---- which listener ----

uint32_t access_rules_domain(const struct options *options, const struct listener_options *listener)
{
    if (!options->per_listener_settings)
        return PRINCIPAL_DOMAIN_COMMON;
    char text[512];
    int size = listener->path[0] != 0
                   ? snprintf(text, sizeof(text), "unix %s", listener->path)
                   : snprintf(text, sizeof(text), "tcp %s %u %s", listener->address,
                              (unsigned)listener->port, listener->interface);
    size = size < (int)sizeof(text) ? size : (int)sizeof(text) - 1;
    // The key is no secret: it is the administrator who chooses these names.
    uint64_t hash = hash_bytes((struct hash_key){0}, 0, bytes_make(text, (size_t)size));
    uint32_t domain = (uint32_t)hash;
    return domain == PRINCIPAL_DOMAIN_COMMON || domain == PRINCIPAL_DOMAIN_OWN ? 1 : domain;
}

static const struct domain *find_domain(const struct access_rules *rules, uint32_t number)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->domains[i].number == number)
            return &rules->domains[i];
    return NULL;
}

// ---- asking ----

static struct acl_subject subject_of(const struct principal *principal)
{
    return (struct acl_subject){
        .client_id = principal_client_id(principal),
        .user = principal_user(principal),
        .has_user = principal->has_user,
    };
}

typedef bool check_function(const struct acl *acl, const struct acl_subject *subject,
                            struct bytes topic);

static bool may_read_by(const struct acl *acl, const struct acl_subject *subject,
                        struct bytes topic)
{
    return acl_check(acl, subject, ACL_READ, topic, NULL);
}

static bool may_write_by(const struct acl *acl, const struct acl_subject *subject,
                         struct bytes topic)
{
    return acl_check(acl, subject, ACL_WRITE, topic, NULL);
}

static bool may_subscribe_by(const struct acl *acl, const struct acl_subject *subject,
                             struct bytes filter)
{
    return acl_may_subscribe(acl, subject, filter, NULL);
}

static bool all_allow(const struct access_rules *rules, const struct acl_subject *subject,
                      struct bytes topic, check_function *check)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->domains[i].acl != NULL && !check(rules->domains[i].acl, subject, topic))
            return false;
    return true;
}

// Orders to a broker need a rule that names them.
static bool is_order(struct bytes topic)
{
    static const char root[] = "$CONTROL";
    size_t size = sizeof(root) - 1;
    return topic.size >= size && memcmp(topic.data, root, size) == 0 &&
           (topic.size == size || topic.data[size] == '/');
}

static bool ask(const struct access_rules *rules, const struct principal *principal,
                struct bytes topic, check_function *check)
{
    struct acl_subject subject = subject_of(principal);
    if (principal->rules != NULL)
        return check(principal->rules, &subject, topic);
    // What its own rules were was not stored. Nothing is sent to it before it brings them again,
    // and what it wrote was checked by them.
    if (principal->domain == PRINCIPAL_DOMAIN_OWN)
        return !is_order(topic);
    const struct domain *domain = find_domain(rules, principal->domain);
    if (domain == NULL)
        return all_allow(rules, &subject, topic, check);
    return domain->acl == NULL ? !is_order(topic) : check(domain->acl, &subject, topic);
}

static bool may_read(void *context, const struct principal *principal, struct bytes topic)
{
    return ask(context, principal, topic, may_read_by);
}

static bool may_write(void *context, const struct principal *principal, struct bytes topic)
{
    return ask(context, principal, topic, may_write_by);
}

static bool may_subscribe(void *context, const struct principal *principal, struct bytes filter)
{
    return ask(context, principal, filter, may_subscribe_by);
}

static bool is_known(void *context, const struct principal *principal)
{
    const struct access_rules *rules = context;
    return !principal->has_user || rules->is_known(rules->known_context, principal);
}

// ---- making ----

static void note(void *context, uint32_t line, bool is_error, const char *what)
{
    struct access_rules *rules = context;
    if (is_error)
        return; // all of them are in the error's sentence
    struct note *note = memory_try_new(sizeof(*note));
    if (note == NULL)
        return;
    note->line = line;
    note->path = rules->reading;
    (void)snprintf(note->text, sizeof(note->text), "%s", what);
    *(rules->last_note == NULL ? &rules->notes : &rules->last_note->next) = note;
    rules->last_note = note;
}

// Two listeners with one file have it read once.
static struct acl *find_acl(const struct access_rules *rules, const char *path)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->domains[i].acl != NULL && strcmp(rules->domains[i].acl->name, path) == 0)
            return rules->domains[i].acl;
    return NULL;
}

static int add_domain(struct access_rules *rules, const struct options *options,
                      const struct listener_options *listener, char *error)
{
    const char *path = listener->acl_file;
    struct acl_listener notes = {rules, note};
    struct domain *domain = &rules->domains[rules->count];
    char why[ACCESS_ERROR_MAX];
    *domain = (struct domain){.number = access_rules_domain(options, listener)};
    if (find_domain(rules, domain->number) != NULL)
        return 0;
    if (path[0] != 0 && (domain->acl = acl_ref(find_acl(rules, path))) == NULL) {
        rules->reading = path;
        int result = acl_file_read(path, &notes, &domain->acl, why);
        if (result < 0) {
            (void)snprintf(error, SERVER_ERROR_MAX, "acl_file: %.600s", why);
            return result;
        }
    }
    rules->count++;
    return 0;
}

// What the notes are about lives as long as the rules, which the options may not.
static void keep_names(struct access_rules *rules)
{
    for (struct note *note = rules->notes; note != NULL; note = note->next) {
        const struct acl *acl = find_acl(rules, note->path);
        note->path = acl != NULL ? acl->name : "";
    }
}

int access_rules_build(const struct options *options, struct access_rules **ret_rules, char *error)
{
    struct listener_options bare;
    const struct listener_options *listeners = options->listeners;
    uint32_t count = options->listener_count;
    if (count == 0) {
        options_fill_listener(options, &bare);
        listeners = &bare;
        count = 1;
    }
    struct access_rules *rules = memory_new(sizeof(*rules));
    rules->domains = memory_new(count * sizeof(rules->domains[0]));
    rules->brings_own = options->jwt_key_file[0] != 0 || options->jwt_jwks_file[0] != 0 ||
                        options->auth_http_url[0] != 0;
    rules->refuses_subscriptions = options->acl_subscribe == ACL_SUBSCRIBE_REFUSE;
    rules->checks_retain_source = options->check_retain_source;
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < count; i++)
        result = add_domain(rules, options, &listeners[i], error);
    keep_names(rules);
    if (result < 0)
        access_rules_free(rules);
    else
        *ret_rules = rules;
    return result;
}

void access_rules_free(struct access_rules *rules)
{
    if (rules == NULL)
        return;
    for (uint32_t i = 0; i < rules->count; i++)
        acl_unref(rules->domains[i].acl);
    while (rules->notes != NULL) {
        struct note *next = rules->notes->next;
        memory_free(rules->notes);
        rules->notes = next;
    }
    memory_free(rules->domains);
    memory_free(rules);
}

void access_rules_say(const struct access_rules *rules, struct log *log)
{
    for (const struct note *note = rules->notes; note != NULL; note = note->next) {
        struct log_line line;
        log_begin(&line, log, LOG_ACCESS_RULES);
        log_text(&line, "file", note->path);
        if (note->line != 0)
            log_number(&line, "line", note->line);
        log_text(&line, "what", note->text);
        log_end(&line);
    }
}

void access_rules_set_known(struct access_rules *rules, void *context,
                            bool (*known)(void *context, const struct principal *principal))
{
    rules->known_context = context;
    rules->is_known = known;
}

static bool has_rules(const struct access_rules *rules)
{
    bool has = rules->brings_own;
    for (uint32_t i = 0; i < rules->count; i++)
        has = has || rules->domains[i].acl != NULL;
    return has;
}

void access_rules_fill_port(struct access_rules *rules, struct access_port *port)
{
    uint32_t generation = port->generation + 1;
    *port = (struct access_port){
        .generation = generation == 0 ? 1 : generation, // 0 says that nothing was checked
    };
    if (rules == NULL)
        return;
    port->context = rules;
    port->checks_retain_source = rules->checks_retain_source;
    port->is_known = rules->is_known != NULL ? is_known : NULL;
    if (!has_rules(rules))
        return;
    port->may_read = may_read;
    port->may_write = may_write;
    port->may_subscribe = rules->refuses_subscriptions ? may_subscribe : NULL;
}

// ---- as a part of the server ----

static int make_part(struct server *server, const struct options *options, void **ret_made,
                     char *error)
{
    struct access_rules *rules;
    int result = access_rules_build(options, &rules, error);
    if (result < 0)
        return result;
    access_rules_say(rules, &server->log);
    access_rules_set_known(rules, server->logins, logins_know);
    *ret_made = rules;
    return 0;
}

static void swap_part(struct server *server, void **made)
{
    struct access_rules *before = server->access_rules;
    server->access_rules = *made;
    access_rules_fill_port(server->access_rules, &server->access);
    *made = before;
}

static void free_part(struct server *server, void *made)
{
    (void)server;
    access_rules_free(made);
}

const struct reload_part access_rules_part = {make_part, swap_part, free_part};
