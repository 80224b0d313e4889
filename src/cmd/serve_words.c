// SPDX-License-Identifier: MIT
#include "cmd/serve_words.h"

#include "os/net.h"
#include "server/listener.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLACES_MAX 1024
#define PLACE_MAX (NET_ADDRESS_TEXT_MAX + 108)

static bool knows_users(const struct server *server)
{
    for (const struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        const struct listener_options *options = listener->options;
        if (options->password_file[0] != 0 || options->use_identity_as_username ||
            options->use_subject_as_username)
            return true;
    }
    const struct options *options = &server->options;
    return options->auth_http_url[0] != 0 || options->jwt_key_file[0] != 0 ||
           options->jwt_jwks_file[0] != 0;
}

static void say_who_may_come(const struct server *server)
{
    switch ((enum anonymous_rule)server->options.allow_anonymous) {
    case ANONYMOUS_PRIVATE:
        fputs("Open to clients of this machine and of private networks; others are refused "
              "(--allow-anonymous true lets everybody in).\n",
              stderr);
        break;
    case ANONYMOUS_TRUE:
        fputs(server->options.local_only
                  ? "Open to this machine alone: the configuration has no listener.\n"
                  : "Open to everybody who can reach it.\n",
              stderr);
        break;
    case ANONYMOUS_FALSE:
        fputs(knows_users(server)
                  ? "Open to users who show who they are.\n"
                  : "Closed: anonymous clients are not allowed, and there are no users.\n",
              stderr);
        break;
    }
}

static void say_what_is_kept(const struct server *server)
{
    static const char *const promises[] = {
        [DURABILITY_COMMIT] = "What is acknowledged is on the disk",
        [DURABILITY_BATCH] = "What is acknowledged is on the disk; commits are gathered for a "
                             "while, to spare it (--durability commit answers sooner)",
        [DURABILITY_RELAXED] = "A power cut may lose what was acknowledged in the last second "
                               "(--durability commit loses nothing)",
    };
    if (server->options.persistence != 0)
        fprintf(stderr, "%s: %s.\n", promises[server->options.durability], server->options.data);
    else
        fputs("Nothing is kept on the disk (--persistence false).\n", stderr);
}

// All places, with commas between; what does not fit is left out.
static void list_places(const struct server *server, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (const struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        char place[PLACE_MAX];
        if (listener->is_owners)
            continue;
        listener_name(listener, place, sizeof(place));
        if (used + strlen(place) + 3 > size)
            break;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", place);
    }
}

static void log_places(struct server *server)
{
    for (const struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        char place[PLACE_MAX], message[PLACE_MAX + 32];
        struct log_line line;
        if (listener->is_owners)
            continue;
        listener_name(listener, place, sizeof(place));
        (void)snprintf(message, sizeof(message), "listening on %s", place);
        log_begin_with(&line, &server->log, LOG_LISTENING, message);
        log_text(&line, "address", place);
        log_number(&line, "workers", server->worker_count);
        log_end(&line);
    }
}

static void say_what_to_type(const struct server *server)
{
    struct net_address address;
    char flag[16] = "";
    if (net_local_address(server->listeners->fd, &address) < 0 || address.port == 0)
        return;
    if (address.port != 1883)
        (void)snprintf(flag, sizeof(flag), " -p %u", (unsigned)address.port);
    fprintf(stderr,
            "Try it:  bud sub%s 'hus/#'    and in another terminal:  bud pub%s "
            "hus/soverom/temperatur 23.4\n",
            flag, flag);
}

void serve_say_started(struct server *server)
{
    char places[PLACES_MAX];
    if (server->log.format != LOG_TEXT) {
        log_places(server);
        return;
    }
    list_places(server, places, sizeof(places));
    fprintf(stderr, "bud %s listening on %s: MQTT 3.1, 3.1.1 and 5.0, %" PRIu32 " worker%s.\n",
            BUD_VERSION, places, server->worker_count, server->worker_count == 1 ? "" : "s");
    say_who_may_come(server);
    say_what_is_kept(server);
    if (server->fingerprint[0] != 0)
        fprintf(stderr, "TLS and WebSocket on the same port; SHA-256 of the certificate: %s\n",
                server->fingerprint);
    say_what_to_type(server);
}
