// SPDX-License-Identifier: MIT
// `bud store backup`: a copy of a store, running or not, as it is at one moment, in one file that
// can be put in the place of store.db. `bud store compact`: of a stopped one, without its free
// pages.
#include "store/inspection.h"

#include "base/memory.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_PAGES 64

static int refuse(char *error, const char *what, const char *path, int number)
{
    (void)snprintf(error, STORE_ERROR_MAX, "%s %.300s: %s", what, path, strerror(-number));
    return number;
}

// Free pages may never have been written, or be damaged without harm: they are copied as nothing.
static int copy_pages(struct inspection *inspection, const char *file, const uint8_t *free_pages,
                      bool *ret_damaged)
{
    uint8_t *chunk = memory_new((size_t)CHUNK_PAGES * DISK_PAGE_SIZE);
    uint32_t count = pages_survey(inspection->pages)->page_count;
    int result = 0;
    for (uint32_t first = 1; result == 0 && first <= count; first += CHUNK_PAGES) {
        uint32_t some = count - first + 1 < CHUNK_PAGES ? count - first + 1 : CHUNK_PAGES;
        for (uint32_t i = 0; i < some; i++) {
            uint32_t number = first + i;
            uint8_t *page = chunk + (size_t)i * DISK_PAGE_SIZE;
            if (pages_get_sealed(inspection->pages, number, page) == 0)
                continue;
            memset(page, 0, DISK_PAGE_SIZE);
            if ((free_pages[number / 8] >> number % 8 & 1) == 0)
                *ret_damaged = true;
        }
        result = file_append(file, chunk, (uint64_t)some * DISK_PAGE_SIZE);
    }
    memory_free(chunk);
    return result;
}

static int write_copy(struct inspection *inspection, const char *file, bool *ret_damaged)
{
    size_t size = (size_t)pages_survey(inspection->pages)->page_count / 8 + 1;
    uint8_t *free_pages = memory_try_new(size);
    if (free_pages == NULL)
        return -ENOMEM;
    (void)pages_mark_free(inspection->pages, free_pages, false);
    int result = copy_pages(inspection, file, free_pages, ret_damaged);
    memory_free(free_pages);
    return result == 0 ? file_sync(file) : result;
}

int store_backup(const char *directory, const char *file, char *error)
{
    struct inspection inspection;
    bool damaged = false;
    if (file_exists(file)) {
        (void)snprintf(error, STORE_ERROR_MAX, "%.300s is there already", file);
        return -EEXIST;
    }
    int result = inspection_begin(&inspection, directory, error);
    if (result < 0)
        return result;
    uint32_t pages = pages_survey(inspection.pages)->page_count;
    int written = write_copy(&inspection, file, &damaged);
    result = inspection_end(&inspection, 0, error);
    if (written < 0)
        result = refuse(error, "cannot write", file, written);
    if (result < 0) {
        (void)file_remove(file);
        return result;
    }
    printf("%u pages in %s\n", pages, file);
    if (damaged)
        puts("The store is damaged, and so is the copy.");
    return damaged;
}

static void to_standard_error(void *context, const char *what)
{
    (void)context;
    fprintf(stderr, "%s\n", what);
}

int store_compact(const char *directory, char *error)
{
    char path[STORE_PATH_MAX];
    struct store *store;
    struct store_options options = {.directory = directory, .report = to_standard_error};
    (void)snprintf(path, sizeof(path), "%.4000s/" STORE_FILE, directory);
    if (!file_exists(path)) {
        (void)snprintf(error, STORE_ERROR_MAX, "there is no store in %.300s", directory);
        return -ENOENT;
    }
    int64_t before = file_size(path);
    int result = store_open(&options, &store, error);
    if (result == -EWOULDBLOCK)
        (void)snprintf(error, STORE_ERROR_MAX,
                       "a bud uses %.300s: stop it first, compacting needs the store alone",
                       directory);
    if (result < 0)
        return result;
    result = store_execute(store, "VACUUM");
    int closed = store_close(store);
    if (result == 0)
        result = closed;
    if (result < 0)
        return refuse(error, "cannot compact", path, result);
    printf("%lld bytes before, %lld now\n", (long long)before, (long long)file_size(path));
    return 0;
}
