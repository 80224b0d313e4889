// SPDX-License-Identifier: MIT
// Input first, output below. Between the two there is only say(), say_goodbye() and what is queued.
#include "transport/websocket.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "os/random.h"
#include "proto/utf8.h"

#include <errno.h>
#include <string.h>
#include <wslay/wslay.h>

enum {
    CONTROL_SIZE_MAX = 125,
    OPCODE_BINARY = 2,
    OPCODE_CLOSE = 8,
    OPCODE_PONG = 10,
    PIECES_IN_A_READ = 32, // without payload for the reader: control frames and empty ones
    PARTS_MAX = 64,
    MASKED_SIZE_MAX = 16384, // what a client masks at a time, on the stack
};

#define FRAME_SIZE_MAX ((size_t)256 << 10) // a pong cannot overtake a frame that is on its way

struct websocket {
    struct stream stream;
    bool is_client;

    wslay_frame_context_ptr frames;
    struct buffer early;  // was read before us
    ssize_t below_gave;   // the last time it was asked for input
    uint64_t buffered;    // bytes of frames that libwslay holds
    struct bytes payload; // libwslay's, for the reader
    bool in_frame;        // some of its payload came, and some will come
    bool in_message;      // its last frame will come
    uint8_t opcode;       // of the frame
    uint64_t frame_left;  // of its payload
    uint8_t control_size; // of a control frame's payload, that far
    uint8_t control[CONTROL_SIZE_MAX];
    const char *trouble; // what the peer did wrong
    bool peer_closed;    // its close frame came
    bool over;           // no read will give anything but the end or an error
    bool told;           // and one did

    uint8_t
        pending[WEBSOCKET_GREETING_SIZE_MAX]; // greeting, a header, or a control frame: going out
    uint16_t pending_size, pending_sent;
    uint8_t mask[4];   // of the frame
    size_t frame_size; // of the data frame that is going out
    size_t promised;   // what its header says and was not written yet; 0: between frames
    uint8_t pong[CONTROL_SIZE_MAX];
    uint8_t pong_size;
    bool pong_waits;
    bool close_waits;
    bool closing; // a close frame waits or went: nothing else follows
    bool shut;    // and then below is shut, too
    bool shut_below;
    uint16_t close_code; // 0: without one
};

static struct websocket *of(struct stream *stream)
{
    return (struct websocket *)(void *)stream;
}

static void say_goodbye(struct websocket *websocket, uint16_t code)
{
    if (websocket->closing)
        return;
    websocket->closing = websocket->close_waits = true;
    websocket->close_code = code;
}

static void answer_ping(struct websocket *websocket, struct bytes payload);
static int flush_own(struct websocket *websocket);

// ---------------------------------------------------------------------------------------------
// input

static size_t take_early(struct websocket *websocket, void *memory, size_t size)
{
    size_t given = size < websocket->early.size ? size : websocket->early.size;
    memcpy(memory, websocket->early.data, given);
    buffer_consume(&websocket->early, given);
    return given;
}

static ssize_t receive(uint8_t *memory, size_t size, int flags, void *context)
{
    struct websocket *websocket = context;
    (void)flags;
    if (websocket->early.size > 0)
        websocket->below_gave = (ssize_t)take_early(websocket, memory, size);
    else
        websocket->below_gave = stream_read(websocket->stream.below, memory, size);
    if (websocket->below_gave <= 0)
        return -1;
    websocket->buffered += (uint64_t)websocket->below_gave;
    return websocket->below_gave;
}

static int fail(struct websocket *websocket, enum websocket_close_code code, const char *why)
{
    websocket->trouble = why;
    websocket->over = true;
    say_goodbye(websocket, (uint16_t)code);
    return -EPROTO;
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

static int judge_opcode(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    if (frame->opcode == WSLAY_TEXT_FRAME) // [MQTT-6.0.0-1]
        return fail(websocket, WEBSOCKET_UNSUPPORTED_DATA,
                    "a text frame: MQTT goes in binary ones");
    if (frame->opcode > WSLAY_PONG || (frame->opcode > OPCODE_BINARY && !is_control(frame->opcode)))
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR, "a WebSocket frame of a kind that is not");
    if (frame->opcode == WSLAY_CONTINUATION_FRAME && !websocket->in_message)
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR,
                    "a WebSocket frame that continues nothing");
    if (frame->opcode == OPCODE_BINARY && websocket->in_message)
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR,
                    "a new WebSocket message within the one before");
    return 0;
}

