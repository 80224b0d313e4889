// SPDX-License-Identifier: MIT
// The real broker on the simulated machine: its workers' turns, one at a time, in an order that the
// machine's random numbers choose. A turn happens when its worker has something to do; when nobody
// has, time may pass.
#ifndef BUD_SIM_BROKER_H
#define BUD_SIM_BROKER_H

#include "server/server.h"

struct broker {
    struct server *server;
    int64_t asleep_until_ms[EPOCH_WORKERS_MAX]; // a worker that the machine does not let run
};

// `worker_count` workers, everybody may come in, otherwise the defaults.
void broker_options(struct options *options, uint32_t worker_count);

void broker_start(struct broker *broker, const struct options *options);
void broker_stop(struct broker *broker); // says goodbye, ends all turns, frees; time passes

bool broker_turn(struct broker *broker);   // one turn; false: nobody has anything to do now
void broker_settle(struct broker *broker); // turns until nobody has
int64_t broker_next_ms(const struct broker *broker); // when something is due next, network included
void broker_run_to(struct broker *broker, int64_t until_ms); // all that happens up to then
void broker_run_for(struct broker *broker, int64_t span_ms);

#endif
