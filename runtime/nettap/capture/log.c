#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"

const char *log_number(long long number)
{
	static char texts[8][24];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(texts[turn], sizeof(texts[turn]), "%lld", number);
	return texts[turn];
}

#define KERNEL_ENOTSUPP 524

const char *log_reason(int error)
{
	return error == KERNEL_ENOTSUPP ? "this kernel does not support it on this processor" : strerror(error);
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
	if (json.text)
		fprintf(stderr, "%s\n", json.text);
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
