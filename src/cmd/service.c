// SPDX-License-Identifier: MIT
#include "cmd/service.h"

#include "os/clock.h"
#include "os/process.h"
#include "os/systemd.h"
#include "server/reload.h"
#include "server/worker.h"

#define LOOK_MS 250

// A worker that has nothing to do turns once a second all the same.
#define WORKER_SILENT_MS 10000

// Is every worker alive? A worker that is stuck must not be covered up by this thread.
static bool all_turn(const struct server *server)
{
    int64_t now_ms = clock_monotonic_ms();
    for (uint32_t i = 0; i < server->worker_count; i++)
        if (now_ms - atomic_load_explicit(&server->workers[i]->turned_ms, memory_order_relaxed) >
            WORKER_SILENT_MS)
            return false;
    return true;
}

static void reload(const struct service *service)
{
    (void)systemd_notify_reloading();
    service->reload(service->context);
    (void)systemd_notify("READY=1");
}

void service_run(const struct service *service)
{
    int64_t watchdog_ms = systemd_watchdog_ms();
    int64_t told_ms = clock_monotonic_ms();
    (void)systemd_notify("READY=1\nSTATUS=Carrying messages."); // whoever listens, hears it
    for (;;) {
        bool looks = watchdog_ms > 0 || service->server->watches != NULL;
        unsigned signals = process_wait_signals(looks ? LOOK_MS : -1);
        if ((signals & SIGNAL_STOP) != 0)
            break;
        if ((signals & SIGNAL_RELOAD) != 0)
            reload(service);
        if ((signals & SIGNAL_DUMP) != 0 && service->dump != NULL)
            service->dump(service->context);
        server_look_at_files(service->server);
        if (watchdog_ms > 0 && clock_monotonic_ms() - told_ms >= watchdog_ms - LOOK_MS &&
            all_turn(service->server)) {
            told_ms = clock_monotonic_ms();
            (void)systemd_notify("WATCHDOG=1");
        }
    }
    (void)systemd_notify("STOPPING=1");
}
