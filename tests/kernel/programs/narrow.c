/* Talks to itself over TCP, by calls of 64-bit programs and by those of 32-bit ones (int $0x80) in between.
 *
 * Says 5 bytes, then 3 by write and 2 by socketcall of 32-bit programs, then 5 again. What it writes by them into a file
 * and what it closes is no traffic. Linked without position independence: addresses have to fit into 32 bits.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WRITE_32 = 4, CLOSE_32 = 6, SOCKETCALL_32 = 102, SEND = 9 };

static char words[] = "0123456789abcde", heard[64];
static uint32_t send_of[4];

static void must(int fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	exit(1);
}

static int call_32(int number, uint32_t first, uint32_t second, uint32_t third)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	int server, nowhere = open("/dev/null", O_WRONLY), length = 0;

	must(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 1), "listen");
	must(!getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
	must(!connect(client, (struct sockaddr *)&address, size), "connect");
	server = accept(listener, NULL, NULL);
	must(server >= 0, "accept");
	must(write(client, words, 5) == 5, "write");
	must(call_32(WRITE_32, (uint32_t)client, (uint32_t)(uintptr_t)(words + 5), 3) == 3, "write of 32 bits");
	must(call_32(WRITE_32, (uint32_t)nowhere, (uint32_t)(uintptr_t)words, 3) == 3, "write of 32 bits into a file");
	send_of[0] = (uint32_t)client;
	send_of[1] = (uint32_t)(uintptr_t)(words + 8);
	send_of[2] = 2;
	must(call_32(SOCKETCALL_32, SEND, (uint32_t)(uintptr_t)send_of, 0) == 2, "send of 32 bits");
	must(write(client, words + 10, 5) == 5, "write");
	must(!call_32(CLOSE_32, (uint32_t)nowhere, 0, 0), "close of 32 bits");
	close(client);
	for (int n; (n = (int)read(server, heard + length, sizeof(heard) - (size_t)length)) > 0;)
		length += n;
	must(length == 15, "read");
	puts("done");
	return 0;
}
