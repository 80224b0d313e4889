// SPDX-License-Identifier: MIT
// OpenSSL reads and writes through a BIO of our own: reads come straight from the stream below,
// what it writes is collected in `output`, which never says no. So a write of plaintext is taken as
// a whole or not begun, and OpenSSL never asks to be called again with the same bytes.
#include "transport/tls_stream.h"

#include "base/memory.h"
#include "transport/certificate_parts.h"
#include "transport/tls_parts.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

enum {
    RECORD_MAX = 16384,
    INTAKE_MAX = 65536, // ciphertext of one read: after that it is somebody else's turn
    OUTPUT_MAX = 65536,
    // Alerts and the like go on top, and nobody has need of many.
    OUTPUT_LIMIT = OUTPUT_MAX + 2 * RECORD_MAX,
};

static struct tls_stream *of(const struct stream *stream)
{
    return (struct tls_stream *)(uintptr_t)stream;
}

struct tls_stream *tls_stream_of_ssl(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

// ------------------------------------------------------------------------------ what OpenSSL sees

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t take_from_below(struct tls_stream *self, void *memory, size_t size)
{
    size_t early = self->early.size - self->early_read;
    if (early == 0)
        return stream_read(self->stream.below, memory, size);
    size = least(size, early);
    memcpy(memory, self->early.data + self->early_read, size);
    self->early_read += size;
    if (self->early_read == self->early.size) {
        buffer_done(&self->early);
        self->early_read = 0;
    }
    return (ssize_t)size;
}

static bool guard(struct tls_stream *self, struct bytes bytes)
{
    bool is_old = SSL_version(self->ssl) < TLS1_3_VERSION;
    if (SSL_is_init_finished(self->ssl) || handshake_guard_take(&self->guard, bytes, is_old))
        return true;
    self->failure = "a handshake message of more than 16384 bytes";
    self->error = -EPROTO;
    return false;
}

static int bio_read(BIO *bio, char *memory, int size)
{
    struct tls_stream *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (self->intake == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t got = take_from_below(self, memory, least((size_t)size, self->intake));
    if (got > 0) {
        self->intake -= (size_t)got;
        return guard(self, bytes_make(memory, (size_t)got)) ? (int)got : -1;
    }
    if (got == -EAGAIN) {
        self->starved = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    self->ended_below = got == 0;
    if (got < 0)
        self->error = (int)got;
    return (int)(got < 0 ? -1 : 0);
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tls_stream *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (buffer_try_append(&self->output, bytes_make(data, (size_t)size), OUTPUT_LIMIT))
        return size;
    self->failure = "it makes us answer, and reads no answers";
    self->error = self->output.size + (size_t)size > OUTPUT_LIMIT ? -EPROTO : -ENOMEM;
    return -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct tls_stream *self = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return self->ended_below;
    return command == BIO_CTRL_FLUSH; // done, by stream_flush later
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

// ---------------------------------------------------------------------------------------- output

// 0 all is out, -EAGAIN, or -errno of the one below.
static int send_output(struct tls_stream *self)
{
    while (self->output.size > 0) {
        struct iovec part = {self->output.data, self->output.size};
        ssize_t sent = stream_writev(self->stream.below, &part, 1);
        if (sent < 0)
            return (int)sent;
        buffer_consume(&self->output, (size_t)sent);
    }
    if (self->shut_wanted && !self->shut_below) {
        self->shut_below = true;
        stream_shut(self->stream.below);
    }
    return 0;
}

static int flush_tls(struct stream *stream)
{
    int error = send_output(of(stream));
    return error < 0 ? error : stream_flush(stream->below);
}

// ----------------------------------------------------------------------------------------- input

// OpenSSL has stopped: is that an end, an error, or only a pause?
static void note_stop(struct tls_stream *self, int result)
{
    int why = SSL_get_error(self->ssl, result);
    if (why == SSL_ERROR_WANT_READ && self->error == 0)
        return;
    bool finished = SSL_is_init_finished(self->ssl);
    if (why == SSL_ERROR_ZERO_RETURN && finished) {
        self->ended = true;
        return;
    }
    if (self->failure == NULL && self->ended_below)
        self->failure = "the peer closed the connection during the handshake";
    if (self->failure == NULL && self->error == 0)
        self->failure = tls_words_failure(self->ssl, ERR_peek_error(), self->is_client);
    if (self->error == 0)
        self->error = -EPROTO;
}

static ssize_t finish_read(struct tls_stream *self, size_t total)
{
    // Also an alert that says why the handshake failed. What the one below says to that is told
    // to the next who writes.
    (void)send_output(self);
    if (total > 0)
        return (ssize_t)total;
    self->told = self->error != 0 || self->ended;
    if (self->error != 0)
        return self->error;
    return self->ended ? 0 : -EAGAIN;
}

static ssize_t read_tls(struct stream *stream, void *memory, size_t size)
{
    struct tls_stream *self = of(stream);
    size_t total = 0;
    self->starved = false;
    self->intake = INTAKE_MAX;
    ERR_clear_error();
    while (total < size && self->error == 0 && !self->ended) {
        size_t got = 0;
        int result = SSL_read_ex(self->ssl, (uint8_t *)memory + total, size - total, &got);
        total += got;
        if (result == 1)
            continue;
        note_stop(self, result);
        break;
    }
    ERR_clear_error();
    return finish_read(self, total);
}

static bool has_input(const struct stream *stream)
{
    const struct tls_stream *self = of(stream);
    if (self->error != 0 || self->ended)
        return !self->told;
    if (self->starved)
        return false;
    return self->early.size > 0 || self->intake == 0 || SSL_has_pending(self->ssl) == 1;
}

// ----------------------------------------------------------------------------------------- writing

struct cursor { // in the parts that are to be written
    const struct iovec *parts;
    int count;
    size_t offset; // in the first of them
};

// Many small parts become one record. The memory is the thread's: no stack has room for it.
static struct bytes next_chunk(struct cursor *cursor)
{
    static _Thread_local uint8_t gathered[RECORD_MAX];
    size_t size = 0;
    while (cursor->count > 0 && size < RECORD_MAX) {
        const uint8_t *data = (const uint8_t *)cursor->parts->iov_base + cursor->offset;
        size_t left = cursor->parts->iov_len - cursor->offset;
        size_t taken = least(left, RECORD_MAX - size);
        if (taken > 0)
            memcpy(gathered + size, data, taken);
        size += taken;
        cursor->offset += taken;
        if (taken == left) {
            cursor->parts++;
            cursor->count--;
            cursor->offset = 0;
        }
    }
    return bytes_make(gathered, size);
}

static bool encrypt(struct tls_stream *self, struct bytes chunk)
{
    size_t written = 0;
    ERR_clear_error();
    int result = SSL_write_ex(self->ssl, chunk.data, chunk.size, &written);
    if (result != 1) {
        note_stop(self, result);
        self->error = self->error == 0 ? -EPROTO : self->error;
    }
    ERR_clear_error();
    return result == 1;
}

static ssize_t write_tls(struct stream *stream, const struct iovec *parts, int count)
{
    struct tls_stream *self = of(stream);
    struct cursor cursor = {parts, count, 0};
    size_t total = 0;
    if (self->error != 0)
        return self->error;
    ASSERT(!self->shut_wanted);
    if (!SSL_is_init_finished(self->ssl))
        return -EAGAIN;
    while (self->output.size < OUTPUT_MAX) {
        struct bytes chunk = next_chunk(&cursor);
        if (chunk.size == 0)
            break;
        if (!encrypt(self, chunk))
            return self->error;
        total += chunk.size;
    }
    int error = send_output(self);
    if (error < 0 && error != -EAGAIN) {
        self->error = error;
        return error;
    }
    return total > 0 ? (ssize_t)total : -EAGAIN;
}

// ------------------------------------------------------------------------------------ the
// beginning and the end

static void shut_tls(struct stream *stream)
{
    struct tls_stream *self = of(stream);
    ERR_clear_error();
    if (self->error == 0 && !self->shut_wanted && SSL_is_init_finished(self->ssl))
        (void)SSL_shutdown(self->ssl); // close_notify; whether one comes back is of no interest
    ERR_clear_error();
    self->shut_wanted = true;
    (void)send_output(self); // the rest goes by flush, which also tells of errors
}

static void free_tls(struct stream *stream)
{
    struct tls_stream *self = of(stream);
    SSL_free(self->ssl);
    buffer_done(&self->early);
    buffer_done(&self->output);
    buffer_done(&self->psk_identity);
    tls_context_unref(self->context);
    memory_free(self);
}

static const struct stream_class tls_class = {
    .name = "tls",
    .read = read_tls,
    .writev = write_tls,
    .flush = flush_tls,
    .has_input = has_input,
    .shut = shut_tls,
    .free = free_tls,
};

static SSL *make_ssl(struct tls_stream *self)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    (void)CRYPTO_THREAD_run_once(&once, make_bio_method);
    BIO *bio = bio_method == NULL ? NULL : BIO_new(bio_method);
    SSL *ssl = bio == NULL ? NULL : SSL_new(self->context->ssl);
    if (ssl == NULL) {
        BIO_free(bio);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio); // takes the one reference
    SSL_set_app_data(ssl, self);
    return ssl;
}

struct stream *tls_try_new(struct tls_context *context, struct stream *below,
                           struct bytes already_read)
{
    struct tls_stream *self = memory_try_new(sizeof(*self));
    if (self == NULL)
        return NULL;
    self->stream.class = &tls_class;
    self->context = tls_context_ref(context);
    self->ssl = make_ssl(self);
    if (self->ssl == NULL || !buffer_try_append(&self->early, already_read, SIZE_MAX)) {
        free_tls(&self->stream);
        return NULL;
    }
    SSL_set_accept_state(self->ssl);
    self->stream.below = below;
    return &self->stream;
}

// ---------------------------------------------------------------------------------------- answers

struct stream *tls_find(struct stream *stream)
{
    while (stream != NULL && stream->class != &tls_class)
        stream = stream->below;
    return stream;
}

bool tls_is_handshaking(const struct stream *tls)
{
    return of(tls)->error == 0 && !SSL_is_init_finished(of(tls)->ssl);
}

const char *tls_failure(const struct stream *tls)
{
    return of(tls)->failure;
}

struct tls_description tls_describe(const struct stream *tls)
{
    const struct tls_stream *self = of(tls);
    const unsigned char *protocol = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(self->ssl, &protocol, &size);
    return (struct tls_description){
        .version = SSL_get_version(self->ssl),
        .cipher = SSL_get_cipher_name(self->ssl),
        .protocol = bytes_make(protocol, size),
        .psk_identity = buffer_bytes(&self->psk_identity),
        .resumed = SSL_session_reused(self->ssl) == 1,
        .has_certificate = SSL_get0_peer_certificate(self->ssl) != NULL,
    };
}

enum tls_name tls_common_name(const struct stream *tls, char text[TLS_NAME_MAX])
{
    X509 *certificate = SSL_get0_peer_certificate(of(tls)->ssl);
    return certificate == NULL ? TLS_NAME_NONE : certificate_common_name(certificate, text);
}

enum tls_name tls_subject(const struct stream *tls, char text[TLS_NAME_MAX])
{
    X509 *certificate = SSL_get0_peer_certificate(of(tls)->ssl);
    return certificate == NULL ? TLS_NAME_NONE : certificate_subject(certificate, text);
}
