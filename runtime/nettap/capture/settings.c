#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

static bool one_of(const char *name, const char *value, const char *const *choices, char *problem, size_t size)
{
	char known[128] = "";

	for (; *choices; choices++) {
		if (!strcmp(value, *choices))
			return true;
		strncat(known, *choices, sizeof(known) - strlen(known) - 2);
		strcat(known, choices[1] ? ", " : "");
	}
	snprintf(problem, size, "%s is '%.40s': give one of %s", name, value, known);
	return false;
}

static bool number(const char *name, __u32 otherwise, __u32 least, __u32 most, bool power, __u32 *to, char *problem,
		   size_t size)
{
	const char *value = text(name, NULL);
	unsigned long long parsed;
	char *end;

	*to = otherwise;
	if (!value)
		return true;
	errno = 0;
	parsed = strtoull(value, &end, 10);
	if (errno || *end || parsed < least || parsed > most || (power && (parsed & (parsed - 1)))) {
		snprintf(problem, size, "%s is '%.40s': give a%s number from %u to %u", name, value,
			 power ? " power of two as" : "", least, most);
		return false;
	}
	*to = parsed;
	return true;
}

bool settings_read(struct settings *settings, char *problem, size_t size)
{
	static const char *const methods[] = {"auto", "fentry", "tracepoint", "kprobe", NULL};
	static const char *const hierarchies[] = {"auto", "unified", "memory", "pids", NULL};
	__u32 loop, stats;

	settings->socket_path = text("NETTAP_SOCKET_PATH", "/tmp/nettap.sock");
	settings->procfs = text("NETTAP_SYSTEM_PROCFSPATH", "/proc");
	settings->cgroups = text("NETTAP_SYSTEM_CGROUPV2PATH", "/sys/fs/cgroup");
	settings->btf = text("NETTAP_SYSTEM_VMLINUXPATH", NULL);
	settings->method = text("NETTAP_METHOD", "auto");
	settings->hierarchy = text("NETTAP_CGROUP_HIERARCHY", "auto");
	if (!one_of("NETTAP_METHOD", settings->method, methods, problem, size) ||
	    !one_of("NETTAP_CGROUP_HIERARCHY", settings->hierarchy, hierarchies, problem, size) ||
	    !number("NETTAP_RING_BYTES", 8 << 20, 4096, 1 << 30, true, &settings->chunk_ring, problem, size) ||
	    !number("NETTAP_EVENT_RING_BYTES", 1 << 20, 4096, 1 << 30, true, &settings->event_ring, problem, size) ||
	    !number("NETTAP_SOCKETS_MAX", 8192, 1, 1 << 20, false, &settings->sockets_max, problem, size) ||
	    !number("NETTAP_CALLS_MAX", 8192, 1, 1 << 20, false, &settings->calls_max, problem, size) ||
	    !number("NETTAP_LINE_BYTES", 1 << 20, 1 << 17, 1 << 30, false, &settings->line_bytes, problem, size) ||
	    !number("NETTAP_BPF_LOOP", 1, 0, 1, false, &loop, problem, size) ||
	    !number("NETTAP_BPF_STATS", 0, 0, 1, false, &stats, problem, size))
		return false;
	settings->loop = loop;
	settings->program_stats = stats;
	return true;
}
