// SPDX-License-Identifier: MIT
// Mosquitto's file format to the letter: what is taken, what is a mistake and in which line, and
// which listeners come of it.
#include "server/config.h"

#include "server/option_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct config *read_text(const char *text)
{
    struct config *config = config_new();
    (void)config_read_text(config, "test.conf", bytes_make(text, strlen(text)));
    return config;
}

static const struct complaint *find(const struct config *config, enum complaint_kind kind,
                                    const char *words)
{
    const struct complaint *complaint = config_complaints(config);
    while (complaint != NULL && (complaint->kind != kind || !strstr(complaint->text, words)))
        complaint = complaint->next;
    return complaint;
}

static void print_complaints(const struct config *config)
{
    for (const struct complaint *complaint = config_complaints(config); complaint != NULL;
         complaint = complaint->next)
        print_error("%s:%u: %s\n", complaint->file, (unsigned)complaint->line, complaint->text);
}

static struct config *assert_good(const char *text)
{
    struct config *config = read_text(text);
    if (find(config, COMPLAINT_ERROR, "") != NULL)
        print_complaints(config);
    assert_null(find(config, COMPLAINT_ERROR, ""));
    return config;
}

static void assert_said(const char *text, enum complaint_kind kind, const char *words,
                        uint32_t line)
{
    struct config *config = read_text(text);
    const struct complaint *complaint = find(config, kind, words);
    if (complaint == NULL || complaint->line != line) {
        print_error("in:\n%s\nexpected in line %u: %s\n", text, (unsigned)line, words);
        print_complaints(config);
    }
    assert_non_null(complaint);
    assert_int_equal(complaint->line, line);
    config_free(config);
}

static void assert_mistake(const char *text, const char *words, uint32_t line)
{
    assert_said(text, COMPLAINT_ERROR, words, line);
}

static void assert_global(const char *text, const char *name, const char *value)
{
    struct config *config = assert_good(text);
    const struct option_row *row = option_find(name);
    char shown[OPTION_SHOWN_MAX];
    option_show(config_options(config), row, shown, sizeof(shown));
    assert_string_equal(shown, value);
    config_free(config);
}

static void assert_listener(const char *text, uint32_t number, const char *name, const char *value)
{
    struct config *config = assert_good(text);
    const struct options *options = config_options(config);
    char shown[OPTION_SHOWN_MAX];
    assert_true(number < options->listener_count);
    option_show(&options->listeners[number], option_find(name), shown, sizeof(shown));
    assert_string_equal(shown, value);
    config_free(config);
}

// Where it listens: "127.0.0.1:1883 ::1:1883".
static void assert_places(const char *text, const char *places)
{
    struct config *config = assert_good(text);
    const struct options *options = config_options(config);
    char found[512] = "";
    for (uint32_t i = 0; i < options->listener_count; i++) {
        const struct listener_options *listener = &options->listeners[i];
        size_t used = strlen(found);
        snprintf(found + used, sizeof(found) - used, "%s%s:%u%s", used > 0 ? " " : "",
                 listener->address, (unsigned)listener->port, listener->path);
    }
    assert_string_equal(found, places);
    config_free(config);
}

// ---- lines ----

static void comments_begin_in_the_first_column(void **state)
{
    (void)state;
    config_free(assert_good("# port x\n\r\n\n#\n"));
    assert_mistake("  # port 1\n", "first column", 1);
    assert_global("sys_interval 5 # as ever\n", "sys_interval", "5");
    assert_global("pid_file /run/x # not a comment\n", "pid_file", "/run/x # not a comment");
}

static void a_space_ends_a_key_and_a_tab_does_not(void **state)
{
    (void)state;
    assert_global("   sys_interval    7   \r\n", "sys_interval", "7");
    assert_mistake("\n\nsys_interval\t5\n", "a tab does not", 3);
    assert_mistake("sys_interval 5\t\n", "is not a time", 1);
    assert_global("pid_file \t /a b \t\r\n", "pid_file", "/a b");
}

