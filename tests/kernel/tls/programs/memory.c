/* TLS through memory whose records another thread sends: whose socket it is cannot be known from its calls.
 *
 *	memory <port> <size>
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int from_tls[2], to_tls[2]; /* pipes to and from the thread that has the socket */
static int fd;

static void must(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void put(int to, const char *data, ssize_t left)
{
	while (left > 0) {
		ssize_t n = write(to, data, left);

		must(n > 0, "write");
		data += n;
		left -= n;
	}
}

static void *copy(void *ends)
{
	static __thread char piece[32768];
	const int *end = ends;
	ssize_t n;

	while ((n = read(end[0], piece, sizeof(piece))) > 0)
		put(end[1], piece, n);
	return NULL;
}

static void pump(SSL *ssl, BIO *out, BIO *in)
{
	static char piece[32768];
	int n;

	while ((n = BIO_read(out, piece, sizeof(piece))) > 0)
		put(from_tls[1], piece, n);
	if (SSL_want_read(ssl)) {
		ssize_t got = read(to_tls[0], piece, sizeof(piece));

		must(got > 0, "read");
		BIO_write(in, piece, (int)got);
	}
}

static void start(int (*ends)[2])
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, copy, *ends) == 0, "thread");
	pthread_detach(thread);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	static int outward[2], inward[2];
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	static char piece[16384];
	long size = atol(argv[argc - 1]), have = 0;
	int n, length;

	puts("ready");
	fflush(stdout);
	must(fgets(piece, sizeof(piece), stdin) != NULL, "stdin");
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	must(pipe(from_tls) == 0 && pipe(to_tls) == 0, "pipe");
	outward[0] = from_tls[0], outward[1] = fd, inward[0] = fd, inward[1] = to_tls[1];
	start(&outward);
	start(&inward);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	while ((n = SSL_do_handshake(ssl)) != 1)
		pump(ssl, out, in);
	length = snprintf(piece, sizeof(piece), "GET /%ld HTTP/1.1\r\n\r\n", size);
	must(SSL_write(ssl, piece, length) == length, "SSL_write");
	do {
		pump(ssl, out, in);
		while ((n = SSL_read(ssl, piece, sizeof(piece))) > 0)
			have += n;
	} while (have < size);
	printf("%d %ld\n", length, have);
	return 0;
}
