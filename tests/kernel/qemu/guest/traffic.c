/* Talks to itself over TCP in every way a program can, and keeps what it sent and received in files.
 *
 *     traffic FOLDER FIRST_PORT
 *
 * A case is a server port: FIRST_PORT and up, in the order of the table below. A file is called
 * LOCALPORT-REMOTEPORT-sent or -received. Ends with 0 when each byte arrived as it was sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARTS 5
#define LARGE (16u << 20)

typedef void (*move_fn)(int fd, char *bytes, size_t length);

static const char *folder;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void check(ssize_t n, const char *what)
{
	if (n <= 0)
		fail(what);
}

/* Splits a buffer into parts of different sizes; the last takes the rest. */
static int split(char *bytes, size_t length, struct iovec *parts)
{
	int n = 0;
	size_t at = 0;

	for (; n < PARTS && at < length; n++) {
		size_t size = n == PARTS - 1 ? length - at : (size_t)(n + 1) * 37;
		if (size > length - at)
			size = length - at;
		parts[n] = (struct iovec){ bytes + at, size };
		at += size;
	}
	return n;
}

#define LOOP(name, call)                                   \
	static void name(int fd, char *bytes, size_t left) \
	{                                                  \
		while (left) {                             \
			ssize_t n = call;                  \
			check(n, #name);                   \
			bytes += n;                        \
			left -= (size_t)n;                 \
		}                                          \
	}

static ssize_t vector(int fd, char *bytes, size_t left, int sends)
{
	struct iovec parts[PARTS];
	int n = split(bytes, left, parts);

	return sends ? writev(fd, parts, n) : readv(fd, parts, n);
}

static ssize_t message(int fd, char *bytes, size_t left, int sends)
{
	struct iovec parts[PARTS];
	struct msghdr head = { .msg_iov = parts, .msg_iovlen = (size_t)split(bytes, left, parts) };

	return sends ? sendmsg(fd, &head, 0) : recvmsg(fd, &head, 0);
}

static ssize_t messages(int fd, char *bytes, size_t left, int sends)
{
	size_t half = left > 1 ? left / 2 : left;
	struct iovec first = { bytes, half }, second = { bytes + half, left - half };
	struct mmsghdr heads[2] = { { .msg_hdr = { .msg_iov = &first, .msg_iovlen = 1 } },
				    { .msg_hdr = { .msg_iov = &second, .msg_iovlen = 1 } } };
	/* of received messages one at a time: a short one leaves a hole in the buffer before the next */
	int n = sends ? sendmmsg(fd, heads, left > half ? 2 : 1, 0) : recvmmsg(fd, heads, 1, 0, NULL);

	check(n, "mmsg");
	return (ssize_t)heads[0].msg_len + (n > 1 ? (ssize_t)heads[1].msg_len : 0);
}

static ssize_t peek_first(int fd, char *bytes, size_t left)
{
	check(recv(fd, bytes, left, MSG_PEEK), "peek");
	return recv(fd, bytes, left, 0);
}

static ssize_t by_copy(int fd, char *bytes, size_t left)
{
	int copy = dup(fd);
	ssize_t n = write(copy, bytes, left);

	close(copy);
	return n;
}

LOOP(do_write, write(fd, bytes, left))
LOOP(do_read, read(fd, bytes, left))
LOOP(do_send, send(fd, bytes, left, MSG_NOSIGNAL))
LOOP(do_peek, peek_first(fd, bytes, left))
LOOP(do_sendto, sendto(fd, bytes, left, 0, NULL, 0))
LOOP(do_recvfrom, recvfrom(fd, bytes, left, 0, NULL, NULL))
LOOP(do_writev, vector(fd, bytes, left, 1))
LOOP(do_readv, vector(fd, bytes, left, 0))
LOOP(do_sendmsg, message(fd, bytes, left, 1))
LOOP(do_recvmsg, message(fd, bytes, left, 0))
LOOP(do_sendmmsg, messages(fd, bytes, left, 1))
LOOP(do_recvmmsg, messages(fd, bytes, left, 0))
LOOP(do_dup, by_copy(fd, bytes, left))

static void do_fork(int fd, char *bytes, size_t length)
{
	do_write(fd, bytes, length / 2);
	pid_t child = fork();
	if (!child) {
		do_write(fd, bytes + length / 2, length - length / 2);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void do_sendfile(int fd, char *bytes, size_t length)
{
	int file = memfd_create("page", 0);

	do_write(file, bytes, length);
	off_t at = 0;
	while ((size_t)at < length)
		check(sendfile(fd, file, &at, length - (size_t)at), "sendfile");
	close(file);
}

static void do_splice(int fd, char *bytes, size_t length)
{
	int ends[2];

	if (pipe(ends))
		fail("pipe");
	for (size_t at = 0, part; at < length; at += part) {
		part = length - at > 10000 ? 10000 : length - at;
		do_write(ends[1], bytes + at, part);
		for (size_t left = part; left;) {
			ssize_t n = splice(ends[0], NULL, fd, NULL, left, 0);
			check(n, "splice");
			left -= (size_t)n;
		}
	}
	close(ends[0]);
	close(ends[1]);
}

static const struct how {
	const char *name;
	move_fn out, in;
	int client_family, server_family;
	size_t length;
	int times;
} cases[] = {
	{ "read-write", do_write, do_read, AF_INET, AF_INET, 70001, 1 },
	{ "send-peek", do_send, do_peek, AF_INET, AF_INET, 5000, 1 },
	{ "sendto-ipv6", do_sendto, do_recvfrom, AF_INET6, AF_INET6, 40000, 1 },
	{ "vectors", do_writev, do_readv, AF_INET, AF_INET, 30000, 1 },
	{ "messages", do_sendmsg, do_recvmsg, AF_INET, AF_INET, 30000, 1 },
	{ "many-messages", do_sendmmsg, do_recvmmsg, AF_INET, AF_INET, 30000, 1 },
	{ "v4-mapped", do_write, do_read, AF_INET, AF_INET6, 3000, 1 },
	{ "dup", do_dup, do_read, AF_INET, AF_INET, 3000, 1 },
	{ "fork", do_fork, do_read, AF_INET, AF_INET, 60000, 1 },
	{ "large", do_write, do_read, AF_INET, AF_INET, LARGE, 1 },
	{ "reuse", do_write, do_read, AF_INET, AF_INET, 300, 40 },
	{ "sendfile", do_sendfile, do_read, AF_INET, AF_INET, 100000, 1 },
	{ "splice", do_splice, do_read, AF_INET, AF_INET, 50000, 1 },
};

static socklen_t loopback(struct sockaddr_storage *address, int family, unsigned int port)
{
	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
		((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(struct sockaddr_in);
	}
	((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
	((struct sockaddr_in6 *)address)->sin6_addr = in6addr_any;
	return sizeof(struct sockaddr_in6);
}

static unsigned int port_of(int fd, int remote)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if ((remote ? getpeername : getsockname)(fd, (struct sockaddr *)&address, &size))
		fail("name");
	return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port :
						    ((struct sockaddr_in6 *)&address)->sin6_port);
}

static void keep(int fd, const char *direction, const char *bytes, size_t length)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%u-%u-%s", folder, port_of(fd, 0), port_of(fd, 1), direction);
	int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (file < 0)
		fail(path);
	do_write(file, (char *)bytes, length);
	close(file);
}

static void fill(char *bytes, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (char)(seed >> 24);
	}
}

/* One direction there, one byte pattern back, so that both ends send and receive. */
static void serve(int listener, const struct how *how)
{
	char *bytes = malloc(how->length);

	for (int i = 0; i < how->times; i++) {
		int fd = accept(listener, NULL, NULL);
		check(fd + 1, "accept");
		how->in(fd, bytes, how->length);
		keep(fd, "received", bytes, how->length);
		do_write(fd, bytes, 100);
		keep(fd, "sent", bytes, 100);
		close(fd);
	}
	free(bytes);
}

static void call(const struct how *how, unsigned int port)
{
	struct sockaddr_storage address;
	socklen_t size = loopback(&address, how->client_family, port);
	char *bytes = malloc(how->length), back[100];

	if (how->client_family == AF_INET6)
		((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
	for (int i = 0; i < how->times; i++) {
		fill(bytes, how->length, port * 1000 + (unsigned int)i);
		int fd = socket(how->client_family, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, size))
			fail("connect");
		how->out(fd, bytes, how->length);
		do_read(fd, back, sizeof(back));
		if (memcmp(back, bytes, sizeof(back)))
			fail("what came back is not what was sent");
		keep(fd, "sent", bytes, how->length);
		keep(fd, "received", back, sizeof(back));
		close(fd);
	}
	free(bytes);
}

static void run(const struct how *how, unsigned int port)
{
	struct sockaddr_storage address;
	socklen_t size = loopback(&address, how->server_family, port);
	int listener = socket(how->server_family, SOCK_STREAM, 0), yes = 1, status;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 16))
		fail("listen");
	pid_t child = fork();
	if (!child) {
		serve(listener, how);
		_exit(0);
	}
	close(listener);
	call(how, port);
	if (waitpid(child, &status, 0) != child || status)
		fail(how->name);
	printf("case %s %u\n", how->name, port);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	folder = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(&cases[i], (unsigned int)atoi(argv[2]) + (unsigned int)i);
	return 0;
}
