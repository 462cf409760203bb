/* An HTTPS client on OpenSSL's API, linked in whatever way the test wants: waits for a line, then asks.
 *
 *	client <port> <size>...
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static int reach(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	return fd;
}

#if defined(OPENSSL_IS_BORINGSSL) /* which has no *_ex */
static int read_piece(SSL *ssl, void *to, size_t room, size_t *got)
{
	int length = SSL_read(ssl, to, (int)room);

	*got = length > 0 ? (size_t)length : 0;
	return length > 0;
}

static int write_all(SSL *ssl, const void *from, size_t length, size_t *wrote)
{
	*wrote = length;
	return SSL_write(ssl, from, (int)length) == (int)length;
}
#else
#define read_piece SSL_read_ex
#define write_all SSL_write_ex
#endif

/* Whole answers, by turns with SSL_read and SSL_read_ex, in pieces that do not fit records. */
static void read_answer(SSL *ssl, long size)
{
	static char head[16384];
	static char piece[10007];
	long have = 0, end;
	char *body;

	do {
		int got = SSL_read(ssl, head + have, 40);

		must(got > 0, "SSL_read");
		have += got;
		head[have] = 0;
		body = strstr(head, "\r\n\r\n");
	} while (!body);
	end = body + 4 - head;
	for (long left = size - (have - end); left > 0;) {
		size_t got = 0;

		must(read_piece(ssl, piece, sizeof(piece), &got), "SSL_read_ex");
		left -= (long)got;
	}
}

static void ask(SSL *ssl, long size)
{
	char *data = calloc(1, (size_t)size + 1);
	char head[256];
	size_t wrote = 0;
	int length = snprintf(head, sizeof(head), "POST /%ld HTTP/1.1\r\nHost: localhost\r\nContent-Length: %ld\r\n\r\n", size, size);

	must(SSL_write(ssl, head, length) == length, "SSL_write");
	for (long i = 0; i < size; i++)
		data[i] = (char)(i * 13 + i / 251);
	if (size)
		must(write_all(ssl, data, (size_t)size, &wrote) == 1 && (long)wrote == size, "SSL_write_ex");
	free(data);
	read_answer(ssl, size);
}

int main(int argc, char **argv)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char line[16];
	SSL *ssl;
	int fd;

	puts("ready");
	fflush(stdout);
	must(fgets(line, sizeof(line), stdin) != NULL, "stdin");
	fd = reach(atoi(argv[1]));
	ssl = SSL_new(context);
	must(SSL_set_fd(ssl, fd) == 1, "SSL_set_fd");
	must(SSL_connect(ssl) == 1, "SSL_connect");
	for (int i = 2; i < argc; i++)
		ask(ssl, atol(argv[i]));
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
	return 0;
}
