// SPDX-License-Identifier: MIT
// Every failure says what happened and what to do about it. The broker's own words (Reason String)
// are shown too, but only their printable part: they are the one thing here that a stranger wrote.
#include "cmd/connection_words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512

void connection_complain(const struct connection *connection, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", connection->program, line);
}

// "10.0.0.7:1883", "[::1]:1883"
static const char *place_of(const struct connection *connection, char *text, size_t size)
{
    bool is_v6 = strchr(connection->host, ':') != NULL;

    snprintf(text, size, is_v6 ? "[%s]:%u" : "%s:%u", connection->host, connection->port);
    return text;
}

void connection_complain_unreached(const struct connection *connection, int error)
{
    char place[300];

    place_of(connection, place, sizeof(place));
    switch (-error) {
    case ECONNREFUSED:
        connection_complain(connection,
                            "cannot connect to %s: connection refused. Is the broker running? "
                            "Start it with: bud serve",
                            place);
        break;
    case ENOENT:
        connection_complain(connection,
                            "cannot connect to %s: the name does not resolve. Check its spelling, "
                            "or give an address with -h",
                            place);
        break;
    case ETIMEDOUT:
        connection_complain(connection,
                            "cannot connect to %s: no answer. Is the address right, and no "
                            "firewall in between?",
                            place);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
        connection_complain(connection,
                            "cannot connect to %s: there is no way to it. Is this machine on that "
                            "network?",
                            place);
        break;
    default: connection_complain(connection, "cannot connect to %s: %s", place, strerror(-error));
    }
}

// " (their words)", or nothing.
static const char *own_words(const struct connection *connection, char *text, size_t size)
{
    const char *words = connection->client.reason_string;

    snprintf(text, size, words[0] ? " (%s)" : "%s", words);
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
    }
    return text;
}

static const char *remedy_for(enum bud_reason reason)
{
    switch ((unsigned)reason) {
    case BUD_BAD_USER_NAME_OR_PASSWORD:
    case BUD_NOT_AUTHORIZED:
        return ". Give a user with -u and the password in the environment: BUD_PASSWORD";
    case BUD_UNSUPPORTED_PROTOCOL_VERSION: return ". Try another version: -V 3.1.1";
    case BUD_CLIENT_IDENTIFIER_NOT_VALID: return ". Choose another identifier with -i";
    case BUD_SERVER_BUSY:
    case BUD_SERVER_UNAVAILABLE:
    case BUD_CONNECTION_RATE_EXCEEDED: return ". Try again later";
    default: return "";
    }
}

void connection_complain_refused(const struct connection *connection, struct client_status status)
{
    char place[300], words[160];

    place_of(connection, place, sizeof(place));
    if (status.error == 0)
        connection_complain(connection, "%s refused the connection: %s%s%s", place,
                            bud_reason_text(status.reason),
                            own_words(connection, words, sizeof(words)), remedy_for(status.reason));
    else if (status.error == -ETIMEDOUT)
        connection_complain(connection,
                            "%s did not answer within %d s. Is that an MQTT broker, and not TLS?",
                            place, connection->timeout_ms / 1000);
    else if (status.error == -ECONNRESET)
        connection_complain(connection,
                            "%s closed the connection without an answer. Does it speak this "
                            "version? Try: -V 3.1.1",
                            place);
    else if (status.error == -EPROTO)
        connection_complain(connection, "what %s answered is not MQTT (%s). Is that a broker?",
                            place, bud_reason_text(status.reason));
    else
        connection_complain(connection, "the connection to %s failed: %s", place,
                            strerror(-status.error));
}

void connection_complain_lost(const struct connection *connection, struct client_status status)
{
    char place[300], words[160];

    place_of(connection, place, sizeof(place));
    own_words(connection, words, sizeof(words));
    if (status.error == -EPROTO)
        connection_complain(connection, "%s broke the protocol, so the connection was closed: %s",
                            place, bud_reason_text(status.reason));
    else if (status.reason != BUD_SUCCESS)
        connection_complain(connection, "%s closed the connection: %s%s", place,
                            bud_reason_text(status.reason), words);
    else if (status.error == -ECONNRESET || status.error == -EPIPE)
        connection_complain(connection,
                            "%s closed the connection without a word. Its log may say why", place);
    else if (status.error == -ETIMEDOUT)
        connection_complain(connection, "%s no longer answers", place);
    else
        connection_complain(connection, "the connection to %s was lost: %s", place,
                            strerror(-status.error));
}
