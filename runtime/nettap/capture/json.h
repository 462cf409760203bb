/* JSON into a buffer that grows: what HELLO, STATS and log lines are made of. */
#ifndef NETTAP_JSON_H
#define NETTAP_JSON_H

#include <stddef.h>

struct json {
	char *text; /* ended by NUL; NULL while empty or when memory was refused */
	size_t length, room;
	int comma;
};

void json_open(struct json *json, const char *key);  /* `{`, with a key inside of an object */
void json_close(struct json *json);		     /* `}` */
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, long long value);
void json_free(struct json *json);

#endif
