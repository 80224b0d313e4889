// SPDX-License-Identifier: MIT
// Writes the seeds of fuzz/corpus/packet: every sample packet of every version, for both roles, and
// whole streams. Run it after a change of proto/samples.h:  fuzz_seeds fuzz/corpus/packet
#include "proto/samples.h"

#include <stdio.h>
#include <string.h>

#define ROLE_CLIENT 4
#define ENHANCED 8
#define OPEN 16
#define STREAM_SIZE_MAX 8000

static bool write_seed(const char *directory, const char *name, uint8_t version, uint8_t choice,
                       struct bytes stream)
{
    char path[4096];
    FILE *file;
    bool done;

    snprintf(path, sizeof(path), "%s/%s_%d_%s", directory, name, version,
             choice & ROLE_CLIENT ? "client" : "server");
    file = fopen(path, "wb");
    if (!file)
        return false;
    fputc(version - MQTT_3_1 + choice, file);
    done = fwrite(stream.data, 1, stream.size, file) == stream.size;
    return fclose(file) == 0 && done;
}

static bool write_sample(const char *directory, const struct sample *sample, uint8_t version)
{
    uint8_t memory[SAMPLE_SIZE_MAX];
    struct writer writer = writer_of(memory, sizeof(memory));
    bool opens = strncmp(sample->name, "conn", 4) == 0;
    uint8_t choice = (uint8_t)(ENHANCED | (opens ? 0 : OPEN));

    sample->write(&writer, version);
    return write_seed(directory, sample->name, version,
                      sample->to_server ? choice : choice | ROLE_CLIENT,
                      bytes_make(memory, writer.size));
}

static bool belongs(const struct sample *sample, uint8_t version, bool to_server)
{
    bool extra = strncmp(sample->name, "conn", 4) == 0 && !strstr(sample->name, "_least");

    return sample_is_of(sample, version) && !extra &&
           (to_server ? sample->to_server : sample->to_client);
}

static bool write_stream(const char *directory, uint8_t version, bool to_server)
{
    uint8_t memory[STREAM_SIZE_MAX];
    struct writer writer = writer_of(memory, sizeof(memory));

    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        if (belongs(&samples[i], version, to_server))
            samples[i].write(&writer, version);
    }
    return write_seed(directory, "stream", version, to_server ? ENHANCED : ENHANCED | ROLE_CLIENT,
                      bytes_make(memory, writer.size));
}

int main(int argc, char **argv)
{
    bool done = argc == 2;

    for (uint8_t version = MQTT_3_1; done && version <= MQTT_5_0; version++) {
        for (size_t i = 0; done && i < SAMPLE_COUNT; i++) {
            if (sample_is_of(&samples[i], version))
                done = write_sample(argv[1], &samples[i], version);
        }
        done =
            done && write_stream(argv[1], version, true) && write_stream(argv[1], version, false);
    }
    if (!done)
        fputs("usage: fuzz_seeds DIRECTORY (that exists)\n", stderr);
    return done ? 0 : 1;
}
