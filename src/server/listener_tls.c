// SPDX-License-Identifier: MIT
#include "server/listener_tls.h"

#include "access/psk_file.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/file.h"
#include "server/listener.h"
#include "transport/certificate.h"
#include "transport/tls_context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 1200
#define DAY_MS INT64_C(86400000)

// Our own certificate, where the listener names none: in the data directory.
struct own_paths {
    char directory[PATH_SIZE], certificate[PATH_SIZE + 16], key[PATH_SIZE + 16];
};

static bool may_have_own(const struct server *server, const struct listener_options *options)
{
    return options->tls != LISTENER_TLS_NONE && options->certfile[0] == 0 &&
           options->psk_hint[0] == 0 && server->options.persistence != 0 &&
           server->options.data[0] != 0;
}

static void fill_own_paths(const struct server *server, struct own_paths *paths)
{
    (void)snprintf(paths->directory, sizeof(paths->directory), "%s/tls", server->options.data);
    (void)snprintf(paths->certificate, sizeof(paths->certificate), "%s/cert.pem", paths->directory);
    (void)snprintf(paths->key, sizeof(paths->key), "%s/key.pem", paths->directory);
}

static bool speaks_tls(const struct server *server, const struct listener_options *options)
{
    return options->certfile[0] != 0 || options->psk_hint[0] != 0 || may_have_own(server, options);
}

static void fill_settings(const struct server *server, const struct listener_options *options,
                          const struct own_paths *own, struct tls_settings *settings)
{
    bool uses_own = may_have_own(server, options);
    *settings = (struct tls_settings){
        .certfile = uses_own ? own->certificate : options->certfile,
        .keyfile = uses_own ? own->key : options->keyfile,
        .cafile = options->cafile,
        .capath = options->capath,
        .crlfile = options->crlfile,
        .ciphers = options->ciphers,
        .ciphers_tls13 = options->ciphers_tls13,
        .tls_version = options->tls_version,
        .tls_engine = options->tls_engine,
        .tls_keyform = options->tls_keyform,
        .psk_hint = options->psk_hint,
        .tickets = server->ticket_keys,
        .require_certificate = options->require_certificate,
        .disable_client_cert_date_checks = options->disable_client_cert_date_checks,
    };
}

static void release_psk(void *file)
{
    psk_file_unref(file);
}

static int read_psk(const struct listener_options *options, struct tls_psk *psk, char *error)
{
    struct psk_file *file;
    char sentence[ACCESS_ERROR_MAX];
    if (options->psk_hint[0] == 0)
        return 0;
    if (options->psk_file[0] == 0) {
        (void)snprintf(error, SERVER_ERROR_MAX,
                       "%s:%u: psk_hint needs keys: say where they are with psk_file",
                       options->file, (unsigned)options->line);
        return -EINVAL;
    }
    int result = psk_file_read(options->psk_file, &file, sentence);
    if (result < 0)
        (void)snprintf(error, SERVER_ERROR_MAX, "%s", sentence);
    else
        *psk = (struct tls_psk){.find = psk_file_find, .release = release_psk, .context = file};
    return result;
}

struct tls_context *listener_tls_new(struct server *server, const struct listener_options *options,
                                     char *error)
{
    struct tls_settings settings;
    struct own_paths own;
    char sentence[TLS_ERROR_SIZE];
    error[0] = 0;
    if (!speaks_tls(server, options))
        return NULL;
    fill_own_paths(server, &own);
    fill_settings(server, options, &own, &settings);
    if (read_psk(options, &settings.psk, error) < 0)
        return NULL;
    struct tls_context *context = tls_context_new(&settings, sentence);
    if (context == NULL) {
        (void)snprintf(error, SERVER_ERROR_MAX, "%.*s", SERVER_ERROR_MAX - 1, sentence);
        if (settings.psk.context != NULL)
            psk_file_unref(settings.psk.context);
    }
    return context;
}

static uint64_t state_of(struct server *server, const struct listener_options *options)
{
    struct tls_settings settings;
    struct own_paths own;
    fill_own_paths(server, &own);
    fill_settings(server, options, &own, &settings);
    return tls_settings_state(&settings);
}

static void log_tls(struct server *server, const struct listener *listener, const char *text)
{
    struct log_line line;
    char name[PATH_SIZE];
    listener_name(listener, name, sizeof(name));
    log_begin(&line, &server->log, LOG_TLS);
    log_text(&line, "listener", name);
    log_text(&line, "cause", text);
    log_end(&line);
}

// What is odd about a new context, and how long its certificate will do.
static void judge_context(struct server *server, struct listener *listener)
{
    char text[160];
    int64_t expires_at = tls_context_expires_at(listener->tls);
    int64_t days = certificate_days_left(expires_at, clock_wall_ms());
    listener->tls_judged_ms = clock_monotonic_ms();
    if (tls_context_warning(listener->tls)[0] != 0) {
        log_tls(server, listener, tls_context_warning(listener->tls));
    } else if (expires_at != 0 && days <= CERTIFICATE_DAYS_WARNED) {
        (void)snprintf(text, sizeof(text),
                       "its certificate expires in %lld days: a new one is taken on as soon as the "
                       "file changes",
                       (long long)days);
        log_tls(server, listener, text);
    }
}

