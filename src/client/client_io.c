// SPDX-License-Identifier: MIT
// The byte side of a client: one buffer each way, and waiting. While the server takes nothing its
// own bytes are read, because it may be waiting for us to do so.
#include "client/client_parts.h"

#include <errno.h>

#define READ_SIZE 16384u
#define SLICE_MS 50 // how long to wait for room before looking at the other direction again

struct bytes client_input(const struct client *client)
{
    return bytes_from(buffer_bytes(&client->input), client->input_taken);
}

// The caller still looks at a message in the input, so those bytes stay where they are until it
// comes back, and reading goes on in a copy of what was not taken.
static bool try_set_aside(struct client *client)
{
    struct buffer fresh = {0};

    if (!buffer_try_append(&fresh, client_input(client), SIZE_MAX))
        return false;
    client->held = client->input;
    client->input = fresh;
    client->input_taken = 0;
    client->message_out = false;
    return true;
}

static bool try_make_room(struct client *client, size_t room)
{
    if (client->message_out && !try_set_aside(client))
        return false;
    if (client->input_taken > 0)
        buffer_consume(&client->input, client->input_taken);
    client->input_taken = 0;
    return buffer_try_reserve(&client->input, room, (size_t)client->packet_size_max + READ_SIZE);
}

// Bytes that are there now: more than 0, -EAGAIN, -ECONNRESET at the end, -errno.
static ssize_t read_once(struct client *client, size_t needed)
{
    struct buffer *input = &client->input;
    size_t room = needed > READ_SIZE ? needed : READ_SIZE;
    ssize_t size;

    if (!try_make_room(client, room))
        return -ENOMEM;
    size = client->transport.read(client->transport.context, input->data + input->size, room);
    if (size > 0)
        input->size += (size_t)size;
    return size == 0 ? -ECONNRESET : size;
}

int client_fill(struct client *client, size_t needed, int timeout_ms)
{
    // A claimed size is not memory yet: at most doubled by what really came.
    size_t step = client_input(client).size + READ_SIZE;
    ssize_t size = read_once(client, needed < step ? needed : step);

    if (size == -EAGAIN) {
        int ready = client->transport.wait(client->transport.context, false, timeout_ms);

        if (ready <= 0)
            return ready;
        size = read_once(client, needed < step ? needed : step);
    }
    if (size == -EAGAIN)
        return 0;
    return size < 0 ? (int)size : 1;
}

// Nothing could be written: wait a slice for room, and read what came meanwhile. 0 or -errno.
static int wait_for_room(struct client *client)
{
    int ready = client->transport.wait(client->transport.context, true, SLICE_MS);
    ssize_t size;

    if (ready != 0)
        return ready < 0 ? ready : 0;
    if (client_input(client).size > client->packet_size_max)
        return 0; // enough is held already; nobody can read it before this call ends
    size = read_once(client, READ_SIZE);
    return size > 0 || size == -EAGAIN ? 0 : (int)size;
}

static int write_all(struct client *client, struct bytes bytes)
{
    int64_t end_ms = client_now_ms(client) + client->timeout_ms;

    while (bytes.size > 0) {
        ssize_t size = client->transport.write(client->transport.context, bytes.data, bytes.size);

        if (size > 0) {
            bytes = bytes_from(bytes, (size_t)size);
            end_ms = client_now_ms(client) + client->timeout_ms;
            continue;
        }
        if (size < 0 && size != -EAGAIN)
            return (int)size;
        if (client_now_ms(client) >= end_ms)
            return -ETIMEDOUT;
        size = wait_for_room(client);
        if (size < 0)
            return (int)size;
    }
    client->sent_ms = client_now_ms(client);
    return 0;
}

int client_flush(struct client *client)
{
    int error = write_all(client, buffer_bytes(&client->output));

    client->output.size = 0; // the memory stays for the next packet
    return error;
}

int client_send_through(struct client *client, struct bytes bytes)
{
    int error = client_flush(client);

    return error ? error : write_all(client, bytes);
}

struct writer client_queue(struct client *client, size_t size)
{
    struct buffer *output = &client->output;

    if (!buffer_try_reserve(output, size, SIZE_MAX))
        return (struct writer){.bad = true};
    return writer_of(output->data + output->size, size);
}

void client_queued(struct client *client, const struct writer *writer)
{
    if (!writer->bad)
        client->output.size += writer->size;
}