static void numbers_are_strtol_without_junk(void **state)
{
    (void)state;
    assert_global("sys_interval 0x10", "sys_interval", "16");
    assert_global("sys_interval 010", "sys_interval", "8");
    assert_mistake("sys_interval 08", "'08'", 1);
    assert_mistake("sys_interval 5x", "'5x'", 1);
    assert_mistake("sys_interval", "needs a value", 1);
    assert_mistake("max_inflight_messages 65536", "from 0 to 65535", 1);
    assert_global("max_inflight_messages 1\nmax_inflight_messages 2\n", "max_inflight_messages",
                  "2");
}

static void booleans_have_two_words(void **state)
{
    (void)state;
    assert_global("persistence 1", "persistence", "true");
    assert_global("persistence true junk", "persistence", "true");
    assert_mistake("persistence yes", "'yes'", 1);
    assert_mistake("persistence True", "'True'", 1);
}

static void texts_are_said_once_and_are_utf8(void **state)
{
    (void)state;
    assert_mistake("pid_file /a\npid_file /b\n", "said already, in line 1", 2);
    assert_mistake("pid_file \xff\xfe", "not UTF-8", 1);
    assert_mistake("pid_file    ", "needs a value", 1);
    assert_global("response_information \"\"", "response_information", "");
}

static void nul_bytes_are_a_mistake(void **state)
{
    (void)state;
    struct config *config = config_new();
    assert_true(config_read_text(config, "x", BYTES_OF("pid_file a\0b\nsys_interval 3\n")) < 0);
    assert_non_null(find(config, COMPLAINT_ERROR, "NUL byte"));
    config_free(config);
}

static void unknown_keys_are_mistakes_unless_lenient(void **state)
{
    (void)state;
    assert_mistake("sys_interval 1\nalow_anonymous true\n", "Did you mean: allow_anonymous", 2);
    assert_mistake("rabbit 1\n", "--help", 1);
    assert_mistake("bind 127.0.0.1\n", "there is no option 'bind'", 1);
    struct config *config = config_new();
    config_be_lenient(config);
    assert_int_equal(config_read_text(config, "x", BYTES_OF("rabbit 1\n")), 0);
    assert_non_null(find(config, COMPLAINT_WARNING, "rabbit"));
    config_free(config);
}

static void every_mistake_is_told(void **state)
{
    (void)state;
    static const char text[] = "rabbit 1\nsys_interval x\nlistener\ncertfile /a\n";
    assert_mistake(text, "rabbit", 1);
    assert_mistake(text, "sys_interval", 2);
    assert_mistake(text, "listener needs a port", 3);
    assert_mistake(text, "certfile needs a keyfile", 4);
}

static void what_is_no_configuration_is_not_read_to_its_end(void **state)
{
    (void)state;
    size_t size = 4000000;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i += 2)
        memcpy(text + i, "x\n", 2);
    text[size] = 0;
    assert_said(text, COMPLAINT_ERROR, "too many mistakes", 1000);
    free(text);
}

// ---- listeners ----

static void without_listeners_it_is_for_this_machine(void **state)
{
    (void)state;
    assert_places("", "127.0.0.1:1883 ::1:1883");
    assert_listener("", 0, "allow_anonymous", "true");
    assert_places("max_connections 5\n", "127.0.0.1:1883 ::1:1883");
    assert_listener("max_connections 5\n", 1, "max_connections", "5");
    assert_places("password_file /x\n", "127.0.0.1:1883 ::1:1883");
    assert_listener("allow_anonymous false\n", 1, "allow_anonymous", "false");
}

