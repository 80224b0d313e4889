// SPDX-License-Identifier: MIT
// Is this text one that MQTT allows? [MQTT-1.5.4-1] [MQTT-1.5.4-2]
#ifndef BUD_PROTO_UTF8_H
#define BUD_PROTO_UTF8_H

#include "proto/bytes.h"

// True for well-formed UTF-8 (shortest forms, no surrogates, at most U+10FFFF) without U+0000.
// Control characters and non-characters are allowed: the specification only permits refusing them.
bool utf8_valid(struct bytes text);

// The same without the rule on U+0000: what a payload declared as UTF-8 must be [MQTT5 3.3.2.3.2].
bool utf8_well_formed(struct bytes text);

#endif
