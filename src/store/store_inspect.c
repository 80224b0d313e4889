// SPDX-License-Identifier: MIT
// `bud store check` and `dump`: reading the files page by page, without SQLite and without a lock
// that a running broker would notice. It only leaves the main file as it is for that long
// (STORE_READING), and what it adds to the log meanwhile is not looked at.
#include "store/inspection.h"

#include "base/map.h"
#include "base/memory.h"
#include "store/json.h"
#include "store/mark.h"
#include "store/row_counts.h"
#include "store/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROBLEMS_SHOWN 20

struct check {
    uint64_t rows[TABLE_COUNT];
    uint64_t problems;
    struct row_counts messages; // that are there
    struct row_counts named;
    uint64_t named_count;
    struct map sessions; // heap copies of their numbers; those in removal too
};

__attribute__((format(printf, 2, 3))) static void problem(struct check *check, const char *format,
                                                          ...)
{
    va_list arguments;
    if (++check->problems > PROBLEMS_SHOWN)
        return;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

static struct bytes session_key(const void *number)
{
    return bytes_make(number, sizeof(uint64_t));
}

static int note_session(struct check *check, int64_t number)
{
    uint64_t *copy = memory_try_new(sizeof(*copy));
    if (copy == NULL)
        return -ENOMEM;
    *copy = (uint64_t)number;
    if (map_find(&check->sessions, session_key(copy)) == NULL &&
        map_try_put(&check->sessions, copy))
        return 0;
    memory_free(copy);
    return 0;
}

static void need_session(struct check *check, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[0].number;
    if (map_find(&check->sessions, session_key(&number)) == NULL)
        problem(check, "%s: session %" PRIu64 " is not there", table_descriptions[row->table].name,
                number);
}

static void need_message(struct check *check, const struct row *row, int64_t message)
{
    if (row_counts_get(&check->messages, (uint64_t)message) == 0)
        problem(check, "%s: names message %" PRId64 ", which is not there",
                table_descriptions[row->table].name, message);
    else if (row_counts_add(&check->named, (uint64_t)message) == 1)
        check->named_count++;
}

static int check_row(void *context, const struct row *row)
{
    struct check *check = context;
    check->rows[row->table]++;
    switch ((enum table)row->table) {
    case TABLE_SESSION:
    case TABLE_REMOVAL: return note_session(check, row->values[0].number);
    case TABLE_MESSAGE:
        (void)row_counts_add(&check->messages, (uint64_t)row->values[MESSAGE_ID].number);
        break;
    case TABLE_SUBSCRIPTION:
    case TABLE_INCOMING: need_session(check, row); break;
    case TABLE_DELIVERY:
        need_session(check, row);
        if (row->values[DELIVERY_STATE].number != DELIVERY_IS_RELEASED)
            need_message(check, row, row->values[DELIVERY_MESSAGE].number);
        break;
    case TABLE_RETAINED: need_message(check, row, row->values[RETAINED_MESSAGE].number); break;
    case TABLE_WILL: need_message(check, row, row->values[WILL_MESSAGE].number); break;
    default: break;
    }
    return 0;
}

// What others name comes first.
static const enum table in_order[TABLE_COUNT] = {
    TABLE_META,     TABLE_SESSION, TABLE_REMOVAL,  TABLE_MESSAGE,  TABLE_SUBSCRIPTION,
    TABLE_INCOMING, TABLE_SPREAD,  TABLE_DELIVERY, TABLE_RETAINED, TABLE_WILL,
};

int inspection_walk(struct inspection *inspection, int (*row)(void *context, const struct row *row),
                    void *context)
{
    uint32_t roots[TABLE_COUNT];
    struct tree_walk *walk = tree_walk_new(inspection->pages);
    int result = 0;
    if (walk == NULL)
        return -ENOMEM;
    walk->row = row;
    walk->context = context;
    tree_roots(inspection->pages, roots);
    for (unsigned i = 0; result == 0 && i < TABLE_COUNT; i++) {
        uint32_t root = roots[in_order[i]];
        result = tree_walk_table(walk, in_order[i], root == 0 ? in_order[i] + 2u : root);
    }
    inspection->bad_rows = walk->bad_rows;
    tree_walk_free(walk);
    return result;
}

static void check_log(struct check *check, struct inspection *inspection)
{
    const struct pages_survey *survey = pages_survey(inspection->pages);
    char path[STORE_PATH_MAX + 8];
    struct mark mark;
    (void)snprintf(path, sizeof(path), "%s-wal", inspection->path);
    if (!mark_read(inspection->vfs, path, &mark) || mark.end == 0)
        return;
    bool same_round = pages_number(mark.salt, 4) == survey->log_salt[0] &&
                      pages_number(mark.salt + 4, 4) == survey->log_salt[1];
    if (!survey->has_log || survey->log_is_foreign)
        problem(check, "the write-ahead log is %s", survey->has_log ? "damaged" : "missing");
    else if (same_round && mark.end > survey->log_end)
        problem(check, "the write-ahead log has lost its last %" PRIu64 " pages",
                (mark.end - survey->log_end) / DISK_FRAME_SIZE);
}

static void print_counts(const struct check *check, const struct pages_survey *survey)
{
    printf("%u pages", survey->page_count);
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        if (in_order[i] != TABLE_META)
            printf(", %" PRIu64 " %s", check->rows[in_order[i]],
                   table_descriptions[in_order[i]].name);
    (void)putchar('\n');
}

static int look(struct inspection *inspection, struct check *check)
{
    uint32_t first = 0;
    uint64_t damaged = pages_count_damaged(inspection->pages, &first);
    if (damaged > 0)
        problem(check, "%" PRIu64 " pages are damaged, page %u the first", damaged, first);
    int result = inspection_walk(inspection, check_row, check);
    if (inspection->bad_rows > 0)
        problem(check, "%" PRIu64 " rows do not fit their checksum", inspection->bad_rows);
    if (check->rows[TABLE_MESSAGE] > check->named_count)
        problem(check, "%" PRIu64 " messages are named by nobody",
                check->rows[TABLE_MESSAGE] - check->named_count);
    check_log(check, inspection);
    return result;
}

static void let_go(struct check *check)
{
    size_t position = 0;
    void *number;
    while ((number = map_next(&check->sessions, &position)) != NULL)
        memory_free(number);
    map_done(&check->sessions);
    row_counts_done(&check->messages);
    row_counts_done(&check->named);
}

int store_check(const char *directory, char *error)
{
    struct inspection inspection;
    struct check check = {0};
    int result = inspection_begin(&inspection, directory, error);
    if (result < 0)
        return result;
    map_init(&check.sessions, (struct hash_key){0}, session_key);
    result = look(&inspection, &check);
    if (result == 0)
        print_counts(&check, pages_survey(inspection.pages));
    if (check.problems > PROBLEMS_SHOWN)
        printf("%" PRIu64 " problems in all\n", check.problems);
    let_go(&check);
    result = inspection_end(&inspection, result, error);
    if (result == 0)
        puts(check.problems == 0 ? "The store is sound."
                                 : "The store is damaged. The broker saves what can be read when "
                                   "it starts.");
    return result < 0 ? result : check.problems > 0;
}

static int print_row(void *context, const struct row *row)
{
    struct buffer *line = context;
    line->size = 0;
    json_row(line, row, NULL);
    return fwrite(line->data, 1, line->size, stdout) == line->size ? 0 : -EIO;
}

int store_dump(const char *directory, char *error)
{
    struct inspection inspection;
    struct buffer line = {0};
    uint32_t first = 0;
    int result = inspection_begin(&inspection, directory, error);
    if (result < 0)
        return result;
    result = inspection_walk(&inspection, print_row, &line);
    buffer_done(&line);
    bool damaged = pages_count_damaged(inspection.pages, &first) > 0 || inspection.bad_rows > 0;
    result = inspection_end(&inspection, result, error);
    return result < 0 ? result : damaged;
}