static void listeners_end_that(void **state)
{
    (void)state;
    assert_places("listener 1884\n", ":1884");
    assert_listener("listener 1884\n", 0, "allow_anonymous", "false");
    assert_places("port 1885\n", ":1885");
    assert_listener("port 1885\n", 0, "allow_anonymous", "false");
    assert_places("bind_address 10.0.0.1\n", "10.0.0.1:1883");
    assert_places("listener 1\nlistener 2 ::1\nport 3\n", ":1 ::1:2 :3");
    assert_places("listener 0 /run/x y.sock\n", ":0/run/x y.sock");
    assert_places("listener 0 x.sock\n", ":0x.sock");
    assert_places("listener 0 127.0.0.1\n", "127.0.0.1:0");
    assert_mistake("port 0\nbind_address example.org\n", "numeric address", 2);
    assert_mistake("listener 65536\n", "listener: port", 1);
    assert_mistake("listener -1\n", "listener: port", 1);
    assert_mistake("listener 1\nlistener 2\nlistener 1\n", "already", 3);
    assert_said("port 1\nport 2\n", COMPLAINT_WARNING, "only this one counts", 2);
}

static void lines_belong_to_the_listener_above(void **state)
{
    (void)state;
    static const char text[] = "listener 1\nmax_qos 1\nlistener 2\nmaximum_qos 0\nlistener 3\n";
    assert_listener(text, 0, "max_qos", "1");
    assert_listener(text, 1, "max_qos", "0");
    assert_listener(text, 2, "max_qos", "2");
    assert_mistake("mount_point a/\nlistener 1\n", "needs a `listener PORT`", 1);
    assert_mistake("max_topic_alias_broker 1\n", "needs a `listener PORT`", 1);
    assert_said("max_qos 1\nlistener 1\n", COMPLAINT_WARNING, "one more listener", 1);
    assert_places("max_qos 1\nlistener 1\n", ":1 :1883");
    assert_places("max_qos 2\nlistener 1\n", ":1");
    assert_mistake("max_qos 1\nlistener 1883\n", "port 1883, which is taken", 1);
}

static void security_is_everybodys_or_each_listeners(void **state)
{
    (void)state;
    static const char common[] = "listener 1\nallow_anonymous true\nlistener 2\n";
    assert_listener(common, 0, "allow_anonymous", "true");
    assert_listener(common, 1, "allow_anonymous", "true");
    static const char each[] = "per_listener_settings true\nlistener 1\nallow_anonymous true\n"
                               "auto_id_prefix x-\npassword_file /a\nlistener 2\n";
    assert_listener(each, 0, "allow_anonymous", "true");
    assert_listener(each, 1, "allow_anonymous", "false");
    assert_listener(each, 0, "auto_id_prefix", "x-");
    assert_listener(each, 1, "auto_id_prefix", "auto-");
    assert_listener(each, 0, "password_file", "/a");
    assert_listener(each, 1, "password_file", "");
    assert_listener(
        "allow_anonymous true\nlistener 1\nlistener_allow_anonymous false\nlistener 2\n", 0,
        "allow_anonymous", "false");
    assert_listener("auto_id_prefix a\nlistener 1\nlistener_auto_id_prefix b\n", 0,
                    "auto_id_prefix", "b");
    assert_mistake("allow_anonymous true\nper_listener_settings true\n", "before every option", 2);
    assert_said("per_listener_settings true\nper_listener_settings false\n", COMPLAINT_WARNING,
                "stays so", 2);
}

static void what_does_not_go_together_is_told(void **state)
{
    (void)state;
    assert_mistake("listener 1\ncertfile /a\n", "certfile needs a keyfile", 2);
    assert_mistake("listener 1\nkeyfile /a\n", "keyfile needs a certfile", 2);
    assert_mistake("listener 1\ncafile /a\n", "cafile needs a certfile", 2);
    assert_mistake("listener 1\ncertfile /a\nkeyfile /b\npsk_hint c\n", "psk_hint", 4);
    assert_mistake("listener 1\nrequire_certificate true\n", "needs a listener with TLS", 2);
    assert_mistake("listener 1\ncertfile /a\nkeyfile /b\nenable_proxy_protocol 1\n",
                   "let the proxy do TLS", 4);
    assert_mistake("listener 1\nmount_point a/+/\n", "wildcards", 2);
    assert_mistake("listener 1\ntls_keyform engine\n", "engines", 2);
    assert_mistake("listener 1\ntls_engine dynamic\n", "engines", 2);
    assert_mistake("log_dest printer\n", "'printer'", 1);
    assert_mistake("log_dest file /a\nlog_dest file /b\n", "one file only", 2);
    assert_listener("listener 1\ncertfile /a\nkeyfile /b\n", 0, "tls", "only");
}

