// SPDX-License-Identifier: MIT
// Any status (the first two bytes) and any body as the answer of a service, and any bytes as its
// Cache-Control. Must hold: yes is said by 200 and 204 alone, with no body or one that says
// "allow"; every refusal has a reason; topics are valid filters; nothing is kept too long.
#include "access/auth_http_answer.h"
#include "fuzz/fuzz.h"
#include "proto/topic.h"

#include <string.h>

static void check(const struct auth_http_answer *answer, long status, struct bytes body)
{
    bool is_refusal = answer->verdict == LOGIN_NO || answer->verdict == LOGIN_TRY_LATER;
    FUZZ_CHECK(is_refusal == (answer->why != NULL));
    FUZZ_CHECK(answer->verdict != LOGIN_ASK);
    if (answer->verdict != LOGIN_YES)
        return;
    FUZZ_CHECK(status == 200 || status == 204);
    FUZZ_CHECK(answer->json != NULL || memchr(body.data, '{', body.size) == NULL);
    FUZZ_CHECK(answer->expires_at_ms >= 0);
    for (size_t i = 0; i < answer->topics.count; i++)
        FUZZ_CHECK(topic_filter_valid(answer->topics.list[i].filter));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_http_answer answer;
    if (size < 2)
        return 0;
    long status = data[0] == 0 ? 200 : data[0] << 8 | data[1];
    struct bytes body = bytes_make(data + 2, size - 2);
    auth_http_answer_read(status, body, &answer);
    check(&answer, status, body);
    if (answer.verdict == LOGIN_YES && answer.json != NULL)
        FUZZ_CHECK(memmem(body.data, body.size, "allow", 5) != NULL);
    auth_http_answer_done(&answer);
    auth_http_answer_read_topics(status, body, &answer);
    check(&answer, status, body);
    FUZZ_CHECK(answer.verdict != LOGIN_YES || answer.json != NULL);
    auth_http_answer_done(&answer);
    FUZZ_CHECK(auth_http_answer_keep_s(body, 60, 3600) <= 3600);
    return 0;
}
