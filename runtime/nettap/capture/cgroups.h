/* The cgroup hierarchy as directories: which hierarchy holds the pods, and which directories belong to a pod. */
#ifndef NETTAP_CGROUPS_DIR_H
#define NETTAP_CGROUPS_DIR_H

#include <limits.h>
#include <stdbool.h>

#include <linux/types.h>

struct settings;

struct hierarchy {
	char root[PATH_MAX];
	const char *name; /* unified, memory or pids */
	__u32 kind;	  /* enum nettap_hierarchy */
	__u32 id;	  /* as in /proc/self/cgroup */
	const char *why;
};

/* False: there is none at the place given. */
bool hierarchy_find(const struct settings *settings, struct hierarchy *hierarchy);

/* Whether a directory's last name is that of the pod: `pod<uid>` of the driver cgroupfs, `…-pod<uid with _>.slice` of the
 * driver systemd. */
bool is_directory_of_pod(const char *name, const char *uid);

/* A directory below the root: its id, and its path from there, which begins with a slash. */
typedef void directory_seen(void *context, __u64 id, const char *path);

/* Visit `path` (from the root) and all below it, parents first; at most 16 levels. */
void hierarchy_walk(const struct hierarchy *hierarchy, const char *path, directory_seen *seen, void *context);

/* The path of the directory with this id below our root. The kernel's path of it is longer where our root is not the
 * hierarchy's own: on a node that is a container itself, the names above it stand before. NULL: it is not there. */
const char *hierarchy_path(const struct hierarchy *hierarchy, const char *kernels, __u64 id);

/* Visit the processes that a directory holds itself. */
typedef void process_seen(void *context, int pid);
void hierarchy_processes(const struct hierarchy *hierarchy, const char *path, process_seen *seen, void *context);

#endif