// ---- what we do not have ----

static void plugins_are_understood_or_refused(void **state)
{
    (void)state;
    assert_listener("plugin /usr/lib/mosquitto_password_file.so\nplugin_opt_password_file /p\n"
                    "listener 1\n",
                    0, "password_file", "/p");
    assert_listener("per_listener_settings true\nlistener 1\nlistener 2\n"
                    "plugin mosquitto_acl_file.so\nplugin_opt_acl_file /a\n",
                    1, "acl_file", "/a");
    assert_listener("per_listener_settings true\nlistener 1\nlistener 2\n"
                    "global_plugin mosquitto_acl_file.so\nplugin_opt_acl_file /a\n",
                    0, "acl_file", "/a");
    assert_listener("plugin_load one mosquitto_acl_file.so\nplugin_opt_acl_file /a\nlistener 1\n"
                    "listener 2\nplugin_use one\n",
                    0, "acl_file", "");
    assert_listener("plugin_load one mosquitto_acl_file.so\nplugin_opt_acl_file /a\nlistener 1\n"
                    "listener 2\nplugin_use one\n",
                    1, "acl_file", "/a");
    assert_mistake("\nplugin /lib/go-auth.so\n", "plugins cannot be loaded", 2);
    assert_mistake("auth_plugin /lib/go-auth.so\n", "plugins cannot be loaded", 1);
    assert_mistake("plugin mosquitto_dynamic_security.so\n", "dynamic security", 1);
    assert_mistake("plugin mosquitto_acl_file.so\n", "plugin_opt_acl_file", 1);
    assert_mistake("plugin_opt_x 1\n", "needs a `plugin PATH`", 1);
    assert_mistake("listener 1\nplugin_use x\n", "no plugin_load x", 2);
    assert_global("plugin mosquitto_persist_sqlite.so\n", "persistence", "true");
    assert_said("plugin mosquitto_persist_sqlite.so\n", COMPLAINT_WARNING, "own store", 1);
    assert_mistake("persistence true\nplugin mosquitto_persist_sqlite.so\n", "cannot both", 1);
}

static void bridges_are_checked_and_not_made(void **state)
{
    (void)state;
    static const char good[] = "connection a\naddress x y:1 ::1:1883\ntopic # both 2 \"a b\" r/\n";
    assert_said(good, COMPLAINT_WARNING, "connection a is not made", 1);
    assert_mistake("topic #\n", "needs a `connection NAME`", 1);
    assert_mistake("connection a\n", "has no address", 1);
    assert_mistake("connection a\naddress x\n", "has no topic", 1);
    assert_mistake("connection a\naddress x:0\n", "from 1 to 65535", 2);
    assert_mistake("connection a\ntopic # up\n", "in, out or both", 2);
    assert_mistake("connection a\ntopic # in 3\n", "0, 1 or 2", 2);
    assert_mistake("connection a\ntopic # in 0 a/+/\n", "no wildcards", 2);
    assert_mistake("connection a\ntopic \"\" in 0 a\n", "both prefixes", 2);
    assert_mistake("connection a\ntopic \"a in\n", "PATTERN", 2);
    assert_mistake("connection a\nconnection a\n", "already", 2);
    assert_mistake("connection a\nstart_type manual\n", "'manual'", 2);
    assert_mistake("connection a\nrestart_timeout x\n", "SECONDS", 2);
    assert_mistake("connection a\nbridge_psk 1\n", "need each other", 1);
}

