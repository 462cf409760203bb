#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

static int datagrams = -1;
static struct sockaddr_un listener = {.sun_family = AF_UNIX};

void log_open(const char *path)
{
	if (!path || strlen(path) >= sizeof(listener.sun_path))
		return;
	strcpy(listener.sun_path, path);
	datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void log_close(void)
{
	if (datagrams >= 0)
		close(datagrams);
	datagrams = -1;
}

const char *log_number(long long number)
{
	static char texts[8][24];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(texts[turn], sizeof(texts[turn]), "%lld", number);
	return texts[turn];
}

static void line(const char *level, const char *event, va_list pairs)
{
	struct json json = {0};
	struct timespec now;
	struct tm parts;
	char stamp[40], whole[64];
	const char *key;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(whole, sizeof(whole), "%s.%06ldZ", stamp, now.tv_nsec / 1000);
	json_open(&json, NULL);
	json_string(&json, "timestamp", whole);
	json_string(&json, "level", level);
	json_string(&json, "event", event);
	while ((key = va_arg(pairs, const char *)))
		json_string(&json, key, va_arg(pairs, const char *));
	json_close(&json);
	if (json.text) {
		fprintf(stderr, "%s\n", json.text);
		if (datagrams >= 0)
			sendto(datagrams, json.text, json.length, MSG_DONTWAIT | MSG_NOSIGNAL,
			       (struct sockaddr *)&listener, sizeof(listener));
	}
	json_free(&json);
}

#define LEVEL(name)                                 \
	void log_##name(const char *event, ...)     \
	{                                           \
		va_list pairs;                      \
                                                    \
		va_start(pairs, event);             \
		line(#name, event, pairs);          \
		va_end(pairs);                      \
	}

LEVEL(info)
LEVEL(warning)
LEVEL(error)
