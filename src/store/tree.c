// SPDX-License-Identifier: MIT
// SQLite's file format (sqlite.org/fileformat2.html, sections 1 and 2): a table with a row id keeps
// its rows in the leaves of a "table" tree; one without keeps them in all pages of an "index" tree.
#include "store/tree.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

enum { INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };

#define USABLE (DISK_PAGE_SIZE - DISK_RESERVED)
#define STACK_MAX 65536 // children waiting; a page has at most 680

struct cursor { // sticky: once beyond the end, everything is 0
    const uint8_t *at, *end;
    bool bad;
};

struct record {
    struct value values[TABLE_COLUMNS_MAX + 1];
    unsigned count;
};

struct stack {
    uint32_t pages[STACK_MAX];
    unsigned count;
};

static uint64_t take_varint(struct cursor *cursor)
{
    uint64_t number = 0;
    for (int i = 0; i < 9 && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;
        if (i == 8)
            return number << 8 | byte;
        number = number << 7 | (byte & 0x7f);
        if ((byte & 0x80) == 0)
            return number;
    }
    cursor->bad = true;
    return 0;
}

struct tree_walk *tree_walk_new(struct pages *pages)
{
    struct tree_walk *walk = memory_new(sizeof(*walk));
    walk->pages = pages;
    walk->seen = memory_try_new((size_t)pages_survey(pages)->page_count / 8 + 1);
    if (walk->seen != NULL)
        return walk;
    memory_free(walk);
    return NULL;
}

void tree_walk_free(struct tree_walk *walk)
{
    if (walk == NULL)
        return;
    memory_free(walk->seen);
    memory_free(walk);
}

static bool was_seen(const struct tree_walk *walk, uint32_t page)
{
    return (walk->seen[page / 8] >> page % 8 & 1) != 0;
}

// False: there is no such page, or it was seen before.
static bool see(struct tree_walk *walk, uint32_t page)
{
    if (page == 0 || page > pages_survey(walk->pages)->page_count || was_seen(walk, page))
        return false;
    walk->seen[page / 8] |= (uint8_t)(1 << page % 8);
    return true;
}

// How much of a payload lies in the cell itself.
static size_t local_size(uint64_t payload, bool is_table)
{
    uint64_t most = is_table ? USABLE - 35 : (USABLE - 12) * 64 / 255 - 23;
    uint64_t least = (USABLE - 12) * 32 / 255 - 23;
    if (payload <= most)
        return (size_t)payload;
    uint64_t fitting = least + (payload - least) % (USABLE - 4);
    return (size_t)(fitting <= most ? fitting : least);
}

static bool take_overflow(struct tree_walk *walk, uint32_t next, uint8_t *to, uint64_t left)
{
    uint8_t page[DISK_PAGE_SIZE];
    while (left > 0) {
        if (pages_get(walk->pages, next, page) != 0)
            return false;
        (void)see(walk, next);
        uint64_t part = left < USABLE - 4 ? left : USABLE - 4;
        memcpy(to, page + 4, (size_t)part);
        next = pages_number(page, 4);
        to += part;
        left -= part;
    }
    return true;
}

// The whole payload of a cell: within the page, or in *ret_copy, which the caller frees.
static struct bytes take_payload(struct tree_walk *walk, struct cursor cell, uint64_t size,
                                 bool is_table, uint8_t **ret_copy)
{
    static const struct bytes none;
    size_t local = local_size(size, is_table);
    size_t left = (size_t)(cell.end - cell.at);
    if (cell.bad || local > left)
        return none;
    if (local == size)
        return bytes_make(cell.at, local);
    // A claim cannot be more than all pages together.
    if (left - local < 4 || size > (uint64_t)pages_survey(walk->pages)->page_count * USABLE)
        return none;
    uint8_t *copy = memory_try_new((size_t)size);
    if (copy == NULL)
        return none;
    memcpy(copy, cell.at, local);
    *ret_copy = copy;
    if (!take_overflow(walk, pages_number(cell.at + local, 4), copy + local, size - local))
        return none;
    return bytes_make(copy, (size_t)size);
}

