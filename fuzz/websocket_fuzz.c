// SPDX-License-Identifier: MIT
// Any bytes as WebSocket frames, cut as the first three bytes say: who reads, pieces that come, and
// blocks that are read into. Must hold: payload, end and answers are those of a reader that takes
// the whole input frame by frame and is too simple to be wrong, and reading takes no memory.
#include "fuzz/fuzz.h"
#include "proto/utf8.h"
#include "transport/memory_stream.h"
#include "transport/test_websocket.h"
#include "transport/websocket.h"

#define INPUT_MAX 20000

struct outcome {
    ssize_t result;
    struct writer payload, output;
};

// ---------------------------------------------------------------------------------------- the
// model

struct frame {
    unsigned first, opcode;
    bool masked;
    uint64_t size; // as it says
    struct bytes there;
    uint8_t mask[4];
};

enum found { FOUND, FOUND_MORE, FOUND_BAD };

// The next frame, as far as it is there. One of which not even a byte of the payload is there is
// not found yet.
static enum found frame_next(struct bytes *input, struct frame *frame)
{
    if (input->size < 2)
        return FOUND_MORE;
    frame->first = input->data[0];
    frame->opcode = frame->first & 15;
    frame->masked = (input->data[1] & 0x80) != 0;
    frame->size = input->data[1] & 0x7f;
    if ((frame->opcode & 8) && (frame->size > 125 || !(frame->first & 0x80)))
        return FOUND_BAD;
    size_t octets = frame->size == 126 ? 2 : frame->size == 127 ? 8 : 0, used = 2 + octets;
    if (input->size < used)
        return FOUND_MORE;
    for (size_t i = 0; i < octets; i++)
        frame->size = (i == 0 ? 0 : frame->size << 8) | input->data[2 + i];
    if ((octets == 2 && frame->size < 126) || (octets == 8 && frame->size < 65536) ||
        frame->size >> 63)
        return FOUND_BAD;
    if (input->size < used + (frame->masked ? 4 : 0))
        return FOUND_MORE;
    for (size_t i = 0; i < 4 && frame->masked; i++)
        frame->mask[i] = input->data[used++];
    struct bytes rest = bytes_from(*input, used);
    frame->there = bytes_make(rest.data, rest.size < frame->size ? rest.size : (size_t)frame->size);
    *input = bytes_from(rest, frame->there.size);
    return frame->size > 0 && frame->there.size == 0 ? FOUND_MORE : FOUND;
}

static unsigned judge(const struct frame *frame, bool is_client, bool in_message)
{
    if ((frame->first & 0x70) || frame->masked == is_client)
        return 1002;
    if (frame->opcode == TEXT)
        return 1003;
    if ((frame->opcode > BINARY && frame->opcode < CLOSE) || frame->opcode > PONG)
        return 1002;
    if (frame->opcode <= BINARY && (frame->opcode == CONTINUATION) != in_message)
        return 1002;
    return 0;
}

static void write_unmasked(struct writer *writer, const struct frame *frame)
{
    for (size_t i = 0; i < frame->there.size; i++)
        writer_u8(writer,
                  (uint8_t)(frame->there.data[i] ^ (frame->masked ? frame->mask[i % 4] : 0)));
}

static void close_with(struct outcome *outcome, unsigned code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    test_frame(&outcome->output, FIN | CLOSE, false, bytes_make(payload, code == 0 ? 0 : 2));
}

static bool model_close(struct outcome *outcome, struct bytes payload)
{
    unsigned code = payload.size < 2 ? 0 : (unsigned)payload.data[0] << 8 | payload.data[1];
    bool known = (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) ||
                 (code >= 3000 && code <= 4999);
    if (payload.size == 1 || (payload.size > 1 && !known))
        code = 1002;
    else if (payload.size > 2 && !utf8_well_formed(bytes_from(payload, 2)))
        code = 1007;
    else
        payload.size = 0;
    outcome->result = payload.size == 0 ? 0 : -EPROTO;
    close_with(outcome, code);
    return false;
}

