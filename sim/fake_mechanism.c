// SPDX-License-Identifier: MIT
#include "sim/fake_mechanism.h"

#include "base/memory.h"

#include <string.h>

#define NAME_MAX_SIZE 64

struct exchange {
    bool challenged;
    size_t name_size;
    uint8_t name[NAME_MAX_SIZE];
};

static void *begin(void *context)
{
    (void)context;
    return memory_try_new(sizeof(struct exchange));
}

static enum bud_reason step(void *memory, struct bytes data, struct bytes *ret_data,
                            struct bytes *ret_user)
{
    static const char prefix[] = "user=";
    struct exchange *exchange = memory;
    size_t prefix_size = sizeof prefix - 1;
    if (exchange->challenged) {
        if (!bytes_equal(data, BYTES_OF(FAKE_MECHANISM_ANSWER)))
            return BUD_NOT_AUTHORIZED;
        *ret_data = BYTES_OF(FAKE_MECHANISM_WELCOME);
        *ret_user = bytes_make(exchange->name, exchange->name_size);
        return BUD_SUCCESS;
    }
    if (data.size < prefix_size || data.size - prefix_size > NAME_MAX_SIZE ||
        memcmp(data.data, prefix, prefix_size) != 0)
        return BUD_BAD_USER_NAME_OR_PASSWORD;
    exchange->name_size = data.size - prefix_size;
    memcpy(exchange->name, data.data + prefix_size, exchange->name_size);
    exchange->challenged = true;
    *ret_data = BYTES_OF(FAKE_MECHANISM_CHALLENGE);
    return BUD_CONTINUE_AUTHENTICATION;
}

static void end(void *exchange)
{
    memory_free(exchange);
}

const struct auth_mechanism fake_mechanism = {
    .name = FAKE_MECHANISM_NAME,
    .begin = begin,
    .step = step,
    .end = end,
};
