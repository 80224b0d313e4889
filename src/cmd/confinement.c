// SPDX-License-Identifier: MIT
#include "cmd/confinement.h"

#include "os/privileges.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "server/option_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 512

// Begin so: files that bud makes in its data directory.
static const char *const our_files[] = {"store.", "bud.",  "lock",  "reading", "reserve",
                                        "tls",    "admin", "users", "bans",    NULL};

struct paths {
    size_t count;
    struct sandbox_path all[PATHS_MAX];
};

// The user of a bare start is ours if there is one; a configuration of Mosquitto's means theirs.
static int find_usual(const struct options *options, struct privileges_user *ret_user)
{
    static const char *const usual[] = {"bud", "mosquitto", "nobody"};
    size_t first = options->user[0] == 0 ? 0 : 1;
    int result = -ENOENT;
    for (size_t i = first; result < 0 && i < sizeof(usual) / sizeof(*usual); i++)
        result = privileges_find_user(usual[i], ret_user);
    return result;
}

static int find_user(const struct options *options, struct privileges_user *ret_user, char *error)
{
    const char *user = getenv("PUID"), *group = getenv("PGID");
    bool is_usual = options->user[0] == 0 || strcmp(options->user, "mosquitto") == 0;
    if (user != NULL && is_usual) {
        if (privileges_find_numbers(user, group, ret_user) == 0)
            return 0;
        (void)snprintf(error, SERVER_ERROR_MAX,
                       "PUID and PGID are to be the numbers of a user and a group");
        return -EINVAL;
    }
    int result =
        is_usual ? find_usual(options, ret_user) : privileges_find_user(options->user, ret_user);
    if (result == 0)
        return 0;
    const char *name = is_usual ? "bud" : options->user;
    if (result != -ENOENT)
        (void)snprintf(error, SERVER_ERROR_MAX, "cannot look up the user '%.64s' to run as: %s",
                       name, strerror(-result));
    else
        (void)snprintf(
            error, SERVER_ERROR_MAX,
            "there is no user '%.64s' to run as: make it (useradd --system %.64s), or stay "
            "root with --user root",
            name, name);
    return result;
}

static void say_debug(struct server *server, const char *what, const char *value)
{
    struct log_line line;
    log_begin(&line, &server->log, LOG_CONFINED);
    log_text(&line, what, value);
    log_end(&line);
}

void confinement_say_root(struct server *server)
{
    struct log_line line;
    if (!process_is_root())
        return;
    log_begin(&line, &server->log, LOG_STAYS_ROOT);
    log_end(&line);
}

static bool has_data(const struct options *options)
{
    return options->persistence != 0 && options->data[0] != 0;
}

static int become(struct server *server, const struct privileges_user *user, char *error)
{
    const struct options *options = &server->options;
    // What could not be handed over may be the user's already: whether it may write there is asked
    // below, as that user.
    if (has_data(options) && privileges_make_directory(options->data) == 0)
        (void)privileges_hand_over(options->data, our_files, user);
    int result = privileges_drop(user);
    if (result < 0)
        (void)snprintf(error, SERVER_ERROR_MAX,
                       "cannot become user '%s': %s. --user root stays root", user->name,
                       strerror(-result));
    else
        say_debug(server, "user", user->name);
    return result;
}

static int give_up_root(struct server *server, char *error)
{
    struct privileges_user user;
    if (!process_is_root())
        return 0;
    int result = find_user(&server->options, &user, error);
    if (result < 0)
        return result;
    return user.user != 0 ? become(server, &user, error) : 0;
}

static void add(struct paths *paths, const char *path, enum sandbox_right right)
{
    if (path == NULL || path[0] == 0 || paths->count == PATHS_MAX)
        return;
    paths->all[paths->count++] = (struct sandbox_path){.path = path, .right = right};
}

// What rows of the table name, in the options or in a listener's.
static void add_rows(struct paths *paths, const void *object, bool of_listener)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_listeners = rows[i].scope == SCOPE_LISTENER || rows[i].scope == SCOPE_SECURITY;
        if ((rows[i].flags & OPTION_READS) == 0 || is_listeners != of_listener)
            continue;
        const char *path;
        memcpy(&path, (const char *)object + rows[i].offset, sizeof(path));
        add(paths, path, SANDBOX_READ);
    }
}

// The data directory first.
static void gather(const struct options *options, struct paths *paths)
{
    if (has_data(options))
        add(paths, options->data, SANDBOX_WRITE);
    for (uint32_t i = 0; i < options->sources.count; i++)
        add(paths, options->sources.texts[i], SANDBOX_READ);
    add_rows(paths, options, false);
    for (uint32_t i = 0; i < options->listener_count; i++) {
        add_rows(paths, &options->listeners[i], true);
        // Made again on reload, removed at the end.
        add(paths, options->listeners[i].path, SANDBOX_WRITE);
    }
    for (uint32_t i = 0; i < options->log_destinations.count; i++)
        if (strncmp(options->log_destinations.texts[i], "file ", 5) == 0)
            add(paths, options->log_destinations.texts[i] + 5, SANDBOX_WRITE);
    add(paths, options->pid_file, SANDBOX_WRITE);
}

// Said now, with the remedy: each of them would fail later with less to say.
static int check_access(const struct server *server, const struct paths *paths, char *error)
{
    char why[PRIVILEGES_TEXT_MAX];
    for (size_t i = 0; i < paths->count; i++) {
        const struct sandbox_path *path = &paths->all[i];
        if (path->path == server->options.pid_file) // written already; it may stay behind
            continue;
        if (privileges_explain(path->path, path->right == SANDBOX_WRITE, why, sizeof(why))) {
            (void)snprintf(error, SERVER_ERROR_MAX, "%.600s", why);
            return -EACCES;
        }
    }
    return 0;
}

static const char *in_words(int result)
{
    switch (result) {
    case 0: return "on";
    case -ENOSYS:
    case -EOPNOTSUPP: return "this kernel has none";
    default: return strerror(-result);
    }
}

static void enter_sandbox(struct server *server, const struct paths *paths)
{
    if (server->options.sandbox == 0 || !sandbox_is_possible()) {
        say_debug(server, "sandbox", "off");
        return;
    }
    say_debug(server, "landlock", in_words(sandbox_restrict_files(paths->all, paths->count)));
    say_debug(server, "seccomp", in_words(sandbox_restrict_calls()));
}

int confinement_enter(struct server *server, char *error)
{
    static struct paths paths; // once for a process
    int result = give_up_root(server, error);
    if (result < 0)
        return result;
    privileges_lock_down();
    gather(&server->options, &paths);
    result = check_access(server, &paths, error);
    if (result == 0)
        enter_sandbox(server, &paths);
    return result;
}
