// SPDX-License-Identifier: MIT
#include "store/record.h"

#include "base/memory.h"

void record_done(struct record *record)
{
    message_unref(record->message);
    memory_free(record->text);
    record->message = NULL;
    record->text = NULL;
}
