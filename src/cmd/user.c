// SPDX-License-Identifier: MIT
// `bud user`: the users of a broker of ours, in the file `users` of its data directory. Each is a
// line `name:hash:verifier` (access/password_file.h), the hash for a password in CONNECT and the
// verifier for SCRAM. A running broker sees a change within a second.
#include "access/password_file.h"
#include "access/password_text.h"
#include "access/secret.h"
#include "cmd/cmd.h"
#include "cmd/data_directory.h"
#include "cmd/password_prompt.h"
#include "os/file.h"
#include "os/terminal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct arguments {
    const char *verb, *name;
    bool from_input, made_up;
    char file[PATH_MAX];
};

static void print_help(FILE *stream)
{
    fputs("usage: bud user add NAME [--password-stdin | --generate] [--data DIRECTORY | -f FILE]\n"
          "       bud user del NAME [--data DIRECTORY | -f FILE]\n"
          "       bud user list [--data DIRECTORY | -f FILE]\n\n"
          "Who may come in by name and password. A running broker sees a change within a second,\n"
          "and closes the connections of a user who is gone or has a new password. As soon as\n"
          "there is a user, a name that is not known is refused.\n\n"
          "  add               a new user, or a new password for one; asks for it\n"
          "  --password-stdin  takes the password from the first line of standard input\n"
          "  --generate        makes one up and prints it, this once\n"
          "  --data DIRECTORY  as for `bud serve`\n"
          "  -f, --file FILE   another users file than DIRECTORY/users\n",
          stream);
}

static int misunderstood(const char *what, const char *argument)
{
    fprintf(stderr, "bud user: %s%s (`bud user --help` explains)\n", what, argument);
    return EXIT_USAGE;
}

static bool choose_file(struct arguments *arguments, const char *data, const char *file)
{
    char directory[PATH_MAX];
    int length;
    if (file != NULL)
        length = snprintf(arguments->file, PATH_MAX, "%s", file);
    else if (data != NULL)
        length = snprintf(arguments->file, PATH_MAX, "%s/users", data);
    else if (data_directory_default(directory, sizeof(directory) - 8))
        length = snprintf(arguments->file, PATH_MAX, "%s/users", directory);
    else
        return false;
    return length < PATH_MAX;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    const char *data = NULL, *file = NULL;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool is_data = strcmp(argument, "--data") == 0;
        if (is_data || strcmp(argument, "-f") == 0 || strcmp(argument, "--file") == 0) {
            if (++i == argc)
                return misunderstood("a value is missing behind ", argument);
            *(is_data ? &data : &file) = argv[i];
        } else if (strcmp(argument, "--password-stdin") == 0)
            arguments->from_input = true;
        else if (strcmp(argument, "--generate") == 0)
            arguments->made_up = true;
        else if (argument[0] == '-')
            return misunderstood("there is no option ", argument);
        else if (arguments->verb == NULL)
            arguments->verb = argument;
        else if (arguments->name == NULL)
            arguments->name = argument;
        else
            return misunderstood("what is ", argument);
    }
    if (!choose_file(arguments, data, file))
        return misunderstood("where are the users? Say it with --data DIRECTORY", "");
    return EXIT_DONE;
}

static int fail(const char *what, const char *path, int error)
{
    fprintf(stderr, "bud user: cannot %s %s: %s\n", what, path, strerror(-error));
    return EXIT_FAILED;
}

static bool get_password(const struct arguments *arguments, struct password *password)
{
    if (arguments->made_up)
        password_make_up(password);
    else if (arguments->from_input) {
        if (!password_prompt_line(password))
            return false;
        if (password->size == 0)
            fputs("bud user: the password is empty\n", stderr);
    } else if (terminal_is_there())
        return password_prompt_twice(password);
    else {
        fputs("bud user: there is nobody to ask for a password: give it with --password-stdin, or "
              "let one be made with --generate\n",
              stderr);
        return false;
    }
    return password->size > 0;
}

// `hash:verifier` of a password.
static bool make_secrets(const struct password *password, char *text)
{
    struct password_hash hash;
    struct scram_verifier verifier;
    if (password_hash_make(PASSWORD_ARGON2ID, 0, password_bytes(password), &hash) < 0) {
        fputs("bud user: no memory to hash the password\n", stderr);
        return false;
    }
    size_t size = password_hash_write(&hash, text);
    text[size++] = ':';
    scram_verifier_make(password_bytes(password), &verifier);
    scram_verifier_write(&verifier, text + size);
    secret_wipe(&verifier, sizeof(verifier));
    return true;
}

// The file's text, or none while there is no file.
static int read_text(const char *path, struct file_contents *contents)
{
    *contents = (struct file_contents){0};
    int result = file_read_contents(path, true, SECRET_FILE_SIZE_MAX, contents);
    if (result == -ENOENT)
        return EXIT_DONE;
    return result < 0 ? fail("read", path, result) : EXIT_DONE;
}