void listener_note_tls(struct server *server, struct listener *listener)
{
    listener->tls_state = state_of(server, listener->options);
    if (listener->tls != NULL)
        judge_context(server, listener);
}

// Without a certificate of one's own there is still TLS; that it cannot be made (a read-only disk)
// must not keep a broker from starting that was not asked for it.
static void ensure_own(struct server *server)
{
    struct own_paths own;
    struct certificate_facts facts;
    char sentence[TLS_ERROR_SIZE];
    fill_own_paths(server, &own);
    int result = file_make_directory(server->options.data);
    if (result == 0)
        result = certificate_ensure(own.directory, clock_wall_ms(), sentence);
    else
        (void)snprintf(sentence, sizeof(sentence), "%s: %s", server->options.data,
                       strerror(-result));
    if (result >= 0 && certificate_read(own.certificate, &facts, sentence) == 0) {
        memcpy(server->fingerprint, facts.fingerprint, sizeof(facts.fingerprint));
        return;
    }
    struct log_line line;
    log_begin(&line, &server->log, LOG_TLS);
    log_text(&line, "cause", sentence);
    log_end(&line);
}

static void start_tickets(struct server *server)
{
    char path[PATH_SIZE] = "";
    int error;
    if (server->options.persistence != 0 && server->options.data[0] != 0) {
        (void)snprintf(path, sizeof(path), "%s/tls", server->options.data);
        if (file_make_directory(path) == 0)
            (void)snprintf(path, sizeof(path), "%s/tls/tickets", server->options.data);
        else
            path[0] = 0;
    }
    server->ticket_keys = ticket_keys_new(path, clock_wall_ms(), &error);
    if (error < 0) {
        struct log_line line;
        log_begin(&line, &server->log, LOG_TLS);
        log_text(&line, "cause",
                 "keys of session tickets cannot be kept: clients start anew after a restart");
        log_text(&line, "error", strerror(-error));
        log_end(&line);
    }
}

// Where TLS was not asked for, it is no reason not to start.
static bool is_asked_for(const struct listener_options *options)
{
    return options->tls == LISTENER_TLS_ONLY || options->certfile[0] != 0 ||
           options->psk_hint[0] != 0;
}

int listeners_start_tls(struct server *server, char *error)
{
    bool any = false, own = false;
    for (struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        any = any || speaks_tls(server, listener->options);
        own = own || may_have_own(server, listener->options);
    }
    if (own)
        ensure_own(server);
    if (any)
        start_tickets(server);
    for (struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        listener->tls = listener_tls_new(server, listener->options, error);
        listener_note_tls(server, listener);
        if (listener->tls == NULL && error[0] != 0 && is_asked_for(listener->options))
            return -EINVAL;
    }
    return 0;
}

void listeners_stop_tls(struct server *server)
{
    for (struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        tls_context_unref(listener->tls);
        listener->tls = NULL;
    }
    ticket_keys_unref(server->ticket_keys);
    server->ticket_keys = NULL;
}

struct swap {
    struct listener *listener;
    struct tls_context *context;
};

static void swap(void *context)
{
    struct swap *swap = context;
    struct tls_context *before = swap->listener->tls;
    swap->listener->tls = swap->context;
    swap->context = before;
}

static void look_at(struct server *server, struct listener *listener)
{
    char error[SERVER_ERROR_MAX];
    uint64_t state = state_of(server, listener->options);
    if (state != listener->tls_state) {
        listener->tls_state = state;
        struct swap change = {listener, listener_tls_new(server, listener->options, error)};
        if (change.context == NULL) {
            log_tls(server, listener, error);
            return;
        }
        server_at_standstill(server, swap, &change);
        tls_context_unref(change.context);
        log_tls(server, listener, "its certificate file has changed, and is used from now on");
        judge_context(server, listener);
    } else if (clock_monotonic_ms() - listener->tls_judged_ms >= DAY_MS) {
        judge_context(server, listener);
    }
}

static void look(struct file_watch *watch, struct server *server)
{
    (void)watch;
    for (struct listener *listener = server->listeners; listener != NULL; listener = listener->next)
        if (listener->tls != NULL && listener->fd >= 0)
            look_at(server, listener);
    if (server->ticket_keys != NULL)
        (void)ticket_keys_rotate(server->ticket_keys, clock_wall_ms()); // at worst no longer kept
}

void listeners_watch_tls(struct server *server)
{
    server->tls_watch.look = look;
    if (server->ticket_keys != NULL)
        server_add_watch(server, &server->tls_watch);
}
