#include "alive.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OLDEST_S 30

static void path_of(const struct settings *settings, char path[PATH_MAX])
{
	char copy[PATH_MAX - 32];

	snprintf(copy, sizeof(copy), "%s", settings->socket_path);
	snprintf(path, PATH_MAX, "%s/nettap-capture.alive", dirname(copy));
}

void alive_renew(const struct settings *settings)
{
	char path[PATH_MAX];
	int fd;

	path_of(settings, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	futimens(fd, NULL);
	close(fd);
}

void alive_end(const struct settings *settings)
{
	char path[PATH_MAX];

	path_of(settings, path);
	unlink(path);
}

int alive_check(const struct settings *settings)
{
	char path[PATH_MAX];
	struct stat about;
	long age;

	path_of(settings, path);
	if (stat(path, &about)) {
		fprintf(stderr, "not alive: %s: %s\n", path, strerror(errno));
		return 1;
	}
	age = time(NULL) - about.st_mtime;
	if (age > OLDEST_S) {
		fprintf(stderr, "not alive: the main loop went round %ld s ago\n", age);
		return 1;
	}
	return 0;
}
