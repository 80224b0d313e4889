// SPDX-License-Identifier: MIT
#include "server/login_pool.h"

#include "base/assert.h"
#include "base/condition.h"
#include "base/memory.h"

#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define JOBS_MAX 64

// An authority that answers when it is told to, and what came back in which order.
struct scene {
    struct lock lock;
    struct condition changed;
    bool is_open; // the authority answers
    uint32_t asked, answered;
    char order[JOBS_MAX + 1]; // first letters of the users
    enum login_verdict verdicts[JOBS_MAX];
    struct login_gate *gate;
    struct login_pool *pool;
};

static enum login_verdict check(void *context, const struct login_request *request,
                                struct login_result *result)
{
    struct scene *scene = context;
    lock_take(&scene->lock);
    scene->asked++;
    condition_wake_all(&scene->changed);
    while (!scene->is_open)
        condition_wait(&scene->changed, &scene->lock);
    lock_release(&scene->lock);
    result->why = "asked";
    return bytes_equal(request->password, BYTES_OF("right")) ? LOGIN_YES : LOGIN_NO;
}

static enum login_verdict never_mine(void *context, const struct login_request *request,
                                     struct login_result *result)
{
    (void)context, (void)request, (void)result;
    return LOGIN_NOT_MINE;
}

static void done(void *context, struct login_job *job)
{
    struct scene *scene = context;
    lock_take(&scene->lock);
    scene->verdicts[scene->answered] = job->verdict;
    scene->order[scene->answered++] = (char)job->request.user.data[0];
    condition_wake_all(&scene->changed);
    lock_release(&scene->lock);
    login_job_free(job);
}

static void begin(struct scene *scene, uint32_t waiting_max)
{
    *scene = (struct scene){0};
    lock_init(&scene->lock);
    condition_init(&scene->changed);
    scene->gate = login_gate_new();
    login_gate_add(
        scene->gate,
        &(struct authority){.name = "a", .check = never_mine, .cost = AUTHORITY_WAITS_LONG});
    login_gate_add(scene->gate, &(struct authority){.kind = AUTHORITY_USERS,
                                                    .name = "b",
                                                    .context = scene,
                                                    .check = check,
                                                    .cost = AUTHORITY_IS_SLOW});
    scene->pool = login_pool_new(&(struct login_pool_options){.hash_threads = 1,
                                                              .wait_threads = 2,
                                                              .waiting_max = waiting_max,
                                                              .done = done,
                                                              .context = scene});
}

static void end(struct scene *scene)
{
    lock_take(&scene->lock);
    scene->is_open = true;
    condition_wake_all(&scene->changed);
    lock_release(&scene->lock);
    login_pool_free(scene->pool);
    login_gate_unref(scene->gate);
    condition_done(&scene->changed);
    lock_done(&scene->lock);
}

// Straight to the second authority, so that the order is the order of putting.
static bool put(struct scene *scene, uint8_t host, const char *user, const char *password)
{
    struct login_request request = {
        .user = bytes_make(user, strlen(user)),
        .password = bytes_make(password, strlen(password)),
        .has_user = true,
        .has_password = true,
        .peer = {.family = 4, .octets = {10, 0, 0, host}},
    };
    struct login_job *job = login_job_try_new(scene->gate, &request);
    job->next_authority = 1;
    bool is_in = login_pool_put(scene->pool, job);
    if (!is_in)
        login_job_free(job);
    return is_in;
}

static void wait_for(struct scene *scene, const uint32_t *count, uint32_t wanted)
{
    lock_take(&scene->lock);
    while (*count < wanted)
        condition_wait(&scene->changed, &scene->lock);
    lock_release(&scene->lock);
}

static void open_gate(struct scene *scene)
{
    lock_take(&scene->lock);
    scene->is_open = true;
    condition_wake_all(&scene->changed);
    lock_release(&scene->lock);
}

static void verdicts_come_back(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 10);
    open_gate(&scene);
    assert_true(put(&scene, 1, "a", "right"));
    assert_true(put(&scene, 1, "b", "wrong"));
    wait_for(&scene, &scene.answered, 2);
    assert_string_equal(scene.order, "ab");
    assert_int_equal(scene.verdicts[0], LOGIN_YES);
    assert_int_equal(scene.verdicts[1], LOGIN_NO);
    end(&scene);
}

