// SPDX-License-Identifier: MIT
// Have the files changed? By name, size and dates, to the nanosecond: nothing is read.
#include "transport/tls_context.h"

#include "base/hash.h"
#include "os/directory.h"
#include "os/file_contents.h"

#include <limits.h>
#include <stdio.h>

enum { CAPATH_FILES_MAX = 10000 };

static uint64_t mix(uint64_t state, const char *path)
{
    // Nobody gains by two sets of files that look the same, so the key is no secret.
    static const struct hash_key key = {1, 2};
    struct file_identity identity = {0};
    if (path == NULL || path[0] == '\0')
        return state;
    (void)file_identify(path, &identity); // a file that is gone is all zero, and different
    return hash_bytes(key, state, bytes_make(&identity, sizeof(identity)));
}

static uint64_t mix_directory(uint64_t state, const char *directory)
{
    struct directory_names names;
    char path[PATH_MAX];
    state = mix(state, directory);
    if (directory == NULL || directory[0] == '\0' ||
        directory_read(directory, CAPATH_FILES_MAX, &names) < 0)
        return state;
    for (size_t i = 0; i < names.count; i++)
        if (snprintf(path, sizeof(path), "%s/%s", directory, names.names[i]) < PATH_MAX)
            state = mix(state, path);
    directory_done(&names);
    return state;
}

uint64_t tls_settings_state(const struct tls_settings *settings)
{
    uint64_t state = mix(0, settings->certfile);
    state = mix(state, settings->keyfile);
    state = mix(state, settings->cafile);
    state = mix(state, settings->crlfile);
    return mix_directory(state, settings->capath);
}
