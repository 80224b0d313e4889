// SPDX-License-Identifier: MIT
#include "access/login.h"

#include "base/assert.h"
#include "base/memory.h"

struct login_gate *login_gate_new(void)
{
    struct login_gate *gate = memory_new(sizeof(*gate));
    atomic_init(&gate->references, 1);
    return gate;
}

void login_gate_add(struct login_gate *gate, const struct authority *authority)
{
    ASSERT(gate->count < LOGIN_AUTHORITIES_MAX && authority->check != NULL);
    gate->authorities[gate->count++] = *authority;
}

struct login_gate *login_gate_ref(struct login_gate *gate)
{
    atomic_fetch_add_explicit(&gate->references, 1, memory_order_relaxed);
    return gate;
}

void login_gate_unref(struct login_gate *gate)
{
    if (gate == NULL || atomic_fetch_sub_explicit(&gate->references, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < gate->count; i++)
        if (gate->authorities[i].release != NULL)
            gate->authorities[i].release(gate->authorities[i].context);
    memory_free(gate);
}

static bool is_empty(const struct authority *authority)
{
    return authority->is_empty != NULL && authority->is_empty(authority->context);
}

bool login_gate_has_users(const struct login_gate *gate)
{
    for (uint32_t i = 0; i < gate->count; i++)
        if (!is_empty(&gate->authorities[i]))
            return true;
    return false;
}

// Nobody knows it. A password that was brought all the same costs what a wrong one does, or who is
// unknown would be told from who is known by the time it takes.
static const struct authority *who_spends(const struct login_gate *gate,
                                          const struct login_request *request)
{
    if (!request->has_user || !request->has_password)
        return NULL;
    for (uint32_t i = gate->count; i > 0; i--)
        if (gate->authorities[i - 1].spend != NULL && !is_empty(&gate->authorities[i - 1]))
            return &gate->authorities[i - 1];
    return NULL;
}

static enum login_verdict nobody(const struct login_request *request, struct login_result *result)
{
    if (!request->has_user)
        return LOGIN_NOT_MINE;
    result->why = request->has_password ? "unknown user" : "a user name without a password";
    return LOGIN_NO;
}

static enum login_verdict check_now(const struct authority *authority,
                                    const struct login_request *request,
                                    struct login_result *result)
{
    if (authority->check_now != NULL)
        return authority->check_now(authority->context, request, result);
    return authority->cost == AUTHORITY_IS_QUICK
               ? authority->check(authority->context, request, result)
               : LOGIN_ASK;
}

enum login_verdict login_ask_now(const struct login_gate *gate, const struct login_request *request,
                                 struct login_result *result)
{
    if (!login_gate_has_users(gate))
        return LOGIN_NOT_MINE;
    for (uint32_t i = 0; i < gate->count; i++) {
        enum login_verdict verdict = check_now(&gate->authorities[i], request, result);
        if (verdict == LOGIN_YES)
            result->kind = gate->authorities[i].kind;
        if (verdict != LOGIN_NOT_MINE)
            return verdict;
    }
    return who_spends(gate, request) != NULL ? LOGIN_ASK : nobody(request, result);
}

enum authority_cost login_cost(const struct login_gate *gate, uint32_t next)
{
    return next < gate->count && gate->authorities[next].cost == AUTHORITY_WAITS_LONG
               ? AUTHORITY_WAITS_LONG
               : AUTHORITY_IS_SLOW; // also what is spent in the end
}

enum login_verdict login_ask(const struct login_gate *gate, uint32_t *next,
                             enum authority_cost cost, const struct login_request *request,
                             struct login_result *result)
{
    for (; *next < gate->count; ++*next) {
        const struct authority *authority = &gate->authorities[*next];
        if (authority->cost != AUTHORITY_IS_QUICK && authority->cost != cost)
            return LOGIN_ASK;
        enum login_verdict verdict = authority->check(authority->context, request, result);
        if (verdict == LOGIN_YES)
            result->kind = authority->kind;
        if (verdict != LOGIN_NOT_MINE)
            return verdict;
    }
    const struct authority *spender = who_spends(gate, request);
    if (spender != NULL && cost != AUTHORITY_IS_SLOW)
        return LOGIN_ASK;
    if (spender != NULL)
        spender->spend(spender->context, request);
    return nobody(request, result);
}

bool login_may_know(const struct login_gate *gate, struct bytes user)
{
    if (!login_gate_has_users(gate))
        return true;
    for (uint32_t i = 0; i < gate->count; i++) {
        const struct authority *authority = &gate->authorities[i];
        if (authority->knows == NULL || authority->knows(authority->context, user))
            return true;
    }
    return false;
}

bool login_still_valid(const struct login_gate *gate, enum authority_kind kind, struct bytes user,
                       uint64_t entry)
{
    for (uint32_t i = 0; i < gate->count; i++) {
        const struct authority *authority = &gate->authorities[i];
        if (authority->kind == kind)
            return authority->still_valid == NULL ||
                   authority->still_valid(authority->context, user, entry);
    }
    return kind == AUTHORITY_CERTIFICATE; // nobody here was asked
}
