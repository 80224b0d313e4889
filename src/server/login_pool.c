// SPDX-License-Identifier: MIT
#include "server/login_pool.h"

#include "access/secret.h"
#include "base/assert.h"
#include "base/condition.h"
#include "base/map.h"
#include "base/memory.h"
#include "os/random.h"
#include "os/thread.h"

#include <string.h>

#define THREADS_MAX 64
#define HOST_SIZE 9 // family, and of IPv6 the network of 64 bits, which one customer has

// What waits from one address, oldest first.
struct address_queue {
    struct address_queue *next; // in the order in which addresses are served
    uint8_t host[HOST_SIZE];
    struct login_job *first, *last;
    uint32_t count;
};

// Threads of one kind, and what waits for them.
struct lane {
    struct login_pool *pool;
    enum authority_cost cost;
    struct condition changed;
    struct map by_host;
    struct address_queue *first, *last;
    uint32_t waiting;
    uint32_t thread_count, thread_count_max;
    struct thread *threads[THREADS_MAX];
};

struct login_pool {
    struct login_pool_options options;
    struct lock lock; // for all of the lanes
    bool stopping;
    struct lane hashing, asking;
};

struct login_job *login_job_try_new(struct login_gate *gate, const struct login_request *request)
{
    const struct bytes parts[] = {request->client_id, request->user, request->password};
    struct bytes *views[3];
    size_t size = sizeof(struct login_job) + parts[0].size + parts[1].size + parts[2].size;
    struct login_job *job = memory_try_new(size);
    if (job == NULL)
        return NULL;
    job->size = size;
    job->gate = login_gate_ref(gate);
    job->request = *request;
    views[0] = &job->request.client_id;
    views[1] = &job->request.user;
    views[2] = &job->request.password;
    uint8_t *at = job->secrets;
    for (int i = 0; i < 3; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        *views[i] = bytes_make(at, parts[i].size);
        at += parts[i].size;
    }
    return job;
}

void login_job_free(struct login_job *job)
{
    if (job == NULL)
        return;
    login_result_done(&job->result);
    login_gate_unref(job->gate);
    memory_free(job->post);
    secret_free(job, job->size);
}

static struct bytes host_of(const void *value)
{
    return bytes_make(((const struct address_queue *)value)->host, HOST_SIZE);
}

static void init_lane(struct login_pool *pool, struct lane *lane, enum authority_cost cost,
                      uint32_t thread_count_max)
{
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    lane->pool = pool;
    lane->cost = cost;
    lane->thread_count_max = thread_count_max < THREADS_MAX ? thread_count_max : THREADS_MAX;
    condition_init(&lane->changed);
    map_init(&lane->by_host, key, host_of);
}

struct login_pool *login_pool_new(const struct login_pool_options *options)
{
    struct login_pool *pool = memory_new(sizeof(*pool));
    pool->options = *options;
    lock_init(&pool->lock);
    init_lane(pool, &pool->hashing, AUTHORITY_IS_SLOW, options->hash_threads);
    init_lane(pool, &pool->asking, AUTHORITY_WAITS_LONG, options->wait_threads);
    return pool;
}

static struct lane *lane_for(struct login_pool *pool, const struct login_job *job)
{
    return login_cost(job->gate, job->next_authority) == AUTHORITY_WAITS_LONG ? &pool->asking
                                                                              : &pool->hashing;
}

static void append_queue(struct lane *lane, struct address_queue *queue)
{
    queue->next = NULL;
    if (lane->last == NULL)
        lane->first = queue;
    else
        lane->last->next = queue;
    lane->last = queue;
}

static void remove_queue(struct lane *lane, struct address_queue *queue)
{
    struct address_queue **at = &lane->first, *before = NULL;
    for (; *at != queue; at = &(*at)->next)
        before = *at;
    *at = queue->next;
    if (lane->last == queue)
        lane->last = before;
    map_remove(&lane->by_host, host_of(queue));
    memory_free(queue);
}

static struct address_queue *try_queue_for(struct lane *lane, const struct net_address *peer)
{
    uint8_t host[HOST_SIZE] = {peer->family};
    memcpy(host + 1, peer->octets, peer->family == 4 ? 4 : HOST_SIZE - 1);
    struct address_queue *queue = map_find(&lane->by_host, bytes_make(host, HOST_SIZE));
    if (queue != NULL)
        return queue;
    queue = memory_try_new(sizeof(*queue));
    if (queue == NULL)
        return NULL;
    memcpy(queue->host, host, HOST_SIZE);
    if (!map_try_put(&lane->by_host, queue)) {
        memory_free(queue);
        return NULL;
    }
    append_queue(lane, queue);
    return queue;
}