static int judge_frame(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    if (frame->rsv != 0)
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR,
                    "a WebSocket frame with reserved bits: no extension was agreed on");
    if (frame->mask == websocket->is_client)
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR,
                    websocket->is_client ? "a masked WebSocket frame from a server"
                                         : "a WebSocket frame without a mask");
    return judge_opcode(websocket, frame);
}

static uint64_t header_size(const struct wslay_frame_iocb *frame)
{
    uint64_t length = frame->payload_length > UINT16_MAX ? 8 : frame->payload_length > 125 ? 2 : 0;
    return 2 + length + (frame->mask ? 4 : 0); // libwslay refuses lengths in a longer form
}

static bool is_close_code(unsigned code) // [RFC 6455 7.4], and those registered since
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int on_close(struct websocket *websocket, struct bytes payload)
{
    unsigned code = payload.size < 2 ? 0 : (unsigned)payload.data[0] << 8 | payload.data[1];
    if (payload.size == 1 || (payload.size > 1 && !is_close_code(code)))
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR, "a WebSocket close code that is none");
    if (payload.size > 2 && !utf8_well_formed(bytes_from(payload, 2)))
        return fail(websocket, WEBSOCKET_BAD_TEXT, "the reason of a WebSocket close is no UTF-8");
    websocket->peer_closed = websocket->over = true;
    say_goodbye(websocket, (uint16_t)code);
    return 0;
}

static int on_control(struct websocket *websocket)
{
    struct bytes payload = bytes_make(websocket->control, websocket->control_size);
    websocket->control_size = 0;
    if (websocket->opcode == OPCODE_CLOSE)
        return on_close(websocket, payload);
    if (websocket->opcode == WSLAY_PING)
        answer_ping(websocket, payload);
    return 0;
}

// A part of a frame, maybe all of it. -EPROTO, or 0.
static int take_part(struct websocket *websocket, const struct wslay_frame_iocb *part)
{
    if (!websocket->in_frame) {
        int error = judge_frame(websocket, part);
        if (error < 0)
            return error;
        websocket->opcode = part->opcode;
        websocket->frame_left = part->payload_length;
        websocket->buffered -= header_size(part);
        if (!is_control(part->opcode))
            websocket->in_message = !part->fin;
    }
    websocket->buffered -= part->data_length;
    websocket->frame_left -= part->data_length;
    websocket->in_frame = websocket->frame_left > 0;
    if (!is_control(part->opcode)) {
        websocket->payload = bytes_make(part->data, part->data_length);
        return 0;
    }
    if (part->data_length > 0)
        memcpy(websocket->control + websocket->control_size, part->data, part->data_length);
    websocket->control_size = (uint8_t)(websocket->control_size + part->data_length);
    return websocket->in_frame ? 0 : on_control(websocket);
}

// Libwslay needs more than it has: 1 (it got some meanwhile), 0 the end, -EAGAIN, -errno.
static int judge_starving(struct websocket *websocket)
{
    if (websocket->below_gave > 0)
        return 1;
    if (websocket->below_gave != -EAGAIN)
        websocket->over = true;
    return (int)websocket->below_gave;
}

// One step: 1 go on, 0 the end, -EAGAIN, -EPROTO, -errno.
static int step(struct websocket *websocket)
{
    struct wslay_frame_iocb part = {0};
    ssize_t size = wslay_frame_recv(websocket->frames, &part);
    if (size == WSLAY_ERR_WANT_READ)
        return judge_starving(websocket);
    if (size < 0)
        return fail(websocket, WEBSOCKET_PROTOCOL_ERROR, "a malformed WebSocket frame");
    int error = take_part(websocket, &part);
    return error < 0 ? error : !websocket->peer_closed;
}