static int64_t whole_number(const uint8_t *at, size_t size)
{
    uint64_t number = size > 0 && (at[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return (int64_t)number;
}

static bool take_value(struct cursor *body, uint64_t type, struct value *ret_value)
{
    static const uint8_t sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    *ret_value = (struct value){0};
    uint64_t size = type < 12 ? sizes[type] : (type - 12) / 2;
    if (size > (uint64_t)(body->end - body->at))
        return false;
    if (type >= 12)
        ret_value->bytes = bytes_make(body->at, (size_t)size);
    else if (type == 8 || type == 9)
        ret_value->number = (int64_t)type - 8;
    else
        ret_value->number = whole_number(body->at, (size_t)size);
    body->at += size;
    return true;
}

static bool take_record(struct bytes payload, struct record *ret_record)
{
    struct cursor head = {payload.data, payload.data + payload.size, false};
    if (payload.size == 0)
        return false;
    uint64_t head_size = take_varint(&head);
    if (head.bad || head_size > payload.size)
        return false;
    struct cursor body = {payload.data + head_size, payload.data + payload.size, false};
    head.end = body.at;
    ret_record->count = 0;
    while (head.at < head.end) {
        uint64_t type = take_varint(&head);
        if (head.bad || ret_record->count > TABLE_COLUMNS_MAX ||
            !take_value(&body, type, &ret_record->values[ret_record->count++]))
            return false;
    }
    return true;
}

// How many columns of the table this record has: those of the present format or of the one before.
static unsigned columns_in(const struct record *record, const struct table_description *table)
{
    if (record->count == table->column_count + 1u)
        return table->column_count;
    return table->older_count != 0 && record->count == table->older_count + 1u ? table->older_count
                                                                               : 0;
}

// Is this record a row of that table? Its check says so.
static bool is_row(const struct record *record, enum table table, bool is_table, int64_t row_id,
                   struct row *ret_row)
{
    const struct table_description *description = &table_descriptions[table];
    unsigned count = columns_in(record, description);
    if (count == 0 || description->row_id != is_table)
        return false;
    *ret_row = (struct row){.table = (uint8_t)table}; // what an older one lacks is 0 and empty
    memcpy(ret_row->values, record->values, count * sizeof(record->values[0]));
    if (is_table)
        ret_row->values[0].number = row_id;
    return record->values[count].number == row_check_first(ret_row, count);
}

// TABLE_COUNT: of any table.
static int give_record(struct tree_walk *walk, const struct record *record, enum table table,
                       bool is_table, int64_t row_id)
{
    struct row row;
    enum table first = table == TABLE_COUNT ? 0 : table;
    enum table last = table == TABLE_COUNT ? TABLE_COUNT - 1 : table;
    for (enum table one = first; one <= last; one++)
        if (is_row(record, one, is_table, row_id, &row))
            return walk->row(walk->context, &row);
    walk->bad_rows++;
    return 0;
}

static int give_cell(struct tree_walk *walk, struct cursor cell, enum table table, bool is_table)
{
    struct record record;
    uint8_t *copy = NULL;
    int result = 0;
    uint64_t size = take_varint(&cell);
    int64_t row_id = is_table ? (int64_t)take_varint(&cell) : 0;
    struct bytes payload = take_payload(walk, cell, size, is_table, &copy);
    if (take_record(payload, &record))
        result = give_record(walk, &record, table, is_table, row_id);
    else
        walk->bad_rows++;
    memory_free(copy);
    return result;
}

static void push(struct stack *stack, uint32_t page)
{
    if (stack->count < STACK_MAX)
        stack->pages[stack->count++] = page;
}

struct page_view {
    const uint8_t *page, *head;
    uint8_t kind;
    unsigned cell_count, pointers; // where the cell pointers begin
};

static bool view_page(const uint8_t *page, uint32_t number, struct page_view *ret_view)
{
    const uint8_t *head = page + (number == 1 ? 100 : 0);
    bool interior = head[0] == INDEX_INTERIOR || head[0] == TABLE_INTERIOR;
    if (!interior && head[0] != INDEX_LEAF && head[0] != TABLE_LEAF)
        return false;
    ret_view->page = page;
    ret_view->head = head;
    ret_view->kind = head[0];
    ret_view->cell_count = pages_number(head + 3, 2);
    ret_view->pointers = (unsigned)(head - page) + (interior ? 12 : 8);
    return ret_view->pointers + 2 * ret_view->cell_count <= USABLE;
}

// The cell at a position; its end is not known, so it is the page's.
static struct cursor cell_at(const struct page_view *view, unsigned position)
{
    unsigned offset = pages_number(view->page + view->pointers + 2 * position, 2);
    if (offset > USABLE)
        offset = USABLE;
    return (struct cursor){view->page + offset, view->page + USABLE, false};
}

static int give_page(struct tree_walk *walk, const struct page_view *view, enum table table,
                     struct stack *stack)
{
    bool interior = view->kind == INDEX_INTERIOR || view->kind == TABLE_INTERIOR;
    bool is_table = view->kind == TABLE_LEAF;
    int result = 0;
    if (interior)
        push(stack, pages_number(view->head + 8, 4));
    for (unsigned i = 0; result == 0 && i < view->cell_count; i++) {
        // The child that was pushed last is walked first.
        struct cursor cell = cell_at(view, interior ? view->cell_count - 1 - i : i);
        if (interior && cell.end - cell.at >= 4) {
            push(stack, pages_number(cell.at, 4));
            cell.at += 4;
        }
        if (view->kind != TABLE_INTERIOR)
            result = give_cell(walk, cell, table, is_table);
    }
    return result;
}

static int walk_from(struct tree_walk *walk, enum table table, struct stack *stack)
{
    uint8_t page[DISK_PAGE_SIZE];
    struct page_view view;
    int result = 0;
    while (result == 0 && stack->count > 0) {
        uint32_t number = stack->pages[--stack->count];
        if (!see(walk, number))
            continue;
        if (pages_get(walk->pages, number, page) != 0 || !view_page(page, number, &view))
            walk->damaged++;
        else
            result = give_page(walk, &view, table, stack);
    }
    return result;
}

int tree_walk_table(struct tree_walk *walk, enum table table, uint32_t root)
{
    struct stack *stack = memory_new(sizeof(*stack));
    push(stack, root);
    int result = walk_from(walk, table, stack);
    memory_free(stack);
    return result;
}

// A row of sqlite_schema: type, name, table name, first page, SQL.
static void note_root(const struct record *record, uint32_t roots[TABLE_COUNT])
{
    if (record->count != 5)
        return;
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        const char *name = table_descriptions[table].name;
        if (bytes_equal(record->values[1].bytes, bytes_make(name, strlen(name))))
            roots[table] = (uint32_t)record->values[3].number;
    }
}

void tree_roots(struct pages *pages, uint32_t ret_roots[TABLE_COUNT])
{
    uint8_t page[DISK_PAGE_SIZE];
    struct page_view view;
    memset(ret_roots, 0, TABLE_COUNT * sizeof(*ret_roots));
    struct tree_walk *walk = tree_walk_new(pages);
    if (walk != NULL && pages_get(pages, 1, page) == 0 && view_page(page, 1, &view) &&
        view.kind == TABLE_LEAF) {
        for (unsigned i = 0; i < view.cell_count; i++) {
            struct cursor cell = cell_at(&view, i);
            struct record record;
            uint8_t *copy = NULL;
            uint64_t size = take_varint(&cell);
            (void)take_varint(&cell);
            if (take_record(take_payload(walk, cell, size, true, &copy), &record))
                note_root(&record, ret_roots);
            memory_free(copy);
        }
    }
    tree_walk_free(walk);
}

int tree_walk_rest(struct tree_walk *walk, bool *ret_known)
{
    int result = 0;
    *ret_known = pages_mark_free(walk->pages, walk->seen, true);
    if (!*ret_known)
        return 0;
    struct stack *stack = memory_new(sizeof(*stack));
    uint64_t damaged = walk->damaged, bad_rows = walk->bad_rows;
    for (uint32_t page = 2; result == 0 && page <= pages_survey(walk->pages)->page_count; page++) {
        push(stack, page);
        result = walk_from(walk, TABLE_COUNT, stack);
    }
    walk->damaged = damaged; // most of these are no pages of a tree at all
    walk->bad_rows = bad_rows;
    memory_free(stack);
    return result;
}
