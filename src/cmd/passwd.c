// SPDX-License-Identifier: MIT
// `bud passwd`: mosquitto_passwd's flags, messages and exit statuses on the same files; only that
// hashes are argon2id unless told otherwise. The file is replaced as a whole, and keeps its mode
// and owner.
#include "access/password_file.h"
#include "access/password_text.h"
#include "access/secret.h"
#include "cmd/cmd.h"
#include "cmd/password_prompt.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    bool create, remove, upgrade, batch;
    enum password_scheme scheme;
    uint32_t iterations;
    const char *file, *user, *password;
};

static void print_help(FILE *stream)
{
    fputs("usage: bud passwd [-H HASH] [-c | -D] FILE USER\n"
          "       bud passwd [-H HASH] [-c] -b FILE USER PASSWORD\n"
          "       bud passwd [-H HASH] -U FILE\n\n"
          "Password files as Mosquitto has them; the same as mosquitto_passwd.\n\n"
          "  -b        the password is the last argument (others can see it in the list of\n"
          "            processes)\n"
          "  -c        make a new file, in place of one that is there; '-': write to standard "
          "output\n"
          "  -D        delete the user\n"
          "  -H HASH   argon2id (which Mosquitto reads from 2.1 on), sha512-pbkdf2, sha512\n"
          "  -I COUNT  iterations of sha512-pbkdf2\n"
          "  -U        hash the passwords that stand in the file as plain text\n",
          stream);
}

static int fail(const char *text)
{
    fprintf(stderr, "Error: %s\n", text);
    return EXIT_FAILED;
}

static int fail_file(const char *what, const char *path, int error)
{
    fprintf(stderr, "Error: Unable to %s password file %s. %s.\n", what, path, strerror(-error));
    return EXIT_FAILED;
}

static bool choose_scheme(struct arguments *arguments, const char *name)
{
    static const char *const names[] = {[PASSWORD_SHA512] = "sha512",
                                        [PASSWORD_PBKDF2] = "sha512-pbkdf2",
                                        [PASSWORD_ARGON2ID] = "argon2id"};
    for (int i = 0; name != NULL && i < 3; i++) {
        if (strcmp(names[i], name) == 0) {
            arguments->scheme = (enum password_scheme)i;
            return true;
        }
    }
    return false;
}

static bool choose_iterations(struct arguments *arguments, const char *text)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    unsigned long number = strtoul(text, &end, 10);
    arguments->iterations = (uint32_t)number;
    return *end == 0 && number > 0 && number <= PASSWORD_ITERATIONS_MAX;
}

