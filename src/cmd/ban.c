// SPDX-License-Identifier: MIT
// `bud ban list|lift`: who is banned from a running broker for wrong passwords, and no longer.
#include "cmd/cmd.h"
#include "cmd/owner.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct words {
    const char *verb, *address, *directory;
};

static int help(void)
{
    fputs("usage: bud ban list [--data DIRECTORY]\n"
          "       bud ban lift ADDRESS|all [--data DIRECTORY]\n\n"
          "Who has sent too many wrong passwords is banned for a while (see `bud serve --help`,\n"
          "ban_failures): an address (of IPv6 its network of 64 bits), or one user from there.\n\n"
          "  list              who is banned now, and for how long\n"
          "  lift              ends it, and forgets the wrong passwords\n"
          "  --data DIRECTORY  of the running broker, as for `bud serve`\n",
          stdout);
    return EXIT_DONE;
}

static int misunderstood(const char *what, const char *argument)
{
    fprintf(stderr, "bud ban: %s%s (`bud ban --help` explains)\n", what, argument);
    return EXIT_USAGE;
}

static int fail(const char *why)
{
    fprintf(stderr, "bud ban: %s\n", why);
    return EXIT_FAILED;
}

static void print_time(json_int_t seconds)
{
    if (seconds >= 3600)
        printf("%" PRId64 " h %" PRId64 " min", (int64_t)seconds / 3600,
               (int64_t)seconds % 3600 / 60);
    else if (seconds >= 60)
        printf("%" PRId64 " min %" PRId64 " s", (int64_t)seconds / 60, (int64_t)seconds % 60);
    else
        printf("%" PRId64 " s", (int64_t)seconds);
}

// A user's name is what an attacker chose: shown as JSON writes it, in ASCII.
static void print_user(const json_t *user)
{
    char text[1024];
    size_t size = json_dumpb(user, text, sizeof(text), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    printf("  user %.*s", (int)(size < sizeof(text) ? size : sizeof(text)), text);
}

static void print_ban(const json_t *ban)
{
    const char *address = json_string_value(json_object_get(ban, "address"));
    const json_t *user = json_object_get(ban, "user");
    printf("%-39s  ", address == NULL ? "?" : address);
    print_time(json_integer_value(json_object_get(ban, "seconds_left")));
    printf(" left");
    if (json_is_string(user))
        print_user(user);
    putchar('\n');
}

static int list(const struct words *words)
{
    char error[OWNER_ERROR_MAX];
    struct buffer body = {0};
    size_t index;
    const json_t *ban;
    int status = owner_ask(words->directory, "GET", "/api/v1/bans", &body, error);
    if (status < 0)
        return fail(error);
    json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
    const json_t *bans = json_object_get(json, "bans");
    buffer_done(&body);
    if (status != 200 || !json_is_array(bans)) {
        json_decref(json);
        return fail("the broker's answer is not understood");
    }
    json_array_foreach(bans, index, ban)
    {
        print_ban(ban);
    }
    if (json_array_size(bans) == 0)
        puts("Nobody is banned.");
    json_decref(json);
    return EXIT_DONE;
}

static int lift(const struct words *words)
{
    char error[OWNER_ERROR_MAX], path[1024] = "/api/v1/bans";
    struct buffer body = {0};
    if (strlen(words->address) > 100)
        return fail("that is no address");
    if (strcmp(words->address, "all") != 0) {
        size_t size = strlen(path);
        path[size++] = '/';
        owner_encode(words->address, path + size, sizeof(path) - size);
    }
    int status = owner_ask(words->directory, "DELETE", path, &body, error);
    if (status < 0)
        return fail(error);
    json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
    json_int_t count = json_integer_value(json_object_get(json, "lifted"));
    json_decref(json);
    buffer_done(&body);
    if (status == 400)
        return fail("that is no address: 192.0.2.7 or 2001:db8::/64, or all");
    if (status == 404)
        return fail("this address is not banned (`bud ban list` shows who is)");
    if (status != 200)
        return fail("the broker's answer is not understood");
    printf("%" PRId64 " ban%s lifted.\n", (int64_t)count, count == 1 ? "" : "s");
    return EXIT_DONE;
}

static int parse(struct words *words, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0) {
            if (++i == argc)
                return misunderstood("a directory is missing behind --data", "");
            words->directory = argv[i];
        } else if (strncmp(argv[i], "--data=", 7) == 0)
            words->directory = argv[i] + 7;
        else if (argv[i][0] == '-')
            return misunderstood("there is no option ", argv[i]);
        else if (words->verb == NULL)
            words->verb = argv[i];
        else if (words->address == NULL)
            words->address = argv[i];
        else
            return misunderstood("what is ", argv[i]);
    }
    return EXIT_DONE;
}

int cmd_ban(int argc, char **argv)
{
    struct words words = {0};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
    int result = parse(&words, argc, argv);
    if (result != EXIT_DONE)
        return result;
    if (words.verb == NULL)
        return misunderstood("what shall be done? list or lift", "");
    if (strcmp(words.verb, "list") == 0)
        return words.address != NULL ? misunderstood("what is ", words.address) : list(&words);
    if (strcmp(words.verb, "lift") != 0)
        return misunderstood("list or lift, not ", words.verb);
    return words.address == NULL ? misunderstood("which address? Or all", "") : lift(&words);
}
