// SPDX-License-Identifier: MIT
// What is behind the routes of http_api.c. Whoever gets here may do it.
#ifndef BUD_EDGE_HTTP_API_ROUTES_H
#define BUD_EDGE_HTTP_API_ROUTES_H

#include "server/http.h"

#define API_JSON "application/json"

// `argument` is what stands for the '*' of the route. Answers as server/http.h says.
typedef void api_route(struct worker *worker, const struct http_request *request,
                       struct bytes argument, struct http_answer *answer);

api_route api_list_bans, api_lift_all_bans, api_lift_ban;

#endif
