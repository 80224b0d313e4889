// SPDX-License-Identifier: MIT
// The messages of a client of SCRAM, with 0xFF between them: nobody gets in without the proof, an
// exchange that is over stays so, and what is answered is text of the right form. The one user's
// password is not known to anybody, so SCRAM_DONE is a broken promise.
#include "access/scram.h"
#include "fuzz/fuzz.h"

#include <string.h>

static bool find(void *context, struct bytes name, struct scram_verifier *ret_verifier)
{
    (void)context;
    if (!bytes_equal(name, BYTES_OF("user")))
        return false;
    *ret_verifier = (struct scram_verifier){.iterations = 4096, .salt_size = 16};
    memset(ret_verifier->stored_key, 0x5a, sizeof(ret_verifier->stored_key));
    return true;
}

static void check_answer(const struct scram *scram, struct bytes answer)
{
    FUZZ_CHECK(answer.size > 2 && memcmp(answer.data, "r=", 2) == 0);
    FUZZ_CHECK(scram->name_size > 0 && scram->nonce_size > SCRAM_NONCE_SIZE - 1);
    for (size_t i = 0; i < answer.size; i++)
        FUZZ_CHECK(answer.data[i] >= 0x20 && answer.data[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scram_secret secret;
    struct scram scram = {0};
    struct bytes rest = bytes_make(data, size);
    bool is_over = false;
    scram_set_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    for (int i = 0; i < 4; i++) {
        const uint8_t *end = rest.size > 0 ? memchr(rest.data, 0xFF, rest.size) : NULL;
        struct bytes message =
            bytes_make(rest.data, end != NULL ? (size_t)(end - rest.data) : rest.size);
        struct bytes answer = {0};
        enum scram_step step = scram_next(&scram, message, find, NULL, &secret, &answer);
        FUZZ_CHECK(step != SCRAM_DONE && !(is_over && step != SCRAM_MALFORMED));
        FUZZ_CHECK(i == 0 || step != SCRAM_CONTINUE);
        if (step == SCRAM_CONTINUE)
            check_answer(&scram, answer);
        is_over = step != SCRAM_CONTINUE;
        if (end == NULL)
            break;
        rest = bytes_from(rest, message.size + 1);
    }
    scram_set_nonce(NULL);
    return 0;
}
