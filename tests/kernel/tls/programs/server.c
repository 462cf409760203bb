/* An HTTPS server on OpenSSL's API, linked in whatever way the test wants: prints its port, answers /n with n bytes.
 *
 *	server <certificate> [<folder> [sendfile]]
 *
 * One connection after the other. With a folder, what was heard and said is kept there, in files called
 * OWNPORT-OTHERPORT-received and -sent. With `sendfile`, bodies go by SSL_sendfile, which asks for TLS in the kernel.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *folder;
static int by_sendfile, port;

static void must(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "%s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void keep(int other, const char *way, const void *bytes, size_t length)
{
	char path[512];
	FILE *file;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%d-%d-%s", folder, port, other, way);
	file = fopen(path, "ab");
	must(file != NULL && fwrite(bytes, 1, length, file) == length, path);
	fclose(file);
}

static void say(SSL *ssl, int other, const char *bytes, int length)
{
	must(SSL_write(ssl, bytes, length) == length, "SSL_write");
	keep(other, "sent", bytes, (size_t)length);
}

#if defined(SSL_OP_ENABLE_KTLS)
static void say_by_sendfile(SSL *ssl, int other, const char *bytes, long length)
{
	int file = memfd_create("body", 0);
	off_t at = 0;

	must(BIO_get_ktls_send(SSL_get_wbio(ssl)), "the kernel does no TLS for this connection");
	must(file >= 0 && write(file, bytes, (size_t)length) == length, "memfd");
	while (at < length) {
		ossl_ssize_t sent = SSL_sendfile(ssl, file, at, (size_t)(length - at), 0);

		must(sent > 0, "SSL_sendfile");
		at += sent;
	}
	close(file);
	keep(other, "sent", bytes, (size_t)length);
}
#else
static void say_by_sendfile(SSL *ssl, int other, const char *bytes, long length)
{
	(void)ssl, (void)other, (void)bytes, (void)length;
	must(0, "this library has no SSL_sendfile");
}
#endif

static void answer(SSL *ssl, int other, long size)
{
	char *data = malloc((size_t)size + 1), head[128];
	int length = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", size);

	for (long i = 0; i < size; i++)
		data[i] = (char)(i * 7 + i / 241);
	say(ssl, other, head, length);
	if (size && by_sendfile)
		say_by_sendfile(ssl, other, data, size);
	else if (size)
		say(ssl, other, data, (int)size);
	free(data);
}

/* One request; 0: there was none. */
static int request(SSL *ssl, int other)
{
	char head[8192] = "", body[10007], *end, *field;
	int have = 0, got;
	long left;

	do {
		got = SSL_read(ssl, head + have, (int)sizeof(head) - 1 - have);
		if (got <= 0)
			return 0;
		keep(other, "received", head + have, (size_t)got);
		have += got;
		head[have] = 0;
		end = strstr(head, "\r\n\r\n");
	} while (!end);
	field = strcasestr(head, "\r\nContent-Length:");
	left = (field ? atol(field + strlen("\r\nContent-Length:")) : 0) - (head + have - end - 4);
	while (left > 0) {
		got = SSL_read(ssl, body, left < (long)sizeof(body) ? (int)left : (int)sizeof(body));
		must(got > 0, "SSL_read");
		keep(other, "received", body, (size_t)got);
		left -= got;
	}
	answer(ssl, other, atol(strchr(head, '/') + 1));
	return 1;
}

static void serve(SSL_CTX *context, int fd, int other)
{
	SSL *ssl = SSL_new(context);

	must(SSL_set_fd(ssl, fd) == 1, "SSL_set_fd");
	must(SSL_accept(ssl) == 1, "SSL_accept");
	while (request(ssl, other))
		;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	must(argc >= 2, "server <certificate> [<folder> [sendfile]]");
	folder = argc > 2 ? argv[2] : NULL;
	by_sendfile = argc > 3;
#if defined(SSL_OP_ENABLE_KTLS)
	if (by_sendfile)
		SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
#endif
	must(SSL_CTX_use_certificate_file(context, argv[1], SSL_FILETYPE_PEM) == 1, "certificate");
	must(SSL_CTX_use_PrivateKey_file(context, argv[1], SSL_FILETYPE_PEM) == 1, "key");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 8) == 0, "listen");
	must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
	port = ntohs(address.sin_port);
	printf("%d\n", port);
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, (struct sockaddr *)&address, &length);

		must(fd >= 0, "accept");
		serve(context, fd, ntohs(address.sin_port));
	}
}