// As `step`, until there is payload (1).
static int find_payload(struct websocket *websocket)
{
    int result = 1;
    for (int i = 0; i < PIECES_IN_A_READ; i++) {
        result = step(websocket);
        if (result <= 0 || websocket->payload.size > 0)
            return result;
    }
    return -EAGAIN; // has_input says that there is more
}

static size_t take_payload(struct websocket *websocket, uint8_t *memory, size_t size)
{
    size_t given = size < websocket->payload.size ? size : websocket->payload.size;
    if (given > 0)
        memcpy(memory, websocket->payload.data, given);
    websocket->payload = bytes_from(websocket->payload, given);
    return given;
}

static bool may_find_more(const struct websocket *websocket)
{
    return websocket->buffered > 0 || websocket->early.size > 0;
}

static ssize_t read_until_full(struct websocket *websocket, uint8_t *memory, size_t size)
{
    size_t given = take_payload(websocket, memory, size);
    while (given < size && (given == 0 || may_find_more(websocket))) {
        int result = find_payload(websocket);
        if (result <= 0)
            return given > 0 ? (ssize_t)given : result;
        given += take_payload(websocket, memory + given, size - given);
    }
    return (ssize_t)given;
}

static ssize_t end_of(struct websocket *websocket)
{
    websocket->told = true;
    if (websocket->trouble != NULL)
        return -EPROTO;
    return websocket->peer_closed ? 0 : websocket->below_gave;
}

static ssize_t read_payload(struct stream *stream, void *memory, size_t size)
{
    struct websocket *websocket = of(stream);
    if (websocket->over && websocket->payload.size == 0)
        return end_of(websocket);
    ssize_t result = read_until_full(websocket, memory, size);
    if (result <= 0 && websocket->over)
        websocket->told = true;
    // An error of writing is for the next write to find, and a socket that is full for `flush`.
    if (websocket->pong_waits || websocket->close_waits)
        (void)flush_own(websocket);
    return result;
}

static bool has_input(const struct stream *stream)
{
    const struct websocket *websocket = (const struct websocket *)(const void *)stream;
    if (websocket->payload.size > 0)
        return true;
    if (websocket->over)
        return !websocket->told;
    return websocket->early.size > 0 || (websocket->buffered > 0 && websocket->below_gave > 0);
}

// --------------------------------------------------------------------------------------------
// output

static void append_pending(struct websocket *websocket, const void *data, size_t size)
{
    ASSERT(websocket->pending_size + size <= sizeof(websocket->pending));
    if (size > 0)
        memcpy(websocket->pending + websocket->pending_size, data, size);
    websocket->pending_size = (uint16_t)(websocket->pending_size + size);
}

static size_t pending_left(const struct websocket *websocket)
{
    return (size_t)(websocket->pending_size - websocket->pending_sent);
}

static void sent_pending(struct websocket *websocket, size_t size)
{
    websocket->pending_sent = (uint16_t)(websocket->pending_sent + size);
    if (websocket->pending_sent == websocket->pending_size)
        websocket->pending_size = websocket->pending_sent = 0;
}

static void apply_mask(const uint8_t mask[4], size_t position, uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] ^= mask[(position + i) % 4];
}

// Always a last frame: nothing of ours is fragmented.
static void append_header(struct websocket *websocket, uint8_t opcode, uint64_t size)
{
    uint8_t header[14] = {(uint8_t)(0x80 | opcode)};
    size_t used = 2;
    unsigned octets = size > UINT16_MAX ? 8 : size > 125 ? 2 : 0;
    header[1] = (uint8_t)(octets == 0 ? size : octets == 2 ? 126 : 127);
    for (unsigned i = octets; i > 0; i--)
        header[used++] = (uint8_t)(size >> (8 * (i - 1)));
    if (websocket->is_client) {
        header[1] |= 0x80;
        random_bytes(websocket->mask, sizeof(websocket->mask));
        memcpy(header + used, websocket->mask, sizeof(websocket->mask));
        used += sizeof(websocket->mask);
    }
    append_pending(websocket, header, used);
}

static void append_control(struct websocket *websocket, uint8_t opcode, struct bytes payload)
{
    append_header(websocket, opcode, payload.size);
    size_t start = websocket->pending_size;
    append_pending(websocket, payload.data, payload.size);
    if (websocket->is_client)
        apply_mask(websocket->mask, 0, websocket->pending + start, payload.size);
}

