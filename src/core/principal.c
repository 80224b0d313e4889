// SPDX-License-Identifier: MIT
#include "core/principal.h"

#include "base/memory.h"

#include <string.h>

static size_t size_for(size_t client_id_size, size_t user_size)
{
    return sizeof(struct principal) + client_id_size + user_size;
}

struct principal *principal_try_new(struct budget *budget, const struct principal_source *source)
{
    size_t size = size_for(source->client_id.size, source->user.size);
    if (!budget_take_reserve(budget, size)) // before it is known who may come in
        return NULL;
    struct principal *principal = memory_try_new(size);
    if (principal == NULL) {
        budget_give(budget, size);
        return NULL;
    }
    atomic_init(&principal->references, 1);
    principal->domain = source->rules != NULL ? PRINCIPAL_DOMAIN_OWN : source->domain;
    principal->has_user = source->user.size > 0;
    principal->client_id_size = (uint32_t)source->client_id.size;
    principal->user_size = (uint32_t)source->user.size;
    principal->budget = budget;
    principal->rules = source->rules;
    principal->free_rules = source->free_rules;
    if (source->client_id.size > 0)
        memcpy(principal->text, source->client_id.data, source->client_id.size);
    if (source->user.size > 0)
        memcpy(principal->text + source->client_id.size, source->user.data, source->user.size);
    return principal;
}

struct principal *principal_ref(struct principal *principal)
{
    if (principal != NULL)
        atomic_fetch_add_explicit(&principal->references, 1, memory_order_relaxed);
    return principal;
}

void principal_unref(struct principal *principal)
{
    if (principal == NULL)
        return;
    // As for a message: every holder's reads happen before the free.
    uint32_t before = atomic_fetch_sub_explicit(&principal->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    if (principal->rules != NULL && principal->free_rules != NULL)
        principal->free_rules(principal->rules);
    budget_give(principal->budget, size_for(principal->client_id_size, principal->user_size));
    memory_free(principal);
}

bool principal_is_same(const struct principal *a, const struct principal *b)
{
    return a == b || (a->domain == b->domain && a->domain != PRINCIPAL_DOMAIN_OWN &&
                      bytes_equal(principal_user(a), principal_user(b)) &&
                      bytes_equal(principal_client_id(a), principal_client_id(b)));
}
