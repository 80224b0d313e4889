// SPDX-License-Identifier: MIT
// The keys of session tickets, in a file, so that clients resume after the broker was started
// anew. A new key every day; tickets of the two before it are still read. Counted, and used by all
// threads at once. Who has the file can read what was said in resumed TLS 1.2 sessions of these
// three days, so it is for its owner alone, and keys of a file that is not are thrown away.
#ifndef BUD_TRANSPORT_TICKET_KEYS_H
#define BUD_TRANSPORT_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TICKET_NAME_SIZE = 16,
    TICKET_AES_SIZE = 32,
    TICKET_MAC_SIZE = 32,
    TICKET_KEYS_MAX = 3,
    TICKET_LIFETIME_S = 86400, // also the time between two new keys
};

struct ticket_key {
    int64_t made_at_s; // 0: there is none
    uint8_t name[TICKET_NAME_SIZE];
    uint8_t aes[TICKET_AES_SIZE];
    uint8_t mac[TICKET_MAC_SIZE];
};

struct ticket_keys;

// From this file, which is made if it is missing, damaged, or not for its owner alone. NULL or "":
// in memory only. *ret_error is 0, or -errno if the file could not be written: then the keys work
// all the same, and end with the process.
struct ticket_keys *ticket_keys_new(const char *path, int64_t now_ms, int *ret_error);
struct ticket_keys *ticket_keys_ref(struct ticket_keys *keys);
void ticket_keys_unref(struct ticket_keys *keys); // NULL is fine

// Makes a new key if the newest is a day old (or of a time to come). To be called now and then by
// one thread, which waits for the disk. 1 a new key, 0 not yet, -errno: it is new, but not in the
// file.
int ticket_keys_rotate(struct ticket_keys *keys, int64_t now_ms);

void ticket_keys_newest(struct ticket_keys *keys, struct ticket_key *ret_key);
// False: there is none of this name. *ret_newest: is it the newest?
bool ticket_keys_find(struct ticket_keys *keys, const uint8_t *name, struct ticket_key *ret_key,
                      bool *ret_newest);

#endif
