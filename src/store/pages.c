// SPDX-License-Identifier: MIT
// SQLite's file formats are described at sqlite.org/fileformat2.html; section 4 is the log.
#include "store/pages.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAGIC 0x377f0682u // the lowest bit tells the byte order of the checksums
#define CHUNK_PAGES 64
#define LOCK_PAGE (0x40000000u / DISK_PAGE_SIZE + 1) // SQLite never uses the page its locks are on

struct log_page {
    uint32_t number;
    uint64_t offset; // of the page in the log
};

struct pages {
    sqlite3_vfs *vfs;
    sqlite3_file *main, *log; // NULL: not there
    const char *main_name, *log_name;
    uint64_t main_size, log_size;
    uint8_t *log_copy; // NULL: the log is read where it is
    struct pages_survey survey;
    struct log_page *log_pages; // committed, in order of the number, each once
    size_t log_page_count, log_page_capacity;
    uint8_t chunk[CHUNK_PAGES * DISK_PAGE_SIZE];
    uint32_t chunk_first, chunk_count; // pages of the main file that are in it
};

uint32_t pages_number(const uint8_t *at, unsigned size)
{
    uint32_t number = 0;
    for (unsigned i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static int open_file(struct pages *pages, const char *name, int kind, sqlite3_file **ret_file,
                     uint64_t *ret_size)
{
    int there = 0, flags = 0;
    sqlite3_int64 size = 0;
    (void)pages->vfs->xAccess(pages->vfs, name, SQLITE_ACCESS_EXISTS, &there);
    if (!there)
        return 0;
    sqlite3_file *file = memory_new((size_t)pages->vfs->szOsFile);
    int result = pages->vfs->xOpen(pages->vfs, name, file, SQLITE_OPEN_READONLY | kind, &flags);
    if (result == SQLITE_OK)
        result = file->pMethods->xFileSize(file, &size);
    *ret_size = (uint64_t)size;
    if (result == SQLITE_OK && size > 0) {
        *ret_file = file;
        return 0;
    }
    if (file->pMethods != NULL)
        (void)file->pMethods->xClose(file);
    memory_free(file);
    return result == SQLITE_OK ? 0 : result == SQLITE_CANTOPEN ? -EACCES : -EIO;
}

static void close_file(sqlite3_file *file)
{
    if (file != NULL)
        (void)file->pMethods->xClose(file);
    memory_free(file);
}

static int read_at(sqlite3_file *file, void *memory, size_t size, uint64_t offset)
{
    int result = file->pMethods->xRead(file, memory, (int)size, (sqlite3_int64)offset);
    return result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ ? 0 : -EIO;
}

static int read_log(const struct pages *pages, void *memory, size_t size, uint64_t offset)
{
    if (pages->log_copy == NULL)
        return read_at(pages->log, memory, size, offset);
    memcpy(memory, pages->log_copy + offset, size); // within: whoever asks knows log_size
    return 0;
}

// A log that is begun anew while it is copied is copied again.
static int copy_log(struct pages *pages)
{
    uint8_t head[DISK_WAL_HEADER];
    pages->log_copy = memory_try_new((size_t)pages->log_size + 1);
    if (pages->log_copy == NULL)
        return -ENOMEM;
    for (;;) {
        int result = read_at(pages->log, pages->log_copy, (size_t)pages->log_size, 0);
        if (result == 0)
            result = read_at(pages->log, head, sizeof(head), 0);
        if (result < 0 || pages->log_size < sizeof(head) ||
            memcmp(head, pages->log_copy, sizeof(head)) == 0)
            return result;
    }
}

struct log_sum {
    uint32_t first, second;
    bool big_endian;
};

static uint32_t log_word(const uint8_t *at, bool big_endian)
{
    if (big_endian)
        return pages_number(at, 4);
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void log_add(struct log_sum *sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        sum->first += log_word(data + i, sum->big_endian) + sum->second;
        sum->second += log_word(data + i + 4, sum->big_endian) + sum->first;
    }
}

static bool log_sum_is(const struct log_sum *sum, const uint8_t *at)
{
    return sum->first == pages_number(at, 4) && sum->second == pages_number(at + 4, 4);
}

static bool take_log_header(struct pages *pages, struct log_sum *ret_sum)
{
    uint8_t header[DISK_WAL_HEADER];
    if (pages->log_size < sizeof(header) || read_log(pages, header, sizeof(header), 0) < 0)
        return false;
    uint32_t magic = pages_number(header, 4);
    *ret_sum = (struct log_sum){.big_endian = (magic & 1) != 0};
    log_add(ret_sum, header, 24);
    if ((magic & ~1u) != LOG_MAGIC || pages_number(header + 8, 4) != DISK_PAGE_SIZE ||
        !log_sum_is(ret_sum, header + 24))
        return false;
    pages->survey.log_salt[0] = pages_number(header + 16, 4);
    pages->survey.log_salt[1] = pages_number(header + 20, 4);
    return true;
}

static int note_log_page(struct pages *pages, uint32_t number, uint64_t offset)
{
    if (pages->log_page_count == pages->log_page_capacity) {
        size_t capacity = pages->log_page_capacity == 0 ? 1024 : pages->log_page_capacity * 2;
        struct log_page *list = memory_try_resize(pages->log_pages, capacity * sizeof(*list));
        if (list == NULL)
            return -ENOMEM;
        pages->log_pages = list;
        pages->log_page_capacity = capacity;
    }
    pages->log_pages[pages->log_page_count++] = (struct log_page){number, offset};
    return 0;
}

static int by_number(const void *left, const void *right)
{
    const struct log_page *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

// Of a page that was written several times the last counts.
static void sort_log_pages(struct pages *pages)
{
    size_t kept = 0;
    if (pages->log_page_count == 0)
        return;
    qsort(pages->log_pages, pages->log_page_count, sizeof(*pages->log_pages), by_number);
    for (size_t i = 1; i < pages->log_page_count; i++) {
        if (pages->log_pages[i].number != pages->log_pages[kept].number)
            kept++;
        pages->log_pages[kept] = pages->log_pages[i];
    }
    pages->log_page_count = kept + 1;
}

static bool is_of_this_round(const struct pages *pages, const uint8_t *frame)
{
    return pages_number(frame + 8, 4) == pages->survey.log_salt[0] &&
           pages_number(frame + 12, 4) == pages->survey.log_salt[1];
}

// Frames are good as long as the running checksum fits; they count up to the last commit.
static int read_frames(struct pages *pages, struct log_sum sum)
{
    uint8_t *frame = pages->chunk; // not in use yet
    uint64_t offset = DISK_WAL_HEADER;
    size_t committed = 0;
    bool good = true;
    pages->survey.log_end = offset;
    for (; offset + DISK_FRAME_SIZE <= pages->log_size; offset += DISK_FRAME_SIZE) {
        int result = read_log(pages, frame, DISK_FRAME_SIZE, offset);
        if (result < 0)
            return result;
        bool present = is_of_this_round(pages, frame);
        pages->survey.log_rest += present;
        log_add(&sum, frame, 8);
        log_add(&sum, frame + DISK_FRAME_HEADER, DISK_PAGE_SIZE);
        good = good && present && log_sum_is(&sum, frame + 16) && pages_number(frame, 4) != 0;
        if (!good)
            continue;
        result = note_log_page(pages, pages_number(frame, 4), offset + DISK_FRAME_HEADER);
        if (result < 0)
            return result;
        if (pages_number(frame + 4, 4) == 0)
            continue;
        committed = pages->log_page_count;
        pages->survey.page_count = pages_number(frame + 4, 4);
        pages->survey.log_end = offset + DISK_FRAME_SIZE;
        pages->survey.log_rest = 0;
    }
    pages->log_page_count = committed;
    sort_log_pages(pages);
    return 0;
}

// How many pages there are stands in the first page, unless the log knows better.
static void count_pages(struct pages *pages)
{
    uint8_t page[DISK_PAGE_SIZE];
    uint32_t in_file = (uint32_t)(pages->main_size / DISK_PAGE_SIZE);
    if (pages->survey.page_count != 0)
        return;
    pages->survey.page_count = in_file;
    if (in_file == 0 || pages_get(pages, 1, page) < 0)
        return;
    uint32_t count = pages_number(page + 28, 4);
    if (count != 0)
        pages->survey.page_count = count;
    pages->survey.main_is_cut = count > in_file;
}

int pages_open(sqlite3_vfs *vfs, const char *path, bool live, struct pages **ret_pages)
{
    struct pages *pages = memory_new(sizeof(*pages));
    char log_path[4200];
    (void)snprintf(log_path, sizeof(log_path), "%.4095s-wal", path);
    pages->vfs = vfs;
    pages->main_name = sqlite3_create_filename(path, "", "", 0, NULL);
    pages->log_name = sqlite3_create_filename(log_path, "", "", 0, NULL);
    ASSERT(pages->main_name != NULL && pages->log_name != NULL);
    int result =
        open_file(pages, pages->main_name, SQLITE_OPEN_MAIN_DB, &pages->main, &pages->main_size);
    // SQLite opens no log without its main file, whose mode it looks for.
    int kind = pages->main == NULL ? SQLITE_OPEN_MAIN_DB : SQLITE_OPEN_WAL;
    if (result == 0)
        result = open_file(pages, pages->log_name, kind, &pages->log, &pages->log_size);
    pages->survey.has_main = pages->main != NULL;
    pages->survey.has_log = pages->log != NULL;
    struct log_sum sum;
    if (result == 0 && pages->log != NULL && live)
        result = copy_log(pages);
    if (result == 0 && pages->log != NULL) {
        pages->survey.log_is_foreign = !take_log_header(pages, &sum);
        if (!pages->survey.log_is_foreign)
            result = read_frames(pages, sum);
    }
    if (result < 0) {
        pages_close(pages);
        return result;
    }
    count_pages(pages);
    *ret_pages = pages;
    return 0;
}

void pages_close(struct pages *pages)
{
    if (pages == NULL)
        return;
    close_file(pages->main);
    close_file(pages->log);
    sqlite3_free_filename((char *)(uintptr_t)pages->main_name);
    sqlite3_free_filename((char *)(uintptr_t)pages->log_name);
    memory_free(pages->log_pages);
    memory_free(pages->log_copy);
    memory_free(pages);
}

const struct pages_survey *pages_survey(const struct pages *pages)
{
    return &pages->survey;
}

static const struct log_page *find_log_page(const struct pages *pages, uint32_t number)
{
    size_t low = 0, high = pages->log_page_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pages->log_pages[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < pages->log_page_count && pages->log_pages[low].number == number
               ? &pages->log_pages[low]
               : NULL;
}

static int read_chunk(struct pages *pages, uint32_t number)
{
    uint64_t offset = (uint64_t)(number - 1) * DISK_PAGE_SIZE;
    uint64_t left = pages->main_size - offset;
    size_t size = left < sizeof(pages->chunk) ? (size_t)left : sizeof(pages->chunk);
    pages->chunk_count = 0;
    int result = read_at(pages->main, pages->chunk, size, offset);
    if (result < 0)
        return result;
    pages->chunk_first = number;
    pages->chunk_count = (uint32_t)(size / DISK_PAGE_SIZE);
    return 0;
}

int pages_get(struct pages *pages, uint32_t number, uint8_t page[DISK_PAGE_SIZE])
{
    if (number == 0 || (pages->survey.page_count != 0 && number > pages->survey.page_count))
        return -ENOENT;
    const struct log_page *in_log = find_log_page(pages, number);
    if (in_log != NULL)
        return read_log(pages, page, DISK_PAGE_SIZE, in_log->offset);
    if ((uint64_t)number * DISK_PAGE_SIZE > pages->main_size)
        return -EBADMSG;
    if (number - pages->chunk_first >= pages->chunk_count) {
        int result = read_chunk(pages, number);
        if (result < 0)
            return result;
    }
    memcpy(page, pages->chunk + (size_t)(number - pages->chunk_first) * DISK_PAGE_SIZE,
           DISK_PAGE_SIZE);
    return disk_page_fits(page, number) ? 0 : -EBADMSG;
}

int pages_get_sealed(struct pages *pages, uint32_t number, uint8_t page[DISK_PAGE_SIZE])
{
    int result = pages_get(pages, number, page);
    if (result == 0)
        disk_seal_page(page, number);
    return result;
}

static bool mark(const struct pages *pages, uint8_t *bits, uint32_t number)
{
    if (number == 0 || number > pages->survey.page_count)
        return false;
    bits[number / 8] |= (uint8_t)(1 << number % 8);
    return true;
}

bool pages_mark_free(struct pages *pages, uint8_t *bits, bool lists)
{
    uint8_t page[DISK_PAGE_SIZE];
    if (pages_get(pages, 1, page) != 0)
        return false;
    uint32_t trunk = pages_number(page + 32, 4);
    for (uint32_t steps = 0; trunk != 0; steps++) {
        if (steps > pages->survey.page_count || pages_get(pages, trunk, page) != 0)
            return false;
        if (lists)
            (void)mark(pages, bits, trunk);
        uint32_t count = pages_number(page + 4, 4);
        for (uint32_t i = 0; i < count && i < DISK_PAGE_SIZE / 4 - 4; i++)
            (void)mark(pages, bits, pages_number(page + 8 + 4 * i, 4));
        trunk = pages_number(page, 4);
    }
    return true;
}

static uint64_t count_damaged(struct pages *pages, const uint8_t *left_out, uint32_t *ret_first)
{
    uint8_t page[DISK_PAGE_SIZE];
    uint64_t damaged = 0;
    for (uint32_t number = 1; number <= pages->survey.page_count; number++) {
        if (number == LOCK_PAGE || pages_get(pages, number, page) == 0)
            continue;
        if (left_out != NULL && (left_out[number / 8] >> number % 8 & 1) != 0)
            continue;
        if (damaged++ == 0)
            *ret_first = number;
    }
    return damaged;
}

uint64_t pages_count_damaged(struct pages *pages, uint32_t *ret_first)
{
    uint64_t damaged = count_damaged(pages, NULL, ret_first);
    uint8_t *free_pages =
        damaged == 0 ? NULL : memory_try_new((size_t)pages->survey.page_count / 8 + 1);
    if (free_pages == NULL)
        return damaged;
    (void)pages_mark_free(pages, free_pages, false);
    damaged = count_damaged(pages, free_pages, ret_first);
    memory_free(free_pages);
    return damaged;
}
