// SPDX-License-Identifier: MIT
// Client id, user, topic, filter and an ACL file, with 0xFF bytes between them. The file is read
// and asked; a second reader, which goes through the text line by line for each question and puts
// names into filters as strings, must say the same. And a filter that is refused matches no topic
// that may be read.
#include "access/acl_file.h"
#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "proto/topic.h"

#include <string.h>

#define TEXT_MAX 70000

enum { ANSWER_NONE, ANSWER_DENY, ANSWER_ALLOW };

static struct bytes take_part(struct bytes *rest)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, 0xff, rest->size);
    struct bytes part =
        bytes_make(rest->data, end == NULL ? rest->size : (size_t)(end - rest->data));
    *rest = bytes_from(*rest, end == NULL ? rest->size : part.size + 1);
    return part;
}

// ---- the plain reader ----

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_filter(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > 65535)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool starts = i == 0 || text[i - 1] == '/', ends = text[i + 1] == '/' || text[i + 1] == 0;
        if (text[i] == '+' && !(starts && ends))
            return false;
        if (text[i] == '#' && !(starts && text[i + 1] == 0))
            return false;
    }
    return true;
}

// By recursion over the definition.
static bool matches(const char *filter, const char *topic)
{
    if (filter[0] == '#')
        return true;
    if (filter[0] == '+') {
        while (topic[0] != 0 && topic[0] != '/')
            topic++;
        filter++;
    } else {
        while (filter[0] != 0 && filter[0] != '/' && filter[0] == topic[0]) {
            filter++;
            topic++;
        }
    }
    if (topic[0] == 0)
        return filter[0] == 0 || strcmp(filter, "/#") == 0;
    return filter[0] == '/' && topic[0] == '/' && matches(filter + 1, topic + 1);
}

struct plain {
    char client_id[TEXT_MAX], user[TEXT_MAX], topic[TEXT_MAX], filter[2 * TEXT_MAX];
    bool has_user;
    uint8_t access;
};

// The pattern with names in it. False: it is for nobody like this.
static bool put_names(struct plain *plain, const char *filter)
{
    size_t size = 0;
    for (; *filter != 0; filter++) {
        const char *name = begins(filter, "%c")   ? plain->client_id
                           : begins(filter, "%u") ? plain->user
                                                  : NULL;
        if (name == NULL) {
            plain->filter[size++] = *filter;
            continue;
        }
        if (strchr(name, '/') != NULL || (name == plain->user && !plain->has_user) ||
            size + strlen(name) + strlen(filter) > sizeof(plain->filter) - 1)
            return false;
        memcpy(plain->filter + size, name, strlen(name));
        size += strlen(name);
        filter++;
    }
    plain->filter[size] = 0;
    return true;
}