static void no_effect_is_said(void **state)
{
    (void)state;
    assert_said("autosave_interval 5\n", COMPLAINT_NOTE, "on the disk already", 1);
    assert_said("retry_interval 5\n", COMPLAINT_NOTE, "no effect", 1);
    assert_said("websockets_headers_size 5\n", COMPLAINT_NOTE, "no effect", 1);
    assert_said("enable_control_api true\n", COMPLAINT_WARNING, "not supported", 1);
    assert_said("log_dest dlt\n", COMPLAINT_WARNING, "stderr or syslog", 1);
}

// ---- files ----

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void remove_files(const char *directory, const char *const *names)
{
    char path[256];
    for (; *names != NULL; names++) {
        snprintf(path, sizeof(path), "%s/%s", directory, *names);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

// Each has its own listener in hand; their order is that of their names.
static void a_directory_is_included_in_order(void **state)
{
    (void)state;
    static const char *const names[] = {"A.conf", "a.conf", "B.conf", "00.conf", "b.txt", NULL};
    char directory[] = "/tmp/bud-config-XXXXXX", text[128];
    assert_non_null(mkdtemp(directory));
    write_file(directory, "00.conf", "listener 4\n");
    write_file(directory, "A.conf", "listener 2\nmax_qos 1\n");
    write_file(directory, "a.conf", "max_qos 0\n");
    write_file(directory, "B.conf", "listener 3\ninclude_dir /tmp\n");
    write_file(directory, "b.txt", "nonsense\n");
    snprintf(text, sizeof(text), "listener 1\ninclude_dir %s/\nmax_connections 9\n", directory);
    struct config *config = read_text(text);
    const struct options *options = config_options(config);
    assert_int_equal(options->listener_count, 5);
    static const uint16_t ports[] = {1, 4, 2, 3, 1883};
    for (int i = 0; i < 5; i++)
        assert_int_equal(options->listeners[i].port, ports[i]);
    assert_int_equal(options->listeners[0].connections_max, 9);
    assert_int_equal(options->listeners[0].qos_max, 2);
    assert_int_equal(options->listeners[2].qos_max, 1);
    assert_int_equal(options->listeners[4].qos_max, 0); // a.conf has no listener
    const struct complaint *nested = find(config, COMPLAINT_ERROR, "main file only");
    assert_non_null(nested);
    assert_non_null(strstr(nested->file, "/B.conf"));
    config_free(config);
    remove_files(directory, names);
}

static void a_file_that_cannot_be_read_is_a_mistake(void **state)
{
    (void)state;
    struct config *config = config_new();
    assert_true(config_read(config, "/nonexistent/x.conf") < 0);
    assert_non_null(find(config, COMPLAINT_ERROR, "No such file"));
    config_free(config);
    config = config_new();
    assert_true(config_read(config, "/tmp") < 0);
    assert_non_null(find(config, COMPLAINT_ERROR, "directory"));
    config_free(config);
    assert_mistake("\ninclude_dir /nonexistent\n", "No such file", 2);
}

// ---- the command line ----

static void the_command_line_wins(void **state)
{
    (void)state;
    char error[OPTION_ERROR_MAX];
    struct config *config = config_new();
    assert_int_equal(config_set(config, "max-qos", "1", error), 0);
    assert_int_equal(config_set(config, "sys_interval", "3", error), 0);
    assert_int_equal(config_set(config, "port", "7", error), 0);
    assert_true(config_set(config, "max-qos", "3", error) < 0);
    assert_true(config_set(config, "topic", "3", error) < 0);
    assert_int_equal(config_read_text(config, "x",
                                      BYTES_OF("sys_interval 5\nlistener 1\nlistener 2\nmax_qos "
                                               "0\n")),
                     0);
    const struct options *options = config_options(config);
    assert_int_equal(options->sys_interval_s, 3);
    assert_int_equal(options->listeners[0].qos_max, 1);
    assert_int_equal(options->listeners[1].qos_max, 1);
    assert_int_equal(options->listener_count, 2);
    assert_non_null(find(config, COMPLAINT_WARNING, "port is not taken"));
    config_free(config);
}

static void ports_of_the_command_line(void **state)
{
    (void)state;
    char error[OPTION_ERROR_MAX];
    struct config *config = config_new();
    assert_int_equal(config_set(config, "port", "7", error), 0);
    assert_int_equal(config_set(config, "port", "8", error), 0);
    assert_int_equal(config_read_text(config, "x", BYTES_OF("")), 0);
    assert_int_equal(config_options(config)->listener_count, 4); // on the loopback alone
    assert_string_equal(config_options(config)->listeners[2].address, "127.0.0.1");
    assert_int_equal(config_options(config)->listeners[2].port, 8);
    struct config *again;
    config_free(config);
    config = config_new();
    for (int i = 0; i < 11; i++)
        assert_int_equal(config_set(config, "port", "7", error), 0);
    assert_true(config_read(config, NULL) < 0);
    assert_true(config_read_again(config, &again) < 0);
    config_free(again);
    config_free(config);
}

static void a_bare_start_is_open_to_the_neighbourhood(void **state)
{
    (void)state;
    struct config *config = config_new();
    assert_int_equal(config_read(config, NULL), 0);
    const struct options *options = config_options(config);
    assert_int_equal(options->listener_count, 1);
    assert_string_equal(options->listeners[0].address, "");
    assert_int_equal(options->listeners[0].port, 1883);
    assert_int_equal(options->listeners[0].allow_anonymous, ANONYMOUS_PRIVATE);
    assert_int_equal(options->persistence, 1);
    config_free(config);
}

// ---- every option alone ----

static void a_value_of(const struct option_row *row, char *text, size_t size)
{
    if (row->kind == OPTION_BOOLEAN)
        snprintf(text, size, "true");
    else if (row->choices != NULL)
        snprintf(text, size, "%.*s", (int)strcspn(row->choices, "|"), row->choices);
    else if (row->kind == OPTION_VERSIONS)
        snprintf(text, size, "5");
    else if (row->kind == OPTION_TEXT || row->kind == OPTION_LIST)
        snprintf(text, size, "%s", strcmp(row->name, "log_dest") == 0 ? "stdout" : "word");
    else
        snprintf(text, size, "%lld", (long long)(row->maximum > 1 ? 2 : row->maximum));
}

// Alone in a file, no option opens more than an empty file does.
static void no_option_alone_opens_anything(void **state)
{
    (void)state;
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char value[64], text[128];
        bool says_place =
            strcmp(rows[i].name, "port") == 0 || strcmp(rows[i].name, "bind_address") == 0;
        if (rows[i].kind == OPTION_KEYWORD || rows[i].scope > SCOPE_SECURITY)
            continue;
        a_value_of(&rows[i], value, sizeof(value));
        snprintf(text, sizeof(text), "%s %s\n", rows[i].name, value);
        struct config *config = read_text(text);
        const struct options *options = config_options(config);
        for (uint32_t j = 0; j < options->listener_count && !says_place; j++) {
            const char *address = options->listeners[j].address;
            assert_true(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0);
        }
        for (uint32_t j = 0; j < options->listener_count && says_place; j++)
            assert_int_equal(options->listeners[j].allow_anonymous, ANONYMOUS_FALSE);
        config_free(config);
    }
}

// ---- round trip ----

static char *file_of(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    config_print_file(config, stream);
    fclose(stream);
    return text;
}

static void on_difference(void *context, const struct option_row *row,
                          const struct listener_options *listener, bool restart)
{
    (void)context, (void)listener, (void)restart;
    print_error("%s differs\n", row->name);
}

static void assert_round_trip(struct config *config)
{
    char *text = file_of(config);
    struct config *again = assert_good(text);
    char *second = file_of(again);
    assert_string_equal(second, text);
    assert_int_equal(
        config_compare(config_options(config), config_options(again), on_difference, NULL), 0);
    assert_int_equal(config_options(config)->listener_count, config_options(again)->listener_count);
    free(text);
    free(second);
    config_free(again);
    config_free(config);
}

static void what_is_dumped_reads_back_the_same(void **state)
{
    (void)state;
    char error[OPTION_ERROR_MAX];
    assert_round_trip(assert_good(""));
    assert_round_trip(assert_good("listener 1\nallow_anonymous private\nlistener 0 /a b\n"
                                  "max_qos 1\nlistener 2 ::1\nwebsockets_origin a\n"
                                  "websockets_origin b\nlog_type all\nlog_dest file /a b\n"));
    assert_round_trip(assert_good("per_listener_settings true\nlistener 1\npassword_file /a\n"
                                  "listener 2\nacl_file /b\nallow_anonymous true\n"));
    assert_round_trip(assert_good("connection a\naddress x\ntopic \"\" in 0 a b\n"));
    assert_round_trip(assert_good("persistent_client_expiration never\nmax_connections -1\n"));
    struct config *bare = config_new();
    assert_int_equal(config_set(bare, "response-information", "", error), 0);
    assert_int_equal(config_read(bare, NULL), 0);
    config_options_for_change(bare)->data = "/var/lib/bud";
    assert_round_trip(bare);
}

static uint32_t changes, restarts;

static void count_difference(void *context, const struct option_row *row,
                             const struct listener_options *listener, bool restart)
{
    (void)context, (void)row, (void)listener;
    changes++;
    restarts += restart;
}

static void differences_are_named(void **state)
{
    (void)state;
    struct config *old = assert_good("listener 1\nmax_qos 1\nlistener 2\nlog_dest stdout\n");
    struct config *next =
        assert_good("workers 3\nsys_interval 3\nlistener 1\nlistener 3\nlog_dest stderr\n");
    assert_int_equal(
        config_compare(config_options(old), config_options(next), count_difference, NULL), 4);
    assert_int_equal(changes, 4);
    assert_int_equal(restarts, 1);
    config_free(old);
    config_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_begin_in_the_first_column),
        cmocka_unit_test(a_space_ends_a_key_and_a_tab_does_not),
        cmocka_unit_test(numbers_are_strtol_without_junk),
        cmocka_unit_test(booleans_have_two_words),
        cmocka_unit_test(texts_are_said_once_and_are_utf8),
        cmocka_unit_test(nul_bytes_are_a_mistake),
        cmocka_unit_test(unknown_keys_are_mistakes_unless_lenient),
        cmocka_unit_test(every_mistake_is_told),
        cmocka_unit_test(what_is_no_configuration_is_not_read_to_its_end),
        cmocka_unit_test(without_listeners_it_is_for_this_machine),
        cmocka_unit_test(listeners_end_that),
        cmocka_unit_test(lines_belong_to_the_listener_above),
        cmocka_unit_test(security_is_everybodys_or_each_listeners),
        cmocka_unit_test(what_does_not_go_together_is_told),
        cmocka_unit_test(plugins_are_understood_or_refused),
        cmocka_unit_test(bridges_are_checked_and_not_made),
        cmocka_unit_test(no_effect_is_said),
        cmocka_unit_test(a_directory_is_included_in_order),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_mistake),
        cmocka_unit_test(the_command_line_wins),
        cmocka_unit_test(ports_of_the_command_line),
        cmocka_unit_test(a_bare_start_is_open_to_the_neighbourhood),
        cmocka_unit_test(no_option_alone_opens_anything),
        cmocka_unit_test(what_is_dumped_reads_back_the_same),
        cmocka_unit_test(differences_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
