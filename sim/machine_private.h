// SPDX-License-Identifier: MIT
// Between machine.c, wire.c and the os_*.c files only.
#ifndef BUD_SIM_MACHINE_PRIVATE_H
#define BUD_SIM_MACHINE_PRIVATE_H

#include "sim/machine.h"

#define DESCRIPTORS_MAX 1024
#define DESCRIPTOR_FIRST 3 // as if the three standard ones were open

enum descriptor_kind { DESCRIPTOR_FREE, DESCRIPTOR_LISTENER, DESCRIPTOR_STREAM };

struct descriptor {
    enum descriptor_kind kind;
    struct wire *wire; // of a stream
};

enum segment_kind { SEGMENT_BYTES, SEGMENT_END, SEGMENT_RESET };

// What is sent in one piece arrives in one piece.
struct segment {
    struct segment *next;
    enum segment_kind kind;
    int64_t arrives_ms;
    int64_t gathered_ms; // when the broker can have put it together at the earliest
    int64_t written_ms;
    size_t size, taken;
    uint8_t bytes[];
};

// One direction. Segments stay in order.
struct pipe {
    struct segment *first, *last;
    size_t size;   // bytes under way or waiting to be read
    bool ended;    // END or RESET was sent: nothing follows
    bool is_reset; // RESET was read
    bool has_end;  // END was read
};

struct read_mark {
    uint64_t bytes;
    int64_t read_ms;
};

struct wire {
    struct wire *next, *previous;
    uint32_t number;
    struct net_address from;
    struct pipe to_broker, to_far;
    bool waiting;     // in the listener's backlog
    bool near_closed; // the broker closed its descriptor
    bool far_closed;  // the far side has no process any more
    bool far_done;    // and forgot about the wire
    bool cut;
    bool blocked;          // the broker's last write did not take all
    int64_t blocked_ms;    // since when
    int64_t unanswered_ms; // cut: since when bytes of the broker's wait to be acknowledged; 0 none
    int user_timeout_ms;
    struct wire_times times;
    struct read_mark *marks;
    size_t mark_count, mark_capacity;
};

struct machine {
    struct machine_options options;
    bool running;
    int64_t now_ms, wall_offset_ms;
    uint64_t random;
    uint64_t trace_hash;
    int fail_accept_error;
    uint32_t fail_accept_count;
    struct descriptor descriptors[DESCRIPTORS_MAX];
    struct wire *wires, *wires_last;
    uint32_t wire_count;
};
extern struct machine machine;

struct descriptor *descriptor_at(int fd);
int descriptor_take(enum descriptor_kind kind, struct wire *wire); // or -EMFILE

bool pipe_is_readable(const struct pipe *pipe); // bytes, the end or a reset have arrived
ssize_t pipe_read(struct pipe *pipe, void *memory, size_t size, struct wire_times *times);
size_t pipe_room(const struct pipe *pipe);
void pipe_send(struct pipe *pipe, enum segment_kind kind, struct bytes bytes, int64_t gathered_ms);
void pipe_lose(struct pipe *pipe); // what has not arrived yet

bool wire_has_called(const struct wire *wire); // waits to be accepted
void wire_release(struct wire *wire);          // frees it if neither side needs it
void wire_note_read(struct wire *wire, size_t size);
bool wire_timed_out(const struct wire *wire);

#endif
