// SPDX-License-Identifier: MIT
#include "server/logins.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/random.h"
#include "server/listener.h"
#include "server/reload.h"
#include "server/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define REMEMBERED_MAX 16384
#define WAITING_MAX 2048
#define WAIT_THREADS 8
#define GATEWAYS_AGE_MS 10000
#define PATH_MAX_OURS 4096

static void log_trouble(struct server *server, const char *text)
{
    struct log_line line;
    log_begin_with(&line, &server->log, LOG_USERS_TROUBLE,
                   "the users cannot be read, those of before stay");
    log_text(&line, "cause", text);
    log_end(&line);
}

// It is back where the connection lives. From any thread.
static void bring_back(void *context, struct login_job *job)
{
    struct logins *logins = context;
    struct worker *worker = logins->server->workers[job->worker];
    struct post *post = job->post;
    struct post_chain chain = {0};
    job->post = NULL;
    post->kind = POST_VERDICT;
    post->login = job;
    post_chain_add(&chain, post);
    if (inbox_append(&worker->inbox, &chain))
        loop_wake(worker->loop);
}

static void read_gateways(struct logins *logins)
{
    struct gateways gateways;
    int64_t now_ms = clock_monotonic_ms();
    if (logins->gateways_read_ms != 0 && now_ms - logins->gateways_read_ms < GATEWAYS_AGE_MS)
        return;
    gateways_read(&gateways);
    lock_take(&logins->lock);
    logins->gateways = gateways;
    lock_release(&logins->lock);
    logins->gateways_read_ms = now_ms;
}

bool logins_is_gateway(struct logins *logins, const struct net_address *address)
{
    lock_take(&logins->lock);
    bool is_gateway = gateways_have(&logins->gateways, address);
    lock_release(&logins->lock);
    return is_gateway;
}

static void say_users(struct logins *logins, const char *what)
{
    struct password_file *file = users_now(logins->users);
    const char *warning = secret_file_warning(&file->contents);
    struct log_line line;
    log_begin_with(&line, &logins->server->log, warning != NULL ? LOG_USERS_TROUBLE : LOG_USERS,
                   what);
    log_text(&line, "file", file->path);
    log_number(&line, "users", file->count);
    if (warning != NULL)
        log_text(&line, "warning", warning);
    log_end(&line);
    password_file_unref(file);
}

static void nothing(void *context)
{
    (void)context;
}

static void look_at_users(struct file_watch *watch, struct server *server)
{
    struct logins *logins =
        (struct logins *)(void *)((char *)watch - offsetof(struct logins, watch));
    char error[ACCESS_ERROR_MAX];
    read_gateways(logins);
    other_logins_look(&logins->others, server);
    if (logins->users == NULL)
        return;
    int result = users_refresh(logins->users, error);
    if (result < 0) {
        log_trouble(server, error);
        return;
    }
    if (result == 0)
        return;
    say_users(logins, "the users have changed");
    server_at_standstill(server, nothing, NULL); // everybody is looked at again
}

// ---- the gates ----

// Gates of listeners, told apart by what the listeners were told.
struct gates {
    struct other_logins others;
    uint32_t count;
    struct {
        const struct listener_options *options;
        struct login_gate *gate;
        struct password_file *file; // of the gate; NULL none
    } of[];
};

static void say_about_file(struct logins *logins, const struct password_file *file)
{
    const char *warning = secret_file_warning(&file->contents);
    struct log_line line;
    if (warning == NULL && file->skipped_line == 0)
        return;
    log_begin_with(&line, &logins->server->log, LOG_USERS_TROUBLE, "about a password file");
    log_text(&line, "file", file->path);
    if (warning != NULL)
        log_text(&line, "warning", warning);
    if (file->skipped_line > 0)
        log_number(&line, "no_colon_in_line", file->skipped_line);
    log_end(&line);
}

// Listeners that have the same file share it.
static int read_file(struct logins *logins, const struct gates *gates, const char *path,
                     struct password_file **ret_file, char *error)
{
    for (uint32_t i = 0; i < gates->count; i++) {
        if (gates->of[i].file == NULL || strcmp(gates->of[i].file->path, path) != 0)
            continue;
        *ret_file = password_file_ref(gates->of[i].file);
        return 0;
    }
    int result = password_file_read(path, PASSWORD_FILE_OF_MOSQUITTO, ret_file, error);
    if (result == 0)
        say_about_file(logins, *ret_file);
    return result;
}

// Everybody who can say who somebody is, in the order in which they are asked.
static int make_gate(struct logins *logins, struct gates *gates,
                     const struct listener_options *options, char *error)
{
    struct password_file *file = NULL;
    if (options->password_file[0] != 0) {
        int result = read_file(logins, gates, options->password_file, &file, error);
        if (result < 0)
            return result;
    }
    struct login_gate *gate = login_gate_new();
    if (logins->users != NULL) {
        struct authority authority = users_authority(logins->users);
        login_gate_add(gate, &authority);
    }
    if (file != NULL) {
        struct authority authority = password_file_authority(file, logins->cache);
        login_gate_add(gate, &authority);
    }
    other_logins_add(&gates->others, gate);
    gates->of[gates->count].options = options;
    gates->of[gates->count].file = file;
    gates->of[gates->count++].gate = gate;
    return 0;
}

