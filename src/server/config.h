// SPDX-License-Identifier: MIT
// A configuration: what the command line and the file say, and the options that come of it. It owns
// every text that its options point to, so it lives as long as whoever uses them. Reading never
// stops at the first mistake: all are collected, each with its file and line. A configuration with
// errors has no options that may be used.
//
// The file is the operator's: trusted to be meant well, not to be well-formed. What reading takes
// is in proportion to its size, which is bounded.
#ifndef BUD_SERVER_CONFIG_H
#define BUD_SERVER_CONFIG_H

#include "proto/bytes.h"
#include "server/option_table.h"
#include "server/options.h"

#include <stdio.h>

#define CONFIG_FILE_SIZE_MAX ((size_t)16 << 20)
#define CONFIG_PORTS_MAX 10 // -p on the command line, as often as Mosquitto takes it

enum complaint_kind { COMPLAINT_ERROR, COMPLAINT_WARNING, COMPLAINT_NOTE };

struct complaint {
    struct complaint *next;
    enum complaint_kind kind;
    const char *file; // "" no place in a file
    uint32_t line;
    const char *text;
};

struct config;

struct config *config_new(void);
void config_free(struct config *config); // NULL is fine

// What the command line says: it wins over the file. 0, -ENOENT (no option of this name), or
// -EINVAL with a sentence in `error` (OPTION_ERROR_MAX bytes).
int config_set(struct config *config, const char *name, const char *value, char *error);
// Unknown keys in the file become warnings.
void config_be_lenient(struct config *config);

// Reads the file (NULL: there is none) and settles the options. 0, or -EINVAL: see the complaints.
int config_read(struct config *config, const char *path);
// The same of a text that is called `name`; for tests.
int config_read_text(struct config *config, const char *name, struct bytes text);
// A new one of the same command line and file, read again.
int config_read_again(const struct config *config, struct config **ret_config);

const struct options *config_options(const struct config *config);
struct options *config_options_for_change(struct config *config); // before anybody uses them
const struct complaint *config_complaints(const struct config *config);
const char *config_path(const struct config *config); // NULL without a file

// Every effective value with where it was said.
void config_print_effective(const struct config *config, FILE *stream);
// A complete file that reads back to the same options.
void config_print_file(const struct config *config, FILE *stream);

// ---- reload ----

// What two configurations differ in; `listener` is NULL for a global option. `restart`: it takes
// effect at the next start. Returns how many there were.
typedef void config_on_difference(void *context, const struct option_row *row,
                                  const struct listener_options *listener, bool restart);
uint32_t config_compare(const struct options *old, const struct options *next,
                        config_on_difference *on_difference, void *context);
// Do both listen in the same place?
bool listener_options_same_place(const struct listener_options *a,
                                 const struct listener_options *b);

#endif
