/* pairs COUNT BYTES: the processor time of a send and the recv of the same bytes over loopback, in nanoseconds a pair.
 *
 * Waits for a line on standard input first, so that it can be put into a cgroup before it opens its sockets.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static char bytes[65536];

static long long now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0), in, yes = 1;

	if (count != 3 || getchar() == EOF || bind(listener, (void *)&address, length) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &length) || connect(out, (void *)&address, length))
		return 2;
	in = accept(listener, NULL, NULL);
	setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	long pairs = atol(arguments[1]), size = atol(arguments[2]);
	if (size > (long)sizeof(bytes))
		return 2;
	long long began = now_ns();
	for (long i = 0; i < pairs; i++)
		if (send(out, bytes, size, 0) != size || recv(in, bytes, size, MSG_WAITALL) != size)
			return 1;
	printf("%.1f\n", (double)(now_ns() - began) / pairs);
	return 0;
}