static void append_close(struct websocket *websocket)
{
    uint8_t code[2] = {(uint8_t)(websocket->close_code >> 8), (uint8_t)websocket->close_code};
    size_t size = websocket->close_code == 0 ? 0 : sizeof(code);
    append_control(websocket, OPCODE_CLOSE, bytes_make(code, size));
    websocket->close_waits = false;
}

// The next control frame becomes pending; false: there is none.
static bool queue_control(struct websocket *websocket)
{
    if (websocket->pong_waits) {
        append_control(websocket, OPCODE_PONG, bytes_make(websocket->pong, websocket->pong_size));
        websocket->pong_waits = false;
    } else if (websocket->close_waits) {
        append_close(websocket);
    } else {
        return false;
    }
    return true;
}

static int write_pending(struct websocket *websocket)
{
    while (pending_left(websocket) > 0) {
        struct iovec part = {websocket->pending + websocket->pending_sent, pending_left(websocket)};
        ssize_t wrote = stream_writev(websocket->stream.below, &part, 1);
        if (wrote <= 0)
            return wrote == 0 ? -EAGAIN : (int)wrote;
        sent_pending(websocket, (size_t)wrote);
    }
    return 0;
}

// All that is not payload. In the middle of a data frame that is what its header has left: the rest
// of the frame comes from whoever writes, and control frames wait for its end. 0, -EAGAIN, -errno.
static int flush_own(struct websocket *websocket)
{
    int error;
    do
        error = websocket->shut_below ? 0 : write_pending(websocket);
    while (error == 0 && websocket->promised == 0 && !websocket->shut_below &&
           queue_control(websocket));
    return error;
}

static int flush(struct stream *stream)
{
    struct websocket *websocket = of(stream);
    int error = flush_own(websocket);
    if (error == 0 && websocket->shut && !websocket->shut_below) {
        websocket->shut_below = true;
        stream_shut(stream->below);
    }
    return error == 0 ? stream_flush(stream->below) : error;
}

// Only the newest ping needs an answer [RFC 6455 5.5.3], so nothing piles up when the socket is
// full; while it is not, each is answered.
static void answer_ping(struct websocket *websocket, struct bytes payload)
{
    if (websocket->closing)
        return;
    if (websocket->pong_waits)
        (void)flush_own(websocket);
    websocket->pong_waits = true;
    websocket->pong_size = (uint8_t)payload.size;
    if (payload.size > 0)
        memcpy(websocket->pong, payload.data, payload.size);
}

static void begin_frame(struct websocket *websocket, const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count && size < FRAME_SIZE_MAX; i++)
        size += parts[i].iov_len;
    size = size < FRAME_SIZE_MAX ? size : FRAME_SIZE_MAX;
    websocket->frame_size = websocket->promised = size;
    if (size > 0)
        append_header(websocket, OPCODE_BINARY, size);
}

// A copy of the payload that comes next, masked. Returns its size.
static size_t mask_parts(const struct websocket *websocket, const struct iovec *parts, int count,
                         uint8_t memory[MASKED_SIZE_MAX])
{
    size_t room = websocket->promised < MASKED_SIZE_MAX ? websocket->promised : MASKED_SIZE_MAX;
    size_t used = 0;
    for (int i = 0; i < count && used < room; i++) {
        size_t size = parts[i].iov_len < room - used ? parts[i].iov_len : room - used;
        memcpy(memory + used, parts[i].iov_base, size);
        used += size;
    }
    apply_mask(websocket->mask, websocket->frame_size - websocket->promised, memory, used);
    return used;
}

// What is left of the header, and so much payload as belongs to the frame. Returns their number.
static int gather(struct websocket *websocket, const struct iovec *parts, int count,
                  struct iovec *ret_all)
{
    int used = 0;
    size_t left = websocket->promised;
    if (pending_left(websocket) > 0)
        ret_all[used++] =
            (struct iovec){websocket->pending + websocket->pending_sent, pending_left(websocket)};
    for (int i = 0; i < count && left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        ret_all[used++] = (struct iovec){parts[i].iov_base, size};
        left -= size;
    }
    return used;
}

