/* Plays the ingest inside the small machine: asks for one pod, writes each stream that is captured into a file.
 *
 *     tap SOCKET POD_UID FOLDER
 *
 * A file is called LOCALPORT-REMOTEPORT-sent or -received, as the process sees it, with -plain behind it for what was said
 * inside TLS; bytes lie at their offsets. A gap is a line in FOLDER/gaps. FOLDER/attached-NAME exists once the TLS of a
 * process of that name is seen, FOLDER/refused-NAME once it is known that it cannot be. FOLDER/captured exists once the pod's cgroup is captured, FOLDER/hello is what capture said of
 * itself, FOLDER/quiet once nothing came for two seconds after traffic.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nettap_wire.h"

#define QUIET_MS 2000

static char body[NETTAP_FRAME_MAX];
static const char *folder;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", folder, name);
}

static void put(const char *name, const void *bytes, size_t length, off_t at)
{
	char path[512];

	path_of(path, sizeof(path), name);
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	if (fd < 0 || pwrite(fd, bytes, length, at) != (ssize_t)length)
		fail(path);
	close(fd);
}

static void note(const char *name, const char *line)
{
	char path[512];

	path_of(path, sizeof(path), name);
	FILE *file = fopen(path, "a");
	if (!file)
		fail(path);
	fprintf(file, "%s\n", line);
	fclose(file);
}

static void take_all(int line, void *buffer, size_t length)
{
	char *at = buffer;

	while (length) {
		ssize_t n = read(line, at, length);
		if (n <= 0) {
			fprintf(stderr, "tap: the line ended\n");
			exit(1);
		}
		at += n;
		length -= (size_t)n;
	}
}

static void say(int line, __u16 type, const void *bytes, __u32 length)
{
	struct nettap_frame head = { type, NETTAP_WIRE_VERSION, length };

	if (write(line, &head, sizeof(head)) != sizeof(head) || write(line, bytes, length) != (ssize_t)length)
		fail("write");
}

static void ask_for(int line, const char *uid)
{
	struct nettap_target target = { .number = 1 };

	snprintf((char *)target.pod_uid, sizeof(target.pod_uid), "%s", uid);
	say(line, NETTAP_TARGETS_BEGIN, "", 0);
	say(line, NETTAP_TARGET, &target, sizeof(target));
	say(line, NETTAP_TARGETS_END, "", 0);
}

static void take_chunk(const char *bytes, size_t length)
{
	const struct nettap_chunk *chunk = (const void *)bytes;
	const char *direction = chunk->direction == NETTAP_SENT ? "sent" : "received";
	char name[64], text[160];

	snprintf(name, sizeof(name), "%u-%u-%s%s", chunk->local_port, chunk->remote_port, direction,
		 chunk->flags & NETTAP_PLAINTEXT ? "-plain" : "");
	if (chunk->flags & NETTAP_GAP) {
		snprintf(text, sizeof(text), "%s %llu %u %u", name, (unsigned long long)chunk->offset, chunk->length,
			 chunk->gap_reason);
		note("gaps", text);
	} else {
		put(name, bytes + sizeof(*chunk), length - sizeof(*chunk), (off_t)chunk->offset);
	}
	snprintf(text, sizeof(text), "%u", chunk->source);
	put("source", text, strlen(text), 0);
}

static void take_process(const struct nettap_process *process)
{
	char name[64];

	if (!process->plaintext && !process->refused)
		return;
	snprintf(name, sizeof(name), "%s-%.16s", process->plaintext ? "attached" : "refused", process->comm);
	note(name, "yes");
}

static void take_frame(int line)
{
	struct nettap_frame head;

	take_all(line, &head, sizeof(head));
	if (head.length > sizeof(body)) {
		fprintf(stderr, "tap: a frame of %u bytes\n", head.length);
		exit(1);
	}
	take_all(line, body, head.length);
	if (head.type == NETTAP_HELLO || head.type == NETTAP_STATS)
		put(head.type == NETTAP_HELLO ? "hello" : "stats", body, head.length, 0);
	if (head.type == NETTAP_CGROUP && ((struct nettap_cgroup *)body)->event == 1)
		note("captured", "yes");
	if (head.type == NETTAP_PROCESS)
		take_process((struct nettap_process *)body);
	if (head.type == NETTAP_CHUNK)
		take_chunk(body, head.length);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (argc != 4)
		return 2;
	folder = argv[3];
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		fail("listen");
	note("listening", "yes");
	int line = accept(listener, NULL, NULL);
	if (line < 0)
		fail("accept");
	ask_for(line, argv[2]);
	char done[512];
	path_of(done, sizeof(done), "traffic-ended");
	for (;;) {
		struct pollfd wait = { .fd = line, .events = POLLIN };
		if (poll(&wait, 1, QUIET_MS) > 0)
			take_frame(line);
		else if (!access(done, F_OK))
			note("quiet", "yes");
	}
}
