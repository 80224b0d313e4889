// SPDX-License-Identifier: MIT
#include "os/directory.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(struct directory_names *names, const char *name)
{
    size_t size = strlen(name) + 1;
    char **grown = memory_try_resize(names->names, (names->count + 1) * sizeof(char *));
    if (grown == NULL)
        return -ENOMEM;
    names->names = grown;
    names->names[names->count] = memory_try_new(size);
    if (names->names[names->count] == NULL)
        return -ENOMEM;
    memcpy(names->names[names->count++], name, size);
    return 0;
}

static int add_all(DIR *directory, size_t count_max, struct directory_names *names)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int error = names->count == count_max ? -EFBIG : add(names, entry->d_name);
        if (error < 0)
            return error;
    }
}

int directory_read(const char *path, size_t count_max, struct directory_names *ret_names)
{
    struct directory_names names = {0};
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -errno;
    int error = add_all(directory, count_max, &names);
    closedir(directory);
    if (error < 0) {
        directory_done(&names);
        return error;
    }
    if (names.count > 0)
        qsort(names.names, names.count, sizeof(char *), compare);
    *ret_names = names;
    return 0;
}

void directory_done(struct directory_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        memory_free(names->names[i]);
    memory_free(names->names);
    *names = (struct directory_names){0};
}
