// SPDX-License-Identifier: MIT
// The machine that the simulated broker believes to run on: a clock, random bytes, a network, a
// standard error. The os_*.c files show it to the broker as os/; this header is its other face, for
// whoever plays the outside world: world.c, the tests, the fuzzer. There is one machine at a time
// and one thread. Time stands still while anything runs; what happens next follows from the seed
// and from the calls made, and from nothing else.
#ifndef BUD_SIM_MACHINE_H
#define BUD_SIM_MACHINE_H

#include "os/loop.h"
#include "os/net.h"
#include "proto/bytes.h"

// Far in the past of nobody: every moment of a run is after it.
#define MACHINE_START_MS INT64_C(1000000)

struct machine_options {
    uint64_t seed;
    uint32_t delay_min_ms, delay_max_ms; // of each segment, either way
    size_t segment_bytes_max;            // writes are cut into pieces of 1 to this; 0: whole
    size_t socket_bytes_max;             // under way in one direction before a socket is full
    uint32_t descriptor_count_max;
    uint64_t memory_bytes;
    bool shuffles; // the order of ready sockets, and how much a read returns, are chosen
    void (*on_log)(void *context, struct bytes line); // NULL: lines are only hashed
    void *context;
};

void machine_options_default(struct machine_options *options); // a calm network without delay
void machine_start(const struct machine_options *options);
void machine_stop(void); // the broker must have closed all its descriptors

int64_t machine_now_ms(void);
int64_t machine_next_ms(void); // the next arrival on the network; INT64_MAX: nothing is under way
void machine_advance_to(int64_t now_ms);
void machine_jump_wall_clock(int64_t by_ms);

// Numbers for the world's choices, from the machine's seed.
uint64_t machine_random(void);
uint64_t machine_below(uint64_t end);

// From now on the network is as calm and quick as the default one.
void machine_calm(void);

// The next `count` accepts fail so (-EMFILE, ...); 0 ends it.
void machine_fail_accepts(int error, uint32_t count);

// Everything that passed a socket or was logged so far, with its time, as one number.
uint64_t machine_trace_hash(void);
void machine_trace(uint64_t what, uint64_t who, struct bytes bytes);

// What a loop waits for: is a turn of its worker due now, and when will one be due in any case?
bool machine_loop_is_due(const struct loop *loop);
int64_t machine_loop_due_ms(const struct loop *loop);

// --- connections, seen from the far side ---

struct wire;

// Calls the broker. NULL: nobody listens. The peer's address is what the broker will see.
struct wire *wire_connect(const struct net_address *from);

size_t wire_write(struct wire *wire, struct bytes bytes);        // how many were taken
ssize_t wire_read(struct wire *wire, void *memory, size_t size); // as net_read
void wire_close(
    struct wire *wire); // FIN, as a process that ended: what still comes is answered RST
void wire_reset(struct wire *wire); // RST: what is still under way to the broker is lost
void wire_cut(struct wire *wire);   // half open: from now on nothing passes, and nobody is told
void wire_free(struct wire *wire);  // this side needs it no more; the broker's may live on

// For the oracle: moments at the broker's socket.
struct wire_times {
    uint64_t read_bytes;    // by the broker, in all
    bool was_blocked;       // the broker had to wait for room at least once
    int64_t read_ms;        // last read that got something, before the broker ended it
    int64_t closed_ms;      // the broker sent its end (FIN or RST); -1 not yet
    int64_t accepted_ms;    // -1 not yet
    int64_t gathered_ms;    // at the earliest, of the bytes that wire_read returned last
    int64_t written_ms;     // of the same
    uint64_t written_bytes; // by the far side, in all
};
const struct wire_times *wire_times(const struct wire *wire);

// When had the broker read the first `size` bytes of what was written? -1: not yet.
int64_t wire_read_moment(const struct wire *wire, uint64_t size);

#endif
