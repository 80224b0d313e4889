// SPDX-License-Identifier: MIT
#include "server/other_logins.h"

#include "access/secret_file.h"

#include <errno.h>
#include <stdio.h>

static int make_tokens(const struct options *options, struct tokens **ret_tokens, char *error)
{
    struct jwt_options jwt = {
        .key_file = options->jwt_key_file,
        .jwks_file = options->jwt_jwks_file,
        .algorithms = options->jwt_algorithms,
        .audience = options->jwt_audience,
        .issuer = options->jwt_issuer,
        .user_claim = options->jwt_user_claim,
        .leeway_s = (uint32_t)options->jwt_leeway_s,
        .may_last_for_ever = !options->jwt_require_expiry,
    };
    if (options->jwt_key_file[0] == 0 && options->jwt_jwks_file[0] == 0)
        return 0;
    return tokens_open(&jwt, ret_tokens, error);
}

static int make_service(const struct options *options, struct auth_http **ret_service, char *error)
{
    struct auth_http_options http = {
        .url = options->auth_http_url,
        .acl_url = options->auth_http_acl_url,
        .headers = options->auth_http_headers,
        .proxy = options->auth_http_proxy,
        .ca_file = options->auth_http_cafile,
        .timeout_ms = (uint32_t)options->auth_http_timeout_s * 1000,
        .cache_s = (uint32_t)options->auth_http_cache_s,
    };
    if (options->auth_http_url[0] != 0)
        return auth_http_new(&http, ret_service, error);
    if (options->auth_http_acl_url[0] == 0)
        return 0;
    (void)snprintf(error, SERVER_ERROR_MAX,
                   "auth_http_acl_url: it is asked about those whom auth_http_url let in, which is "
                   "missing");
    return -EINVAL;
}

int other_logins_make(const struct options *options, struct other_logins *ret_logins, char *error)
{
    struct other_logins logins = {0};
    _Static_assert(ACCESS_ERROR_MAX <= SERVER_ERROR_MAX, "their sentences fit");
    int result = make_tokens(options, &logins.tokens, error);
    if (result == 0)
        result = make_service(options, &logins.service, error);
    if (result < 0)
        other_logins_done(&logins);
    else
        *ret_logins = logins;
    return result;
}

void other_logins_done(struct other_logins *logins)
{
    tokens_unref(logins->tokens);
    auth_http_unref(logins->service);
    *logins = (struct other_logins){0};
}

void other_logins_add(const struct other_logins *logins, struct login_gate *gate)
{
    struct authority authority;
    if (logins->tokens != NULL) {
        authority = tokens_authority(logins->tokens);
        login_gate_add(gate, &authority);
    }
    if (logins->service != NULL) {
        authority = auth_http_authority(logins->service);
        login_gate_add(gate, &authority);
    }
}

void other_logins_look(struct other_logins *logins, struct server *server)
{
    char error[ACCESS_ERROR_MAX];
    int result = logins->tokens == NULL ? 0 : tokens_refresh(logins->tokens, error);
    struct log_line line;
    if (result == 0)
        return;
    log_begin_with(&line, &server->log, result < 0 ? LOG_USERS_TROUBLE : LOG_USERS,
                   result < 0 ? "the keys of tokens cannot be read, those of before stay"
                              : "the keys of tokens have changed");
    if (result < 0)
        log_text(&line, "cause", error);
    log_end(&line);
}