// One rule: "read a/b" and the like.
static int ask_rule(struct plain *plain, const char *rule, bool is_pattern)
{
    static const struct {
        const char *word;
        uint8_t access;
    } words[] = {{"read ", 1}, {"write ", 2}, {"readwrite ", 3}, {"deny ", 0}};
    uint8_t access = 3;
    for (size_t i = 0; i < 4; i++) {
        if (begins(rule, words[i].word)) {
            access = words[i].access;
            rule += strlen(words[i].word);
            break;
        }
    }
    while (*rule == ' ')
        rule++;
    if ((access != 0 && (access & plain->access) == 0) ||
        (rule[0] == '$') != (plain->topic[0] == '$'))
        return ANSWER_NONE;
    const char *filter = rule;
    if (is_pattern && !put_names(plain, rule))
        return ANSWER_NONE;
    if (is_pattern)
        filter = plain->filter;
    if (!matches(filter, plain->topic))
        return ANSWER_NONE;
    return access == 0 ? ANSWER_DENY : ANSWER_ALLOW;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// The next line without blanks at its end, cut in place; NULL at the end.
static char *next_line(char **rest)
{
    char *line = *rest;
    if (*line == 0)
        return NULL;
    size_t size = strcspn(line, "\n");
    *rest = line + size + (line[size] == '\n');
    while (size > 0 && is_blank(line[size - 1]))
        size--;
    line[size] = 0;
    return line;
}

static char *word_behind(char *line, const char *word)
{
    while (*line == ' ')
        line++;
    if (!begins(line, word) || (line[strlen(word)] != ' ' && line[strlen(word)] != 0))
        return NULL;
    line += strlen(word);
    while (*line == ' ')
        line++;
    return line;
}

static bool is_rule(const char *rule)
{
    static const char *const words[] = {"read ", "write ", "readwrite ", "deny "};
    if (strchr(rule, ' ') == NULL)
        return is_filter(rule);
    for (size_t i = 0; i < 4; i++) {
        if (begins(rule, words[i])) {
            rule += strlen(words[i]);
            return is_filter(rule + strspn(rule, " "));
        }
    }
    return false;
}

static bool is_line(char *line)
{
    char *behind;
    if (line[0] == 0 || line[0] == '#')
        return true;
    if ((behind = word_behind(line, "user")) != NULL)
        return *behind != 0;
    if ((behind = word_behind(line, "topic")) == NULL)
        behind = word_behind(line, "pattern");
    return behind != NULL && is_rule(behind);
}

static bool is_file(char *file)
{
    char *line;
    while ((line = next_line(&file)) != NULL)
        if (!is_line(line))
            return false;
    return true;
}

// All rules of one kind: of the user, or patterns.
static int ask_all(struct plain *plain, char *file, bool patterns)
{
    bool mine = !plain->has_user;
    int answer = ANSWER_NONE;
    char *line, *behind;
    while ((line = next_line(&file)) != NULL) {
        if (line[0] == '#')
            continue;
        if ((behind = word_behind(line, "user")) != NULL) {
            while (is_blank(*behind))
                behind++;
            mine = plain->has_user && strcmp(behind, plain->user) == 0;
        }
        behind = word_behind(line, patterns ? "pattern" : "topic");
        if (behind == NULL || (!patterns && !mine))
            continue;
        int one = ask_rule(plain, behind, patterns);
        if (one == ANSWER_DENY)
            return ANSWER_DENY;
        answer = one == ANSWER_NONE ? answer : one;
    }
    return answer;
}

static bool has_patterns(char *file)
{
    char *line;
    while ((line = next_line(&file)) != NULL)
        if (line[0] != '#' && word_behind(line, "pattern") != NULL)
            return true;
    return false;
}

// Lines are cut in place, so each look is at a copy.
static char *copy_of(struct bytes text)
{
    char *copy = memory_new(text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static bool plainly_may(struct plain *plain, struct bytes text)
{
    char *file = copy_of(text);
    int answer = ask_all(plain, file, false);
    memory_free(file);
    file = copy_of(text);
    bool patterns = has_patterns(file);
    memory_free(file);
    bool poison = strpbrk(plain->client_id, "+#") != NULL ||
                  (plain->has_user && strpbrk(plain->user, "+#") != NULL);
    if (answer == ANSWER_NONE && patterns && !poison) {
        file = copy_of(text);
        answer = ask_all(plain, file, true);
        memory_free(file);
    }
    return answer == ANSWER_ALLOW;
}

// ---- the comparison ----

static bool fits(struct bytes text)
{
    return text.size < 1000 && (text.size == 0 || memchr(text.data, 0, text.size) == NULL);
}

static void put(char *to, struct bytes text)
{
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    to[text.size] = 0;
}

static void compare(const struct acl *acl, const struct acl_subject *subject, struct bytes topic,
                    struct bytes file)
{
    static struct plain plain;
    put(plain.client_id, subject->client_id);
    put(plain.user, subject->user);
    put(plain.topic, topic);
    plain.has_user = subject->has_user;
    for (plain.access = ACL_READ; plain.access <= ACL_WRITE; plain.access++) {
        struct acl_reason why;
        bool may = acl_check(acl, subject, plain.access, topic, &why);
        FUZZ_CHECK(may == plainly_may(&plain, file));
        FUZZ_CHECK((why.cause == ACL_BY_RULE) == (why.rule != NULL));
        FUZZ_CHECK(!may || (why.rule != NULL && !why.rule->is_deny && why.rule->line > 0));
    }
}

static void note_line(void *context, uint32_t line, bool is_error, const char *what)
{
    FUZZ_CHECK(line > 0 && what[0] != 0);
    *(bool *)context |= is_error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes file = bytes_make(data, size);
    struct acl_subject subject = {.client_id = take_part(&file), .user = take_part(&file)};
    struct bytes topic = take_part(&file), filter = take_part(&file);
    char error[ACCESS_ERROR_MAX];
    bool is_wrong = false;
    struct acl_listener listener = {&is_wrong, note_line};
    struct acl *acl = NULL;
    subject.has_user = subject.user.size > 0;
    int result = acl_file_parse("acl", file, &listener, &acl, error);
    FUZZ_CHECK((result == 0) == !is_wrong && (result == 0) == (acl != NULL));
    FUZZ_CHECK((result == 0) == (error[0] == 0));
    if (file.size == 0 || memchr(file.data, 0, file.size) == NULL) {
        char *copy = copy_of(file);
        FUZZ_CHECK(is_file(copy) == (result == 0));
        memory_free(copy);
    }
    if (acl == NULL)
        return 0;
    bool has_topic = topic_name_valid(topic);
    if (has_topic && fits(topic) && fits(subject.client_id) && fits(subject.user) &&
        file.size < TEXT_MAX && (file.size == 0 || memchr(file.data, 0, file.size) == NULL))
        compare(acl, &subject, topic, file);
    if (topic_filter_valid(filter) && !acl_may_subscribe(acl, &subject, filter, NULL) &&
        has_topic && topic_matches(filter, topic))
        FUZZ_CHECK(!acl_check(acl, &subject, ACL_READ, topic, NULL));
    acl_unref(acl);
    return 0;
}