// False: it is over.
static bool model_frame(struct outcome *outcome, const struct frame *frame)
{
    uint8_t memory[125];
    struct writer control = writer_of(memory, sizeof(memory));
    if (!(frame->opcode & 8)) {
        write_unmasked(&outcome->payload, frame);
        return true;
    }
    if (frame->there.size < frame->size)
        return true;
    write_unmasked(&control, frame);
    if (frame->opcode == CLOSE)
        return model_close(outcome, bytes_make(memory, control.size));
    if (frame->opcode == PING)
        test_frame(&outcome->output, FIN | PONG, false, bytes_make(memory, control.size));
    return true;
}

static void model(struct bytes input, bool is_client, struct outcome *outcome)
{
    bool in_message = false, goes_on = true;
    outcome->result = -EAGAIN;
    while (goes_on) {
        struct frame frame = {0};
        enum found found = frame_next(&input, &frame);
        unsigned code = found == FOUND_BAD ? 1002 : 0;
        if (found == FOUND_MORE)
            return;
        if (found == FOUND)
            code = judge(&frame, is_client, in_message);
        if (code != 0) {
            outcome->result = -EPROTO;
            close_with(outcome, code);
            return;
        }
        if (!(frame.opcode & 8))
            in_message = !(frame.first & 0x80);
        goes_on = model_frame(outcome, &frame);
    }
}

// ------------------------------------------------------------------------------------------- the
// real one

static void run(struct bytes input, const uint8_t *choice, struct outcome *outcome)
{
    static uint8_t block[4096];
    size_t piece = 1 + (size_t)choice[2] * 16, early = choice[1] & 31;
    struct memory_stream *socket = memory_stream_new();
    early = early < input.size ? early : input.size;
    struct websocket_start start = {.is_client = choice[0] & 1,
                                    .already_read = bytes_make(input.data, early)};
    struct stream *stream = websocket_try_new(&socket->stream, &start);
    FUZZ_CHECK(stream != NULL);
    socket->read_max = 1 + (size_t)(choice[1] >> 5) * 600;
    memory_stream_feed(socket, input.data + early, input.size - early);
    ssize_t got;
    for (;;) {
        uint64_t before = memory_try_count();
        got = stream_read(stream, block, piece);
        FUZZ_CHECK(socket->output.size > 0 || memory_try_count() == before);
        if (got > 0)
            writer_bytes(&outcome->payload, bytes_make(block, (size_t)got));
        else if (got != -EAGAIN || (!stream_has_input(stream) && memory_stream_left(socket) == 0))
            break;
    }
    outcome->result = got;
    FUZZ_CHECK((got == -EPROTO) == (websocket_trouble(stream) != NULL));
    if (!start.is_client)
        writer_bytes(&outcome->output, buffer_bytes(&socket->output));
    stream_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[4][2 * INPUT_MAX];
    if (size < 3 || size > INPUT_MAX)
        return 0;
    struct outcome expected = {.payload = writer_of(memory[0], sizeof(memory[0])),
                               .output = writer_of(memory[1], sizeof(memory[1]))};
    struct outcome real = {.payload = writer_of(memory[2], sizeof(memory[2])),
                           .output = writer_of(memory[3], sizeof(memory[3]))};
    bool is_client = data[0] & 1;
    struct bytes input = bytes_make(data + 3, size - 3);
    model(input, is_client, &expected);
    run(input, data, &real);
    FUZZ_CHECK(real.result == expected.result);
    FUZZ_CHECK(bytes_equal(bytes_make(real.payload.data, real.payload.size),
                           bytes_make(expected.payload.data, expected.payload.size)));
    if (!is_client) // a client's answers are masked with what nobody knows
        FUZZ_CHECK(bytes_equal(bytes_make(real.output.data, real.output.size),
                               bytes_make(expected.output.data, expected.output.size)));
    return 0;
}
