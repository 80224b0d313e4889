// SPDX-License-Identifier: MIT
// Logins that take long are decided here, in threads of their own: a worker never hashes and never
// waits. Two kinds of threads: few that hash, and some that wait for services. What waits is
// bounded, and served in turn by address, so that one address that guesses delays itself alone;
// when all is full, the address with the most waiting gives way.
// A job belongs to the pool from login_pool_put until it is handed back by `done`. An attacker
// controls how many come and all they bring.
#ifndef BUD_SERVER_LOGIN_POOL_H
#define BUD_SERVER_LOGIN_POOL_H

#include "access/login.h"

#include <stdatomic.h>

struct connection;
struct post;
struct login_pool;

struct login_job {
    struct login_job *next;
    struct login_gate *gate; // referenced
    uint32_t next_authority;
    struct login_request request; // views of `secrets`
    struct login_result result;
    enum login_verdict verdict;
    struct post *post;             // to bring it back by; owned
    uint32_t worker;               // where to
    struct connection *connection; // touched by that worker alone; NULL: it went away
    _Atomic bool is_abandoned;     // nobody wants to know any more
    size_t size;                   // of all of it
    uint8_t secrets[];             // client id, user, password
};

struct login_pool_options {
    uint32_t hash_threads, wait_threads;
    uint32_t waiting_max; // of each kind
    // The verdict is there. From any thread.
    void (*done)(void *context, struct login_job *job);
    void *context;
};

// Copies the request and takes a reference of the gate. NULL without memory.
struct login_job *login_job_try_new(struct login_gate *gate, const struct login_request *request);
void login_job_free(struct login_job *job); // wiped; NULL is fine

struct login_pool *login_pool_new(const struct login_pool_options *options);

// Takes the job over. False: it is full of others, or no thread could be started; the job is still
// the caller's. Threads are started with the first job of their kind.
bool login_pool_put(struct login_pool *pool, struct login_job *job);

// Waits for the threads; what waits is handed back undecided. NULL is fine.
void login_pool_free(struct login_pool *pool);

#endif