// With the old file read and nobody else at it: puts the new one in its place.
static int change(const char *path, struct bytes name, const char *secrets, bool *ret_was_there)
{
    struct file_contents contents;
    struct buffer out = {0};
    int result = read_text(path, &contents);
    if (result != EXIT_DONE)
        return result;
    struct bytes text = bytes_make(contents.data, contents.size);
    bool ok = secrets == NULL ? password_text_remove(text, name, &out, ret_was_there)
                              : password_text_set(text, name, bytes_make(secrets, strlen(secrets)),
                                                  &out, ret_was_there);
    if (!ok)
        result = fail("change", path, -ENOMEM);
    else if (secrets != NULL || *ret_was_there) {
        int error = file_replace(path, out.data, out.size, 0600);
        result = error < 0 ? fail("write", path, error) : EXIT_DONE;
    }
    buffer_done(&out);
    secret_file_done(&contents);
    return result;
}

static int make_directory_of(const char *path)
{
    char directory[PATH_MAX];
    (void)snprintf(directory, sizeof(directory), "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory)
        return EXIT_DONE;
    *slash = 0;
    int result = file_make_directory(directory);
    return result < 0 ? fail("make", directory, result) : EXIT_DONE;
}

static int change_alone(const struct arguments *arguments, const char *secrets, bool *ret_was_there)
{
    int lock = file_lock_directory_of(arguments->file);
    if (lock < 0 && lock != -ENOENT)
        return fail("lock the directory of", arguments->file, lock);
    int result = change(arguments->file, bytes_make(arguments->name, strlen(arguments->name)),
                        secrets, ret_was_there);
    file_unlock(lock);
    return result;
}

static int add(const struct arguments *arguments)
{
    char secrets[PASSWORD_HASH_TEXT_MAX + SCRAM_VERIFIER_TEXT_MAX];
    struct password password;
    bool was_there = false;
    if (make_directory_of(arguments->file) != EXIT_DONE)
        return EXIT_FAILED;
    int result = get_password(arguments, &password) && make_secrets(&password, secrets)
                     ? change_alone(arguments, secrets, &was_there)
                     : EXIT_FAILED;
    if (result == EXIT_DONE)
        printf(was_there ? "%s has a new password.\n" : "%s may come in.\n", arguments->name);
    if (result == EXIT_DONE && arguments->made_up)
        printf("The password, shown this once: %s\n", password.text);
    secret_wipe(&password, sizeof(password));
    return result;
}

static int remove_user(const struct arguments *arguments)
{
    bool was_there = false;
    int result = change_alone(arguments, NULL, &was_there);
    if (result != EXIT_DONE)
        return result;
    if (!was_there) {
        fprintf(stderr, "bud user: there is no user %s in %s\n", arguments->name, arguments->file);
        return EXIT_FAILED;
    }
    printf("%s is gone.\n", arguments->name);
    return EXIT_DONE;
}

static int list(const struct arguments *arguments)
{
    char error[ACCESS_ERROR_MAX];
    struct password_file *file;
    if (!file_exists(arguments->file)) {
        fprintf(stderr, "There are no users: %s is not there.\n", arguments->file);
        return EXIT_DONE;
    }
    if (password_file_read(arguments->file, PASSWORD_FILE_OF_USERS, &file, error) < 0) {
        fprintf(stderr, "bud user: %s\n", error);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < file->count; i++)
        printf("%.*s\n", (int)file->entries[i].name.size, (const char *)file->entries[i].name.data);
    password_file_unref(file);
    return EXIT_DONE;
}

static int run(const struct arguments *arguments)
{
    bool is_add = strcmp(arguments->verb, "add") == 0;
    if (strcmp(arguments->verb, "list") == 0)
        return arguments->name != NULL ? misunderstood("what is ", arguments->name)
                                       : list(arguments);
    if (!is_add && strcmp(arguments->verb, "del") != 0)
        return misunderstood("add, del or list, not ", arguments->verb);
    if (arguments->name == NULL)
        return misunderstood("who? A name is missing behind ", arguments->verb);
    const char *wrong =
        password_text_check_name(bytes_make(arguments->name, strlen(arguments->name)));
    if (wrong != NULL) {
        fprintf(stderr, "bud user: the name %s\n", wrong);
        return EXIT_FAILED;
    }
    return is_add ? add(arguments) : remove_user(arguments);
}

int cmd_user(int argc, char **argv)
{
    struct arguments arguments = {0};
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return EXIT_DONE;
    }
    int result = parse(&arguments, argc, argv);
    if (result != EXIT_DONE)
        return result;
    if (arguments.verb == NULL) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    return run(&arguments);
}
