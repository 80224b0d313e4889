// SPDX-License-Identifier: MIT
// Log lines on standard error: a stable event, a sentence, key=value. As text for people, logfmt or
// JSON for programs. Whatever a client chose is escaped and cut at 256 bytes: one event is one
// line, whatever is in a name. Each event has its own rate limit, and what was left out is counted
// and said. Any thread may log.
#ifndef BUD_SERVER_LOG_H
#define BUD_SERVER_LOG_H

#include "base/lock.h"
#include "proto/bytes.h"
#include "server/options.h"

#include <stdatomic.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

// X(identifier, level, lines a second, the sentence)
// clang-format off
#define LOG_EVENTS(X)                                                                             \
    X(LISTENING, LOG_INFO, 100, "listening on")                                                   \
    X(STARTED, LOG_INFO, 100, "started")                                                          \
    X(CONFINED, LOG_DEBUG, 100, "confined")                                                       \
    X(STAYS_ROOT, LOG_INFO, 1,                                                                    \
      "runs as root, because of --user root: whoever breaks in is root, too")                     \
    X(STOPPING, LOG_INFO, 100, "stopping")                                                        \
    X(STOPPED, LOG_INFO, 100, "stopped")                                                          \
    X(CONNECTED, LOG_INFO, 1000, "client connected")                                              \
    X(DISCONNECTED, LOG_INFO, 1000, "client disconnected")                                        \
    X(REFUSED, LOG_WARNING, 20, "connection refused")                                             \
    X(CLOSED_EARLY, LOG_DEBUG, 20, "connection closed before CONNECT")                            \
    X(SUBSCRIBED, LOG_DEBUG, 20, "subscribed")                                                    \
    X(SUBSCRIBE_REFUSED, LOG_WARNING, 20, "subscription refused")                                 \
    X(PUBLISH_REFUSED, LOG_WARNING, 20, "message refused")                                        \
    X(DROPPED, LOG_WARNING, 20, "message not delivered")                                          \
    X(WITHHELD, LOG_DEBUG, 20, "message withheld")                                                \
    X(ACCESS_RULES, LOG_WARNING, 100, "access rules")                                             \
    X(STORE, LOG_WARNING, 100, "store")                                                           \
    X(LOADED, LOG_INFO, 100, "store opened")                                                      \
    X(SESSION_EXPIRED, LOG_INFO, 20, "session expired")                                           \
    X(DESCRIPTORS, LOG_WARNING, 1, "no file descriptors left, new connections wait")              \
    X(ACCEPT_FAILED, LOG_WARNING, 1, "cannot accept a connection")                                \
    X(MEMORY_SHORT, LOG_WARNING, 1,                                                               \
      "memory is short, new connections are refused and publishers slowed down")                  \
    X(MEMORY_SHED, LOG_WARNING, 20, "memory is short, closing a client to make room")             \
    X(TLS, LOG_WARNING, 20, "TLS")                                                                \
    X(OWNERS_SOCKET, LOG_DEBUG, 1, "no socket in the data directory for commands")                \
    X(BANNED, LOG_WARNING, 20, "too many wrong passwords, banned")                                \
    X(BAN_LIFTED, LOG_INFO, 20, "ban lifted")                                                     \
    X(SLOWED_DOWN, LOG_WARNING, 20, "client beyond its limit, read from more slowly")             \
    X(FIGHT, LOG_WARNING, 20, "two devices use the same client identifier")                       \
    X(CONFIGURATION, LOG_WARNING, 1000, "configuration")                                          \
    X(CHANGED, LOG_INFO, 1000, "option changed")                                                  \
    X(RELOADED, LOG_INFO, 1000, "configuration read again")                                       \
    X(RELOAD_REFUSED, LOG_ERROR, 1000, "configuration not read again, nothing has changed")       \
    X(USERS, LOG_INFO, 100, "users")                                                              \
    X(USERS_TROUBLE, LOG_WARNING, 100, "users")                                                   \
    X(SUPPRESSED, LOG_WARNING, 100, "log lines left out")
// clang-format on

enum log_event {
#define LOG_EVENT_NAME(name, level, rate, text) LOG_##name,
    LOG_EVENTS(LOG_EVENT_NAME)
#undef LOG_EVENT_NAME
        LOG_EVENT_COUNT
};

enum {
    LOG_TO_STDERR = 1,
    LOG_TO_STDOUT = 2,
    LOG_TO_SYSTEM = 4,
    LOG_TO_FILE = 8,
    LOG_TO_TOPIC = 16
};

// Gets each line that goes to LOG_TO_TOPIC, without its end; on any thread, and must not log.
typedef void log_on_line(void *context, enum log_event event, const char *text, size_t size);

#define LOG_TIME_FORMAT_MAX 128

// A reload changes it while others log.
struct log {
    struct lock lock;
    _Atomic int format;     // enum log_format
    _Atomic int level;      // enum log_level
    _Atomic uint64_t muted; // a bit for each event
    _Atomic unsigned outputs;
    _Atomic bool has_time;
    _Atomic int file;                      // -1: none yet
    char time_format[LOG_TIME_FORMAT_MAX]; // "": of the log format
    log_on_line *on_line;                  // NULL: none
    void *on_line_context;
    int64_t second; // of the counts below
    uint32_t lines[LOG_EVENT_COUNT];
    uint32_t suppressed[LOG_EVENT_COUNT];
};

#define LOG_LINE_MAX 4096
struct log_line {
    struct log *log;
    enum log_event event;
    bool wanted; // false: below the level or beyond the rate
    size_t size;
    char text[LOG_LINE_MAX];
};

void log_init(struct log *log, enum log_format format, enum log_level level);
void log_set_time(struct log *log, bool has_time, const char *format); // too long ones are cut
enum log_level log_event_level(enum log_event event);
void log_done(struct log *log);
void log_listen(struct log *log, log_on_line *on_line, void *context); // before and after threads

// A line is begun (with the event's sentence, or a fuller one), given its fields and ended: then it
// is written in one piece.
void log_begin(struct log_line *line, struct log *log, enum log_event event);
void log_begin_with(struct log_line *line, struct log *log, enum log_event event, const char *text);
void log_bytes(struct log_line *line, const char *key, struct bytes value); // escaped
void log_text(struct log_line *line, const char *key, const char *value);   // escaped
void log_number(struct log_line *line, const char *key, uint64_t value);
// Words that are no field: as they are, and escaped. For log_format mosquitto.
void log_word(struct log_line *line, const char *text);
void log_word_bytes(struct log_line *line, struct bytes value);
void log_end(struct log_line *line);

#endif