// The last job of the address that has the most, which gives way; NULL: that is `newcomer` itself.
static struct login_job *make_room(struct lane *lane, const struct address_queue *newcomer)
{
    struct address_queue *longest = lane->first;
    for (struct address_queue *queue = lane->first; queue != NULL; queue = queue->next)
        if (queue->count > longest->count)
            longest = queue;
    if (longest == newcomer || longest->count <= newcomer->count + 1)
        return NULL;
    struct login_job *before = longest->first, *job = longest->last;
    while (before->next != job) // it has at least two
        before = before->next;
    before->next = NULL;
    longest->last = before;
    longest->count--;
    lane->waiting--;
    return job;
}

static void append_job(struct lane *lane, struct address_queue *queue, struct login_job *job)
{
    job->next = NULL;
    if (queue->last == NULL)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
    queue->count++;
    lane->waiting++;
    condition_wake_one(&lane->changed);
}

// Addresses take turns.
static struct login_job *take_job(struct lane *lane)
{
    struct address_queue *queue = lane->first;
    struct login_job *job = queue->first;
    queue->first = job->next;
    queue->count--;
    lane->waiting--;
    if (queue->first == NULL) {
        remove_queue(lane, queue);
        return job;
    }
    lane->first = queue->next;
    if (lane->first == NULL)
        lane->last = NULL;
    append_queue(lane, queue);
    return job;
}

static void give_back(struct login_pool *pool, struct login_job *job, enum login_verdict verdict)
{
    job->verdict = verdict;
    pool->options.done(pool->options.context, job);
}

static void busy(struct login_pool *pool, struct login_job *job)
{
    job->result.why = "too many logins are waiting to be checked";
    give_back(pool, job, LOGIN_TRY_LATER);
}

static void decide(struct lane *lane, struct login_job *job)
{
    enum login_verdict verdict = LOGIN_TRY_LATER;
    if (!atomic_load_explicit(&job->is_abandoned, memory_order_relaxed))
        verdict =
            login_ask(job->gate, &job->next_authority, lane->cost, &job->request, &job->result);
    if (verdict != LOGIN_ASK)
        give_back(lane->pool, job, verdict);
    else if (!login_pool_put(lane->pool, job))
        busy(lane->pool, job);
}

static void run(void *argument)
{
    struct lane *lane = argument;
    struct login_pool *pool = lane->pool;
    lock_take(&pool->lock);
    while (!pool->stopping) {
        if (lane->waiting == 0) {
            condition_wait(&lane->changed, &pool->lock);
            continue;
        }
        struct login_job *job = take_job(lane);
        lock_release(&pool->lock);
        decide(lane, job);
        lock_take(&pool->lock);
    }
    lock_release(&pool->lock);
}

// As many as may be, with the first job; one will do when no more can be had.
static bool have_threads(struct lane *lane)
{
    const char *name = lane->cost == AUTHORITY_IS_SLOW ? "bud-login" : "bud-ask";
    if (lane->thread_count > 0)
        return true;
    while (lane->thread_count < lane->thread_count_max &&
           thread_start(&lane->threads[lane->thread_count], name, run, lane) == 0)
        lane->thread_count++;
    return lane->thread_count > 0;
}

// What gives way for it is put into *ret_evicted.
static bool put(struct lane *lane, struct login_job *job, struct login_job **ret_evicted)
{
    if (lane->pool->stopping || !have_threads(lane))
        return false;
    struct address_queue *queue = try_queue_for(lane, &job->request.peer);
    if (queue == NULL)
        return false;
    if (lane->waiting >= lane->pool->options.waiting_max)
        *ret_evicted = make_room(lane, queue);
    bool has_room = lane->waiting < lane->pool->options.waiting_max;
    if (has_room)
        append_job(lane, queue, job);
    else if (queue->count == 0)
        remove_queue(lane, queue);
    return has_room;
}

bool login_pool_put(struct login_pool *pool, struct login_job *job)
{
    struct login_job *evicted = NULL;
    lock_take(&pool->lock);
    bool is_in = put(lane_for(pool, job), job, &evicted);
    lock_release(&pool->lock);
    if (evicted != NULL)
        busy(pool, evicted);
    return is_in;
}

static void end_lane(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->thread_count; i++)
        thread_join(lane->threads[i]);
    while (lane->waiting > 0)
        give_back(lane->pool, take_job(lane), LOGIN_TRY_LATER);
    map_done(&lane->by_host);
    condition_done(&lane->changed);
}

void login_pool_free(struct login_pool *pool)
{
    if (pool == NULL)
        return;
    lock_take(&pool->lock);
    pool->stopping = true;
    condition_wake_all(&pool->hashing.changed);
    condition_wake_all(&pool->asking.changed);
    lock_release(&pool->lock);
    end_lane(&pool->hashing);
    end_lane(&pool->asking);
    lock_done(&pool->lock);
    memory_free(pool);
}
