// SPDX-License-Identifier: MIT
#include "server/reload.h"

#include "server/worker.h"

void server_at_standstill(struct server *server, void (*change)(void *context), void *context)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < server->worker_count; i++) {
        if (server->workers[i]->thread == NULL)
            continue; // the simulator's, or not started yet
        worker_stand(server->workers[i]);
        running++;
    }
    standstill_wait(&server->standstill, running);
    change(context);
    standstill_end(&server->standstill);
}

void server_add_watch(struct server *server, struct file_watch *watch)
{
    watch->next = server->watches;
    server->watches = watch;
}

void server_look_at_files(struct server *server)
{
    for (struct file_watch *watch = server->watches; watch != NULL; watch = watch->next)
        watch->look(watch, server);
}
