// SPDX-License-Identifier: MIT
// `bud acl`: why may somebody read or write something, or not? Asks the very rules that the broker
// asks, and says which of them decided, in which file, on which line. And looks a file through.
#include "access/acl_file.h"
#include "cmd/cmd.h"
#include "proto/topic.h"
#include "server/config.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_ALLOWED = 0, EXIT_DENIED = 1, EXIT_UNKNOWN = 2 };

struct arguments {
    const char *verb;
    const char *words[3]; // user, way, topic; or the file
    int count;
    const char *config, *acl_file, *client_id;
};

struct question {
    struct acl_subject subject;
    struct bytes topic; // without `$share/group/`
    bool is_write;
};

static void print_help(FILE *stream)
{
    fputs(
        "usage: bud acl explain USER publish|subscribe TOPIC [-c FILE | --acl-file FILE]\n"
        "                       [--client-id ID]\n"
        "       bud acl check FILE\n\n"
        "May this user do that, and which rule says so? A USER of `-` is a client without a user\n"
        "name. The status is 0 if it is allowed, 1 if not, 2 if that cannot be told.\n\n"
        "  -c, --config FILE  the rules of this configuration's listeners\n"
        "  --acl-file FILE    the rules of this file\n"
        "  --client-id ID     what %c stands for\n"
        "  check              every line of an ACL file that is wrong or strange\n",
        stream);
}

static int misunderstood(const char *what, const char *argument)
{
    fprintf(stderr, "bud acl: %s%s (`bud acl --help` explains)\n", what, argument);
    return EXIT_USAGE;
}

static struct bytes text_of(const char *text)
{
    return bytes_make(text, strlen(text));
}

