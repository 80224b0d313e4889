// SPDX-License-Identifier: MIT
// The file beside the store into which goes what cannot be trusted any more, one JSON object a row:
// {"table":"delivery","key":…,"values":…,"reason":…}. Made with its first row.
#ifndef BUD_STORE_QUARANTINE_H
#define BUD_STORE_QUARANTINE_H

#include "store/table.h"

struct quarantine;

struct quarantine *quarantine_new(const char *directory, int64_t wall_ms);
void quarantine_free(struct quarantine *quarantine); // NULL is fine
void quarantine_row(struct quarantine *quarantine, const struct row *row, const char *reason);
uint64_t quarantine_count(const struct quarantine *quarantine);
const char *quarantine_path(const struct quarantine *quarantine);
bool quarantine_failed(const struct quarantine *quarantine); // could something not be written?

#endif