static void free_gates(struct server *server, void *made)
{
    struct gates *gates = made;
    (void)server;
    for (uint32_t i = 0; i < gates->count; i++)
        login_gate_unref(gates->of[i].gate);
    other_logins_done(&gates->others);
    memory_free(gates);
}

static int make_gates(struct server *server, const struct options *options, void **ret_made,
                      char *error)
{
    uint32_t count = options->listener_count;
    for (const struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next)
        count++;
    struct gates *gates = memory_new(sizeof(*gates) + count * sizeof(gates->of[0]));
    int result = other_logins_make(options, &gates->others, error);
    for (uint32_t i = 0; result == 0 && i < options->listener_count; i++)
        result = make_gate(server->logins, gates, &options->listeners[i], error);
    // Those that no reload touches, and at start without a configuration the only ones.
    for (const struct listener *listener = server->listeners; result == 0 && listener != NULL;
         listener = listener->next)
        if (listener->is_given || options->listener_count == 0)
            result = make_gate(server->logins, gates, listener->options, error);
    if (result < 0)
        free_gates(server, gates);
    else
        *ret_made = gates;
    return result;
}

static struct login_gate *find_gate(const struct gates *gates,
                                    const struct listener_options *options)
{
    for (uint32_t i = 0; i < gates->count; i++)
        if (gates->of[i].options == options)
            return gates->of[i].gate;
    return NULL;
}

// Each listener holds its gate; what is handed back is what nobody holds any more.
static void swap_gates(struct server *server, void **made)
{
    struct gates *gates = *made;
    if (gates == NULL)
        return; // the listeners let theirs go themselves
    for (struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        struct login_gate *gate = find_gate(gates, listener->options);
        if (gate == NULL)
            continue; // it is closed
        login_gate_unref(listener->gate);
        listener->gate = login_gate_ref(gate);
    }
    struct other_logins before = server->logins->others;
    server->logins->others = gates->others;
    gates->others = before;
    free_gates(server, gates);
    *made = NULL;
}

const struct reload_part gates_part = {make_gates, swap_gates, free_gates};

bool logins_know(void *context, const struct principal *principal)
{
    const struct logins *logins = context;
    if (!principal->has_user || principal->rules != NULL)
        return true;
    // By the owner's own socket any name is believed, which makes nobody a user.
    for (const struct listener *listener = logins->server->listeners; listener != NULL;
         listener = listener->next)
        if (listener->fd >= 0 && !listener->is_owners &&
            (listener->options->use_identity_as_username ||
             listener->options->use_subject_as_username ||
             login_may_know(listener->gate, principal_user(principal))))
            return true;
    return false;
}

// ---- what they share ----

static int open_users_of(struct logins *logins, char *error)
{
    char path[PATH_MAX_OURS];
    const char *data = logins->server->options.data;
    if (data[0] == 0)
        return 0;
    if (snprintf(path, sizeof(path), "%s/users", data) >= (int)sizeof(path)) {
        (void)snprintf(error, SERVER_ERROR_MAX, "the name of the data directory is too long");
        return -ENAMETOOLONG;
    }
    int result = users_open(path, logins->cache, &logins->users, error);
    if (result < 0)
        return result;
    struct password_file *file = users_now(logins->users);
    bool is_news = file->count > 0 || secret_file_warning(&file->contents) != NULL;
    password_file_unref(file);
    if (is_news)
        say_users(logins, "users");
    return 0;
}

int logins_new(struct server *server, struct logins **ret_logins, char *error)
{
    const struct options *options = &server->options;
    struct logins *logins = memory_new(sizeof(*logins));
    logins->server = server;
    lock_init(&logins->lock);
    logins->cache = login_cache_new(REMEMBERED_MAX);
    logins->pool = login_pool_new(
        &(struct login_pool_options){.hash_threads = (uint32_t)options->login_threads,
                                     .wait_threads = WAIT_THREADS,
                                     .waiting_max = WAITING_MAX,
                                     .done = bring_back,
                                     .context = logins});
    *ret_logins = logins; // from here on server_free frees it
    read_gateways(logins);
    int result = open_users_of(logins, error);
    if (result == 0 && logins->users != NULL) {
        logins->scram.users = logins->users;
        random_bytes(&logins->scram.secret, sizeof(logins->scram.secret));
        logins->mechanism = scram_mechanism(&logins->scram);
        server->auth.mechanisms = &logins->mechanism;
        server->auth.mechanism_count = 1;
    }
    if (result == 0) {
        logins->watch.look = look_at_users;
        server_add_watch(server, &logins->watch);
    }
    return result;
}

void logins_stop(struct logins *logins)
{
    if (logins == NULL)
        return;
    login_pool_free(logins->pool);
    logins->pool = NULL;
}

void logins_free(struct logins *logins)
{
    if (logins == NULL)
        return;
    logins_stop(logins);
    other_logins_done(&logins->others);
    users_close(logins->users);
    login_cache_free(logins->cache);
    lock_done(&logins->lock);
    memory_free(logins);
}
