// SPDX-License-Identifier: MIT
// Runs a fuzz target over the files of the directories it is given: with any compiler, as a
// regression test. Fails when a directory is empty, because then it has tested nothing. Each input
// lies in a block of its exact size, for the address sanitizer.
#include "base/memory.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool read_into(FILE *stream, uint8_t **ret_data, size_t *ret_size)
{
    long size;

    if (fseek(stream, 0, SEEK_END) != 0 || (size = ftell(stream)) < 0)
        return false;
    rewind(stream);
    *ret_data = memory_new(size > 0 ? (size_t)size : 1);
    *ret_size = fread(*ret_data, 1, (size_t)size, stream);
    return *ret_size == (size_t)size;
}

static bool replay_file(const char *path)
{
    FILE *stream = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    bool done = stream && read_into(stream, &data, &size);

    if (!done)
        fprintf(stderr, "replay: cannot read %s: %s\n", path, strerror(errno));
    if (stream)
        fclose(stream);
    if (done) {
        fprintf(stderr, "%s\n", path); // the last line names the input that broke the promise
        LLVMFuzzerTestOneInput(data, size);
    }
    memory_free(data);
    return done;
}

static bool replay_directory(const char *directory)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    size_t count = 0;
    bool done = true;

    while (stream && done && (entry = readdir(stream))) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        done = replay_file(path);
        count++;
    }
    if (stream)
        closedir(stream);
    if (count == 0)
        fprintf(stderr, "replay: there is nothing in %s\n", directory);
    return done && count > 0;
}

int main(int argc, char **argv)
{
    bool done = argc > 1;

    for (int i = 1; i < argc; i++)
        done = replay_directory(argv[i]) && done;
    return done ? 0 : 1;
}
