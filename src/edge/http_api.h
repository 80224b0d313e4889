// SPDX-License-Identifier: MIT
// What the broker can be asked and told by HTTP, below /api/v1: one table of routes. The owner's
// socket in the data directory needs no key, whoever can open it is the owner; anybody else needs
// "Authorization: Bearer KEY" with the key of the file admin.key there. Wrong keys count as wrong
// passwords do. Answers are JSON. Over the network anything can come here from anybody.
#ifndef BUD_EDGE_HTTP_API_H
#define BUD_EDGE_HTTP_API_H

struct server;
struct http_api;

// Before server_start. The key is read from the data directory; without one only the owner's socket
// will do.
struct http_api *http_api_new(struct server *server);
void http_api_free(struct http_api *api); // after server_stop; NULL is fine

#endif
