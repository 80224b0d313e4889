// SPDX-License-Identifier: MIT
#include "access/authority.h"

#include "base/memory.h"

void login_result_done(struct login_result *result)
{
    memory_free(result->user);
    if (result->free_rules != NULL)
        result->free_rules(result->rules);
    *result = (struct login_result){0};
}