static void who_waits_long_goes_on_to_who_hashes(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 10);
    open_gate(&scene);
    struct login_request request = {.user = BYTES_OF("a"), .password = BYTES_OF("right")};
    assert_true(login_pool_put(scene.pool, login_job_try_new(scene.gate, &request)));
    wait_for(&scene, &scene.answered, 1);
    assert_int_equal(scene.verdicts[0], LOGIN_YES);
    end(&scene);
}

static void addresses_take_turns(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 20);
    assert_true(put(&scene, 1, "x", ""));
    wait_for(&scene, &scene.asked, 1); // it holds the one thread
    for (int i = 0; i < 5; i++)
        assert_true(put(&scene, 1, "a", ""));
    assert_true(put(&scene, 2, "b", ""));
    assert_true(put(&scene, 3, "c", ""));
    assert_true(put(&scene, 2, "b", ""));
    open_gate(&scene);
    wait_for(&scene, &scene.answered, 9);
    assert_string_equal(scene.order, "xabcabaaa");
    end(&scene);
}

static void whoever_has_most_waiting_gives_way(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 4);
    assert_true(put(&scene, 1, "x", ""));
    wait_for(&scene, &scene.asked, 1);
    for (int i = 0; i < 4; i++)
        assert_true(put(&scene, 1, "a", ""));
    assert_false(put(&scene, 1, "a", ""));
    assert_int_equal(scene.answered, 0);
    assert_true(put(&scene, 2, "b", "")); // for the last of the first address
    assert_int_equal(scene.answered, 1);
    assert_int_equal(scene.verdicts[0], LOGIN_TRY_LATER);
    assert_int_equal(scene.order[0], 'a');
    assert_true(put(&scene, 2, "b", ""));
    assert_false(put(&scene, 2, "b", "")); // both have two
    assert_true(put(&scene, 3, "c", ""));
    assert_false(put(&scene, 4, "d", "") && put(&scene, 5, "e", "") && put(&scene, 6, "f", ""));
    end(&scene);
}

static void nobody_is_asked_about_who_went_away(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 4);
    assert_true(put(&scene, 1, "x", ""));
    wait_for(&scene, &scene.asked, 1);
    struct login_request request = {.user = BYTES_OF("a"), .password = BYTES_OF("right")};
    struct login_job *job = login_job_try_new(scene.gate, &request);
    job->next_authority = 1;
    atomic_store(&job->is_abandoned, true);
    assert_true(login_pool_put(scene.pool, job));
    open_gate(&scene);
    wait_for(&scene, &scene.answered, 2);
    assert_int_equal(scene.asked, 1);
    assert_int_equal(scene.verdicts[1], LOGIN_TRY_LATER);
    end(&scene);
}

static void what_waits_at_the_end_is_freed(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 20);
    assert_true(put(&scene, 1, "x", ""));
    wait_for(&scene, &scene.asked, 1);
    for (uint8_t i = 0; i < 10; i++)
        assert_true(put(&scene, i, "a", ""));
    end(&scene);
    login_pool_free(NULL);
}

static void without_memory_it_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, 20);
    open_gate(&scene);
    struct login_request request = {.user = BYTES_OF("a")};
    memory_fail(1, 1);
    assert_null(login_job_try_new(scene.gate, &request));
    memory_fail(0, 0);
    assert_true(put(&scene, 1, "x", ""));
    struct login_job *job = login_job_try_new(scene.gate, &request);
    job->request.peer.octets[15] = 9;
    memory_fail(1, 100);
    bool is_in = login_pool_put(scene.pool, job);
    memory_fail(0, 0);
    assert_false(is_in);
    login_job_free(job);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_come_back),
        cmocka_unit_test(who_waits_long_goes_on_to_who_hashes),
        cmocka_unit_test(addresses_take_turns),
        cmocka_unit_test(whoever_has_most_waiting_gives_way),
        cmocka_unit_test(nobody_is_asked_about_who_went_away),
        cmocka_unit_test(what_waits_at_the_end_is_freed),
        cmocka_unit_test(without_memory_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