// 0 goes on, otherwise the exit status. *next is then the first argument that is no flag.
static int parse_flag(struct arguments *arguments, char **argv, int *next)
{
    const char *flag = argv[(*next)++];
    if (strcmp(flag, "-b") == 0)
        arguments->batch = true;
    else if (strcmp(flag, "-c") == 0)
        arguments->create = true;
    else if (strcmp(flag, "-D") == 0)
        arguments->remove = true;
    else if (strcmp(flag, "-U") == 0)
        arguments->upgrade = true;
    else if (strcmp(flag, "-H") == 0) {
        if (!choose_scheme(arguments, argv[(*next)]))
            return fail("-H wants argon2id, sha512-pbkdf2 or sha512.");
        (*next)++;
    } else if (strcmp(flag, "-I") == 0) {
        if (!choose_iterations(arguments, argv[(*next)]))
            return fail("-I wants a number of iterations, 1 to 10000000.");
        (*next)++;
    } else {
        fprintf(stderr, "Error: there is no option '%s'.\n\n", flag);
        print_help(stderr);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int check_flags(const struct arguments *arguments)
{
    if (arguments->create && arguments->remove)
        return fail("-c and -D cannot be used together.");
    if (arguments->create && arguments->upgrade)
        return fail("-c and -U cannot be used together.");
    if (arguments->batch && arguments->remove)
        return fail("-b and -D cannot be used together.");
    if (arguments->upgrade && arguments->remove)
        return fail("-U and -D cannot be used together.");
    if (arguments->batch && arguments->upgrade)
        return fail("-b and -U cannot be used together.");
    return EXIT_DONE;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    int next = 1;
    *arguments = (struct arguments){.scheme = PASSWORD_ARGON2ID};
    while (next < argc && argv[next][0] == '-' && argv[next][1] != 0) {
        int result = parse_flag(arguments, argv, &next);
        if (result != EXIT_DONE)
            return result;
    }
    int result = check_flags(arguments);
    if (result != EXIT_DONE)
        return result;
    if (argc - next != (arguments->upgrade ? 1 : arguments->batch ? 3 : 2)) {
        print_help(stderr);
        return EXIT_FAILED;
    }
    arguments->file = argv[next];
    arguments->user = argv[next + 1]; // NULL with -U
    arguments->password = arguments->batch ? argv[next + 2] : NULL;
    return EXIT_DONE;
}

static bool make_hash(const struct arguments *arguments, struct bytes password, char *text)
{
    struct password_hash hash;
    if (password_hash_make(arguments->scheme, arguments->iterations, password, &hash) < 0) {
        fail("no memory to hash the password.");
        return false;
    }
    password_hash_write(&hash, text);
    return true;
}

static bool read_password(const struct arguments *arguments, char *hash)
{
    if (arguments->batch)
        return make_hash(arguments, bytes_make(arguments->password, strlen(arguments->password)),
                         hash);
    struct password password;
    bool ok =
        password_prompt_twice(&password) && make_hash(arguments, password_bytes(&password), hash);
    secret_wipe(&password, sizeof(password));
    return ok;
}

// The file's text, or none for a new one.
static int read_text(const struct arguments *arguments, struct file_contents *contents)
{
    *contents = (struct file_contents){0};
    if (arguments->create)
        return EXIT_DONE;
    int result = file_read_contents(arguments->file, true, SECRET_FILE_SIZE_MAX, contents);
    return result < 0 ? fail_file("open", arguments->file, result) : EXIT_DONE;
}

static int write_text(const struct arguments *arguments, const struct buffer *out)
{
    int result = file_replace(arguments->file, out->data, out->size, 0600);
    return result < 0 ? fail_file("write", arguments->file, result) : EXIT_DONE;
}

static int set_user(const struct arguments *arguments, struct bytes text)
{
    char hash[PASSWORD_HASH_TEXT_MAX];
    struct buffer out = {0};
    bool was_there;
    if (!read_password(arguments, hash))
        return EXIT_FAILED;
    if (arguments->create && strcmp(arguments->file, "-") == 0)
        return printf("%s:%s\n", arguments->user, hash) > 0 ? EXIT_DONE : EXIT_FAILED;
    if (!password_text_set(text, bytes_make(arguments->user, strlen(arguments->user)),
                           bytes_make(hash, strlen(hash)), &out, &was_there))
        return fail("no memory.");
    printf("%s password for user %s\n", was_there ? "Updating" : "Adding", arguments->user);
    int result = write_text(arguments, &out);
    buffer_done(&out);
    return result;
}

static int remove_user(const struct arguments *arguments, struct bytes text)
{
    struct buffer out = {0};
    bool was_there;
    if (!password_text_remove(text, bytes_make(arguments->user, strlen(arguments->user)), &out,
                              &was_there))
        return fail("no memory.");
    int result = was_there ? write_text(arguments, &out) : EXIT_FAILED;
    if (!was_there)
        fprintf(stderr, "Warning: User %s not found in password file.\n", arguments->user);
    buffer_done(&out);
    return result;
}

static bool looks_hashed(struct bytes text)
{
    static const char *const prefixes[] = {"$6$", "$7$", "$argon2id$"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t size = strlen(prefixes[i]);
        if (text.size >= size && memcmp(text.data, prefixes[i], size) == 0)
            return true;
    }
    return false;
}

static bool append_line(struct buffer *out, struct bytes line)
{
    return (line.size == 0 || buffer_try_append(out, line, SECRET_FILE_SIZE_MAX)) &&
           buffer_try_append(out, BYTES_OF("\n"), SECRET_FILE_SIZE_MAX);
}

// One line of a file whose passwords may be plain text.
static bool upgrade_line(const struct arguments *arguments, struct bytes line, struct buffer *out)
{
    char hash[PASSWORD_HASH_TEXT_MAX];
    struct bytes name, secret;
    if (!password_text_split(line, &name, &secret) || looks_hashed(secret))
        return append_line(out, line);
    return make_hash(arguments, secret, hash) &&
           buffer_try_append(out, name, SECRET_FILE_SIZE_MAX) &&
           buffer_try_append(out, BYTES_OF(":"), SECRET_FILE_SIZE_MAX) &&
           append_line(out, bytes_make(hash, strlen(hash)));
}

static int upgrade(const struct arguments *arguments, struct bytes text)
{
    struct buffer out = {0};
    struct bytes line, name, secret;
    unsigned number = 0;
    int result = EXIT_DONE;
    while (result == EXIT_DONE && text_next_line(&text, &line)) {
        number++;
        if (password_text_split(line, &name, &secret) && (name.size == 0 || secret.size == 0)) {
            fprintf(stderr, "Error: Corrupt password file at line %u: name or password is empty.\n",
                    number);
            result = EXIT_FAILED;
        } else if (!upgrade_line(arguments, line, &out))
            result = fail("no memory.");
    }
    if (result == EXIT_DONE)
        result = write_text(arguments, &out);
    secret_free(out.data, out.size);
    return result;
}

static int change_file(const struct arguments *arguments)
{
    struct file_contents contents;
    int lock = file_lock_directory_of(arguments->file); // without one it is done all the same
    int result = read_text(arguments, &contents);
    struct bytes text = bytes_make(contents.data, contents.size);
    if (result == EXIT_DONE)
        result = arguments->upgrade  ? upgrade(arguments, text)
                 : arguments->remove ? remove_user(arguments, text)
                                     : set_user(arguments, text);
    secret_file_done(&contents);
    file_unlock(lock);
    return result;
}

int cmd_passwd(int argc, char **argv)
{
    struct arguments arguments;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return EXIT_DONE;
    }
    int result = parse(&arguments, argc, argv);
    if (result != EXIT_DONE)
        return result;
    if (arguments.user != NULL) {
        const char *wrong =
            password_text_check_name(bytes_make(arguments.user, strlen(arguments.user)));
        if (wrong != NULL && !arguments.remove) {
            fprintf(stderr, "Error: Username %s.\n", wrong);
            return EXIT_FAILED;
        }
    }
    return change_file(&arguments);
}
