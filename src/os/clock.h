// SPDX-License-Identifier: MIT
#ifndef BUD_OS_CLOCK_H
#define BUD_OS_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_ms(void); // since boot, suspended time included (CLOCK_BOOTTIME)
int64_t clock_wall_ms(void);      // since 1970, may jump
int64_t clock_cpu_us(void);       // CPU time of this process

#endif
