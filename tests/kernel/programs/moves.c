/* Calls that Python does not have: sendmmsg and recvmmsg, and io_uring. Bytes follow the pattern of place(). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                                     \
	do {                                                                 \
		if (!(condition)) {                                          \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			exit(1);                                             \
		}                                                            \
	} while (0)

static int client, server;

static void connect_both(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!bind(listener, (void *)&address, sizeof(address)) && !listen(listener, 1));
	CHECK(!getsockname(listener, (void *)&address, &length));
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(client, (void *)&address, sizeof(address)));
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	close(listener);
}

static unsigned char place(size_t i)
{
	return i * 31 + (i >> 8) * 17;
}

static unsigned char *pattern(size_t from, size_t length)
{
	unsigned char *data = malloc(length);

	for (size_t i = 0; i < length; i++)
		data[i] = place(from + i);
	return data;
}

static void messages(void)
{
	struct mmsghdr out[3] = {0}, in[4] = {0};
	struct iovec parts[6], into[4];
	static const size_t lengths[6] = {100, 0, 20000, 3, 1000, 70};
	size_t at = 0, total = 0, got = 0;

	for (int i = 0; i < 6; i++) {
		parts[i] = (struct iovec){pattern(at, lengths[i]), lengths[i]};
		at += lengths[i];
	}
	for (int i = 0; i < 3; i++)
		out[i].msg_hdr = (struct msghdr){.msg_iov = &parts[2 * i], .msg_iovlen = 2};
	CHECK(sendmmsg(client, out, 3, 0) == 3);
	for (int i = 0; i < 3; i++)
		total += out[i].msg_len;
	CHECK(total == at);
	while (got < total) {
		int count;

		for (int i = 0; i < 4; i++) {
			into[i] = (struct iovec){malloc(700), 700};
			in[i].msg_hdr = (struct msghdr){.msg_iov = &into[i], .msg_iovlen = 1};
		}
		count = recvmmsg(server, in, 4, MSG_DONTWAIT, NULL);
		CHECK(count > 0);
		for (int i = 0; i < count; i++)
			got += in[i].msg_len;
	}
	printf("%zu\n", total);
}

static int complete(struct io_uring *ring)
{
	struct io_uring_cqe *done;
	int result;

	CHECK(io_uring_submit(ring) == 1);
	CHECK(!io_uring_wait_cqe(ring, &done));
	result = done->res;
	io_uring_cqe_seen(ring, done);
	return result;
}

/* 1,000 bytes by send, 50,000 by io_uring, 10 by send; the other end reads half of them by io_uring. */
static void uring(void)
{
	const size_t total = 51010;
	unsigned char *data = pattern(0, total), buffer[20000];
	struct io_uring ring;
	size_t sent = 1000, got = 0;

	CHECK(!io_uring_queue_init(8, &ring, 0));
	CHECK(send(client, data, 1000, 0) == 1000);
	while (sent < 51000) {
		int result;

		io_uring_prep_send(io_uring_get_sqe(&ring), client, data + sent, 51000 - sent, 0);
		result = complete(&ring);
		CHECK(result > 0);
		sent += result;
	}
	CHECK(send(client, data + sent, 10, 0) == 10);
	while (got < 30000) {
		int result;

		io_uring_prep_recv(io_uring_get_sqe(&ring), server, buffer, 30000 - got < 20000 ? 30000 - got : 20000, 0);
		result = complete(&ring);
		CHECK(result > 0);
		got += result;
	}
	while (got < total) {
		ssize_t result = recv(server, buffer, sizeof(buffer), 0);

		CHECK(result > 0);
		got += result;
	}
	io_uring_queue_exit(&ring);
	printf("%zu\n", total);
}

int main(int count, char **arguments)
{
	char rest[10];

	CHECK(count == 2);
	connect_both();
	strcmp(arguments[1], "uring") ? messages() : uring();
	shutdown(client, SHUT_WR);
	CHECK(!recv(server, rest, sizeof(rest), 0));
	close(server);
	CHECK(!recv(client, rest, sizeof(rest), 0));
	close(client);
	return 0;
}
