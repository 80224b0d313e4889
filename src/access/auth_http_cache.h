// SPDX-License-Identifier: MIT
// Answers of a service, kept for a while: by HMAC-SHA-256 of the question under a random key, so
// that no password is kept. For any thread. Bounded by number and by bytes; the one longest unused
// goes first. Clients choose the questions.
#ifndef BUD_ACCESS_AUTH_HTTP_CACHE_H
#define BUD_ACCESS_AUTH_HTTP_CACHE_H

#include "proto/bytes.h"

struct auth_http_cache;

struct auth_http_cache *auth_http_cache_new(size_t count_max, size_t bytes_max);
void auth_http_cache_free(struct auth_http_cache *cache); // NULL is fine

// A copy of the answer, the caller's to free; false: there is none that still holds, or no memory.
bool auth_http_cache_get(struct auth_http_cache *cache, struct bytes question, int64_t now_ms,
                         long *ret_status, uint8_t **ret_body, size_t *ret_size);

// Without memory it is not kept.
void auth_http_cache_put(struct auth_http_cache *cache, struct bytes question, long status,
                         struct bytes body, int64_t until_ms);

#endif
