// SPDX-License-Identifier: MIT
// Any bytes as a configuration file. Must hold: it is refused with a reason, or what it comes to
// can be written as a file that comes to the same.
#include "fuzz/fuzz.h"
#include "server/config.h"

#include <stdlib.h>
#include <string.h>

static char *file_of(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    FUZZ_CHECK(stream != NULL);
    config_print_file(config, stream);
    FUZZ_CHECK(fclose(stream) == 0);
    return text;
}

static bool has_error(const struct config *config)
{
    for (const struct complaint *complaint = config_complaints(config); complaint != NULL;
         complaint = complaint->next)
        if (complaint->kind == COMPLAINT_ERROR)
            return true;
    return false;
}

static void read_again(const struct config *config)
{
    char *text = file_of(config), *second;
    struct config *again = config_new();
    FUZZ_CHECK(config_read_text(again, "again", bytes_make(text, strlen(text))) == 0);
    second = file_of(again);
    FUZZ_CHECK(strcmp(text, second) == 0);
    free(text);
    free(second);
    config_free(again);
}

// Other files are no part of the input.
static bool includes(struct bytes input)
{
    return memmem(input.data, input.size, "include_dir", strlen("include_dir")) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    if (size > 0 && includes(input))
        return 0;
    struct config *config = config_new();
    int result = config_read_text(config, "fuzz", input);
    FUZZ_CHECK((result < 0) == has_error(config));
    if (result == 0)
        read_again(config);
    config_free(config);
    return 0;
}