static ssize_t write_plain(struct websocket *websocket, const struct iovec *parts, int count)
{
    struct iovec all[PARTS_MAX + 1];
    return stream_writev(websocket->stream.below, all, gather(websocket, parts, count, all));
}

static ssize_t write_masked(struct websocket *websocket, const struct iovec *parts, int count)
{
    uint8_t memory[MASKED_SIZE_MAX];
    struct iovec masked = {memory, mask_parts(websocket, parts, count, memory)};
    return write_plain(websocket, &masked, 1);
}

static ssize_t write_frame(struct stream *stream, const struct iovec *parts, int count)
{
    struct websocket *websocket = of(stream);
    count = count < PARTS_MAX ? count : PARTS_MAX;
    if (websocket->closing && (websocket->promised == 0 || websocket->shut_below))
        return -EPIPE; // what was begun is finished, or the close frame would be in the middle of
                       // it
    if (websocket->promised == 0) {
        int error = flush_own(websocket);
        if (error < 0)
            return error;
        begin_frame(websocket, parts, count);
        if (websocket->promised == 0)
            return 0;
    }
    ssize_t wrote = websocket->is_client ? write_masked(websocket, parts, count)
                                         : write_plain(websocket, parts, count);
    bool begun = websocket->pending_sent > 0 || websocket->pending_size == 0;
    if (wrote <= 0) {
        if (!begun) // so that another frame may come first
            websocket->promised = websocket->pending_size = 0;
        return wrote == 0 ? -EAGAIN : wrote;
    }
    size_t header = pending_left(websocket);
    header = header < (size_t)wrote ? header : (size_t)wrote;
    sent_pending(websocket, header);
    websocket->promised -= (size_t)wrote - header;
    if (websocket->promised == 0 && (websocket->pong_waits || websocket->close_waits))
        (void)flush_own(websocket); // an error of it is the next write's
    return (size_t)wrote > header ? wrote - (ssize_t)header : -EAGAIN;
}

static void shut(struct stream *stream)
{
    struct websocket *websocket = of(stream);
    websocket->shut = true;
    // Within a frame there is no place for another one, and the rest of this will not come.
    bool cut = websocket->promised > 0;
    if (cut)
        websocket->closing = websocket->shut_below = true;
    else
        say_goodbye(websocket, websocket->close_code);
    if (cut)
        stream_shut(stream->below);
    else
        (void)flush(stream);
}

// ------------------------------------------------------------------------------------------- the
// stream

static void free_websocket(struct stream *stream)
{
    struct websocket *websocket = of(stream);
    wslay_frame_context_free(websocket->frames);
    buffer_done(&websocket->early);
    memory_free(websocket);
}

static const struct stream_class class = {
    .name = "websocket",
    .read = read_payload,
    .writev = write_frame,
    .flush = flush,
    .has_input = has_input,
    .shut = shut,
    .free = free_websocket,
};

bool websocket_is(const struct stream *stream)
{
    return stream != NULL && stream->class == &class;
}

struct stream *websocket_try_new(struct stream *below, const struct websocket_start *start)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = receive};
    struct websocket *websocket = memory_try_new(sizeof(*websocket));
    if (websocket == NULL)
        return NULL;
    websocket->stream.class = &class;
    websocket->stream.below = below;
    websocket->is_client = start->is_client;
    websocket->close_code = WEBSOCKET_NORMAL;
    websocket->below_gave = -EAGAIN;
    append_pending(websocket, start->greeting.data, start->greeting.size);
    bool has_all = buffer_try_append(&websocket->early, start->already_read, SIZE_MAX);
    if (!has_all || wslay_frame_context_init(&websocket->frames, &callbacks, websocket) != 0) {
        buffer_done(&websocket->early);
        memory_free(websocket);
        return NULL;
    }
    return &websocket->stream;
}

void websocket_set_close_code(struct stream *stream, enum websocket_close_code code)
{
    if (!of(stream)->closing)
        of(stream)->close_code = (uint16_t)code;
}

const char *websocket_trouble(const struct stream *stream)
{
    return ((const struct websocket *)(const void *)stream)->trouble;
}
