// SPDX-License-Identifier: MIT
#ifndef BUD_CMD_DATA_DIRECTORY_H
#define BUD_CMD_DATA_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

// Where the store is when nobody says: the system's place for root, the user's own for anybody
// else. False: there is no such place, or its name is too long.
bool data_directory_default(char *directory, size_t size);

#endif
