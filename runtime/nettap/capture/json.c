#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json *json, const char *text, size_t length)
{
	if (json->length + length + 1 > json->room) {
		size_t room = (json->room + length + 1) * 2;
		char *larger = realloc(json->text, room);

		if (!larger)
			return;
		json->text = larger;
		json->room = room;
	}
	memcpy(json->text + json->length, text, length);
	json->length += length;
	json->text[json->length] = 0;
}

static void quoted(struct json *json, const char *text)
{
	put(json, "\"", 1);
	for (; *text; text++) {
		unsigned char c = *text;
		char escaped[8];

		if (c == '"' || c == '\\')
			put(json, escaped, snprintf(escaped, sizeof(escaped), "\\%c", c));
		else if (c < 0x20 || c > 0x7e)
			put(json, escaped, snprintf(escaped, sizeof(escaped), "\\u%04x", c));
		else
			put(json, text, 1);
	}
	put(json, "\"", 1);
}

static void key_of(struct json *json, const char *key)
{
	if (json->comma)
		put(json, ",", 1);
	json->comma = 1;
	if (key) {
		quoted(json, key);
		put(json, ":", 1);
	}
}

void json_open(struct json *json, const char *key)
{
	key_of(json, key);
	put(json, "{", 1);
	json->comma = 0;
}

void json_close(struct json *json)
{
	put(json, "}", 1);
	json->comma = 1;
}

void json_string(struct json *json, const char *key, const char *value)
{
	key_of(json, key);
	quoted(json, value);
}

void json_number(struct json *json, const char *key, long long value)
{
	char text[32];

	key_of(json, key);
	put(json, text, snprintf(text, sizeof(text), "%lld", value));
}

void json_free(struct json *json)
{
	free(json->text);
	memset(json, 0, sizeof(*json));
}
