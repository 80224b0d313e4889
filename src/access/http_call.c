// SPDX-License-Identifier: MIT
#include "access/http_call.h"

#include "access/secret.h"
#include "base/lock.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define HANDLES_KEPT 16
#define HEADER_LINE_MAX 4096

struct http_caller {
    struct http_caller_options options;
    struct curl_slist *headers;
    struct lock lock; // for what is idle
    CURL *idle[HANDLES_KEPT];
    size_t idle_count;
    char *proxy, *ca_file;
};

// What a call fills in.
struct receiving {
    struct http_reply *reply;
    size_t body_size_max;
    bool is_too_large;
};

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size), text, size);
}

static bool append_header(struct curl_slist **list, const char *text, size_t size)
{
    char line[HEADER_LINE_MAX];
    if (size == 0)
        return true;
    if (size >= sizeof(line))
        return false;
    memcpy(line, text, size);
    line[size] = 0;
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool make_headers(struct http_caller *caller, const char *more)
{
    static const char *const own[] = {"Content-Type: application/json", "Accept: application/json",
                                      "Expect:"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (!append_header(&caller->headers, own[i], strlen(own[i])))
            return false;
    while (*more != 0) {
        size_t size = strcspn(more, "|");
        if (memchr(more, '\n', size) != NULL || memchr(more, '\r', size) != NULL ||
            !append_header(&caller->headers, more, size))
            return false;
        more += more[size] == 0 ? size : size + 1;
    }
    return true;
}

struct http_caller *http_caller_new(const struct http_caller_options *options)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct http_caller *caller = memory_new(sizeof(*caller));
    caller->options = *options;
    caller->proxy = copy_of(options->proxy);
    caller->ca_file = copy_of(options->ca_file);
    caller->options.headers = NULL; // only used here
    lock_init(&caller->lock);
    if (make_headers(caller, options->headers))
        return caller;
    http_caller_free(caller);
    return NULL;
}

void http_caller_free(struct http_caller *caller)
{
    if (caller == NULL)
        return;
    for (size_t i = 0; i < caller->idle_count; i++)
        curl_easy_cleanup(caller->idle[i]);
    curl_slist_free_all(caller->headers);
    lock_done(&caller->lock);
    memory_free(caller->proxy);
    memory_free(caller->ca_file);
    memory_free(caller);
    curl_global_cleanup();
}

static bool begins_with(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

bool http_call_may_use(const char *url)
{
    return begins_with(url, "http://") || begins_with(url, "https://");
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct receiving *receiving = context;
    (void)one; // always 1
    if (buffer_try_append(&receiving->reply->body, bytes_make(data, size),
                          receiving->body_size_max))
        return size;
    receiving->is_too_large = true;
    return 0; // ends the call
}

// Only of the last answer: a "100 Continue" before it has a head of its own.
static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    static const char name[] = "cache-control:";
    struct http_reply *reply = ((struct receiving *)context)->reply;
    (void)one;
    size_t name_size = sizeof(name) - 1, value_size = size < name_size ? 0 : size - name_size;
    if (size >= 5 && strncasecmp(data, "HTTP/", 5) == 0)
        reply->cache_control[0] = 0;
    if (value_size > 0 && value_size < sizeof(reply->cache_control) &&
        strncasecmp(data, name, name_size) == 0) {
        memcpy(reply->cache_control, data + name_size, value_size);
        reply->cache_control[value_size] = 0;
    }
    return size;
}

static CURL *take_handle(struct http_caller *caller)
{
    CURL *handle = NULL;
    lock_take(&caller->lock);
    if (caller->idle_count > 0)
        handle = caller->idle[--caller->idle_count];
    lock_release(&caller->lock);
    return handle != NULL ? handle : curl_easy_init();
}

// Its connections stay open, what it was told does not.
static void give_handle(struct http_caller *caller, CURL *handle)
{
    curl_easy_reset(handle);
    lock_take(&caller->lock);
    bool is_kept = caller->idle_count < HANDLES_KEPT;
    if (is_kept)
        caller->idle[caller->idle_count++] = handle;
    lock_release(&caller->lock);
    if (!is_kept)
        curl_easy_cleanup(handle);
}

static bool prepare(const struct http_caller *caller, CURL *handle, const char *url,
                    struct bytes body, struct receiving *receiving)
{
    const struct http_caller_options *options = &caller->options;
    CURLcode codes[] = {
        curl_easy_setopt(handle, CURLOPT_URL, url),
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(handle, CURLOPT_PROXY, caller->proxy), // "": none, whatever is set outside
        curl_easy_setopt(handle, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, caller->headers),
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)body.size),
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, (const char *)body.data),
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms),
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, receiving),
        curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header),
        curl_easy_setopt(handle, CURLOPT_HEADERDATA, receiving),
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] != CURLE_OK)
            return false;
    return caller->ca_file[0] == 0 ||
           curl_easy_setopt(handle, CURLOPT_CAINFO, caller->ca_file) == CURLE_OK;
}

static const char *words_for(CURLcode code, const struct receiving *receiving)
{
    if (receiving->is_too_large)
        return "the service's answer is larger than 64 KB, or there is no memory for it";
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return "the service did not answer in time (auth_http_timeout)";
    case CURLE_COULDNT_RESOLVE_HOST: return "the name of the service's host is not known";
    case CURLE_COULDNT_CONNECT: return "the service cannot be reached";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "the service's certificate is not trusted (auth_http_cafile)";
    case CURLE_SSL_CACERT_BADFILE: return "auth_http_cafile cannot be read";
    case CURLE_OUT_OF_MEMORY: return "no memory to ask the service";
    default: return "the service's answer cannot be understood";
    }
}

const char *http_call(struct http_caller *caller, const char *url, struct bytes body,
                      struct http_reply *ret_reply)
{
    struct http_reply reply = {0};
    struct receiving receiving = {.reply = &reply, .body_size_max = caller->options.body_size_max};
    CURL *handle = take_handle(caller);
    if (handle == NULL)
        return "no memory to ask the service";
    CURLcode code = prepare(caller, handle, url, body, &receiving) ? curl_easy_perform(handle)
                                                                   : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply.status);
    give_handle(caller, handle);
    if (code != CURLE_OK) {
        http_reply_done(&reply);
        return words_for(code, &receiving);
    }
    *ret_reply = reply;
    return NULL;
}

void http_reply_done(struct http_reply *reply)
{
    secret_wipe(reply->body.data, reply->body.size);
    buffer_done(&reply->body);
}