// A file's text on a terminal: what the terminal would obey is left out.
static void print_text(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        putchar(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
}

// ---- explain ----

static void print_rule(const struct acl_rule *rule)
{
    static const char *const words[] = {"", "read ", "write ", "readwrite "};
    printf("%s %s", rule->is_pattern ? "pattern" : "topic",
           rule->is_deny ? "deny " : words[rule->access & ACL_READ_WRITE]);
    print_text(rule->filter);
}

static void print_reason(const struct acl *acl, const struct acl_reason *why)
{
    switch (why->cause) {
    case ACL_BY_RULE:
        printf("  %s, line %u: ", acl->name, (unsigned)why->rule->line);
        print_rule(why->rule);
        putchar('\n');
        return;
    case ACL_BY_NAME:
        printf("  '+' or '#' is in the user's name or in the client id, and there are patterns in "
               "%s: such names get nothing from them\n",
               acl->name);
        return;
    case ACL_NO_SECTION:
        printf("  %s has no rules for it, and no patterns: what no rule gives is denied\n",
               acl->name);
        return;
    case ACL_NO_RULE:
        printf("  no rule of %s gives it: what no rule gives is denied\n", acl->name);
        return;
    }
}

static void print_answer(const struct question *question, bool allowed)
{
    if (question->subject.has_user)
        print_text(question->subject.user);
    else
        printf("a client without a user name");
    printf(" %s %s '", allowed ? "may" : "may NOT", question->is_write ? "publish to" : "read");
    print_text(question->topic);
    printf("'\n");
}

static bool has_wildcard(struct bytes topic)
{
    return memchr(topic.data, '+', topic.size) != NULL ||
           memchr(topic.data, '#', topic.size) != NULL;
}

static void print_notes(const struct question *question, const struct acl_reason *why, bool allowed)
{
    bool is_sure = why->rule != NULL && !acl_names_client(why->rule->filter);
    if (!question->is_write && allowed && has_wildcard(question->topic))
        printf("  some of it at least: each message is looked at again before it is sent\n");
    if (question->subject.client_id.size == 0 && !is_sure)
        printf("  %%c stood for nothing: --client-id says what it stands for\n");
}

static bool explain_by(const struct acl *acl, const struct question *question)
{
    struct acl_reason why;
    bool allowed = question->is_write
                       ? acl_check(acl, &question->subject, ACL_WRITE, question->topic, &why)
                       : acl_may_subscribe(acl, &question->subject, question->topic, &why);
    print_answer(question, allowed);
    print_reason(acl, &why);
    if (acl->patterns->count > 0)
        print_notes(question, &why, allowed);
    return allowed;
}

// What holds before any rule is asked.
static bool is_the_brokers(const struct question *question)
{
    struct bytes topic = question->topic;
    bool is_system = topic.size >= 4 && memcmp(topic.data, "$SYS", 4) == 0 &&
                     (topic.size == 4 || topic.data[4] == '/');
    if (!question->is_write || !is_system ||
        topic_matches(BYTES_OF("$SYS/broker/connection/+/state"), topic))
        return false;
    print_answer(question, false);
    printf("  $SYS is the broker's own: no rule can give it, but "
           "$SYS/broker/connection/+/state\n");
    return true;
}

static int explain_by_file(const char *path, const struct question *question)
{
    char error[ACCESS_ERROR_MAX];
    struct acl *acl;
    if (acl_file_read(path, NULL, &acl, error) < 0) {
        fprintf(stderr, "bud acl: %s\n", error);
        return EXIT_UNKNOWN;
    }
    bool allowed = explain_by(acl, question);
    acl_unref(acl);
    return allowed ? EXIT_ALLOWED : EXIT_DENIED;
}

static int explain_for_listener(const struct listener_options *listener,
                                const struct question *question)
{
    if (listener->acl_file[0] != 0)
        return explain_by_file(listener->acl_file, question);
    print_answer(question, true);
    printf("  there is no acl_file: everything is allowed\n");
    return EXIT_ALLOWED;
}

static void print_listener(const struct listener_options *listener)
{
    if (listener->path[0] != 0)
        printf("listener %s: ", listener->path);
    else
        printf("listener %u %s: ", (unsigned)listener->port, listener->address);
}

static int explain_by_options(const struct options *options, const struct question *question)
{
    if (options->listener_count == 0) {
        struct listener_options bare;
        options_fill_listener(options, &bare);
        return explain_for_listener(&bare, question);
    }
    if (!options->per_listener_settings)
        return explain_for_listener(&options->listeners[0], question);
    int worst = EXIT_ALLOWED;
    for (uint32_t i = 0; i < options->listener_count; i++) {
        print_listener(&options->listeners[i]);
        int status = explain_for_listener(&options->listeners[i], question);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int explain_by_config(const char *path, const struct question *question)
{
    struct config *config = config_new();
    int status = EXIT_UNKNOWN;
    if (config_read(config, path) == 0) {
        status = explain_by_options(config_options(config), question);
    } else {
        fprintf(stderr, "bud acl: %s cannot be used:\n", path);
        for (const struct complaint *complaint = config_complaints(config); complaint != NULL;
             complaint = complaint->next)
            if (complaint->kind == COMPLAINT_ERROR)
                fprintf(stderr, "%s:%u: %s\n", complaint->file, (unsigned)complaint->line,
                        complaint->text);
    }
    config_free(config);
    return status;
}

static int explain(const struct arguments *arguments)
{
    const char *user = arguments->words[0], *way = arguments->words[1];
    struct question question = {.topic = text_of(arguments->words[2])};
    struct bytes group;
    question.is_write = strcmp(way, "publish") == 0;
    if (!question.is_write && strcmp(way, "subscribe") != 0)
        return misunderstood("it is publish or subscribe, not ", way);
    if (!question.is_write)
        (void)topic_share_parse(question.topic, &group, &question.topic);
    if (question.is_write ? !topic_name_valid(question.topic) : !topic_filter_valid(question.topic))
        return misunderstood(question.is_write ? "this is no topic: " : "this is no topic filter: ",
                             arguments->words[2]);
    question.subject = (struct acl_subject){
        .client_id = text_of(arguments->client_id),
        .user = text_of(user),
        .has_user = strcmp(user, "-") != 0 && user[0] != 0,
    };
    if (is_the_brokers(&question))
        return EXIT_DENIED;
    if (arguments->acl_file != NULL)
        return explain_by_file(arguments->acl_file, &question);
    return explain_by_config(arguments->config, &question);
}

// ---- check ----

struct findings {
    const char *path;
    unsigned errors, warnings;
};

static void print_finding(void *context, uint32_t line, bool is_error, const char *what)
{
    struct findings *findings = context;
    findings->errors += is_error;
    findings->warnings += !is_error;
    if (line == 0)
        printf("%s: %s: %s\n", findings->path, is_error ? "error" : "warning", what);
    else
        printf("%s:%u: %s: %s\n", findings->path, (unsigned)line, is_error ? "error" : "warning",
               what);
}

static int check(const char *path)
{
    char error[ACCESS_ERROR_MAX];
    struct findings findings = {.path = path};
    struct acl_listener listener = {&findings, print_finding};
    struct acl *acl = NULL;
    int result = acl_file_read(path, &listener, &acl, error);
    acl_unref(acl);
    if (result < 0 && findings.errors == 0) {
        fprintf(stderr, "bud acl: %s\n", error);
        return EXIT_UNKNOWN;
    }
    printf("%s: %u errors, %u warnings%s\n", path, findings.errors, findings.warnings,
           findings.errors > 0 ? ": the broker would not take it" : "");
    return findings.errors > 0 ? EXIT_FAILED : EXIT_DONE;
}

// ---- arguments ----

static const char **place_of(struct arguments *arguments, const char *option)
{
    if (strcmp(option, "-c") == 0 || strcmp(option, "--config") == 0)
        return &arguments->config;
    if (strcmp(option, "--acl-file") == 0)
        return &arguments->acl_file;
    return strcmp(option, "--client-id") == 0 ? &arguments->client_id : NULL;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] == '-' && argument[1] != 0) {
            const char **place = place_of(arguments, argument);
            if (place == NULL)
                return misunderstood("there is no option ", argument);
            if (++i == argc)
                return misunderstood("a value is missing behind ", argument);
            *place = argv[i];
        } else if (arguments->verb == NULL) {
            arguments->verb = argument;
        } else if (arguments->count < 3) {
            arguments->words[arguments->count++] = argument;
        } else {
            return misunderstood("one word too many: ", argument);
        }
    }
    return EXIT_DONE;
}

int cmd_acl(int argc, char **argv)
{
    struct arguments arguments = {.client_id = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(stdout);
            return EXIT_DONE;
        }
    }
    int status = parse(&arguments, argc, argv);
    if (status != EXIT_DONE)
        return status;
    const char *verb = arguments.verb == NULL ? "" : arguments.verb;
    if (strcmp(verb, "check") == 0 && arguments.count == 1)
        return check(arguments.words[0]);
    if (strcmp(verb, "explain") != 0 || arguments.count != 3)
        return misunderstood("explain USER publish|subscribe TOPIC, or check FILE", "");
    if ((arguments.config == NULL) == (arguments.acl_file == NULL))
        return misunderstood("either -c or --acl-file says whose rules", "");
    return explain(&arguments);
}
