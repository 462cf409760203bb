#include "cgroups.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../bpf/shared.h"
#include "settings.h"

#define LEVELS 16
#define UID_LENGTH 36

static bool exists(const char *folder, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path) && !access(path, F_OK);
}

/* Whether kubelet keeps its pods here: `kubepods` or `kubepods.slice`, at the top or one level below. */
static bool holds_pods(const char *root)
{
	DIR *directory = opendir(root);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char below[PATH_MAX];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (!strncmp(entry->d_name, "kubepods", 8))
			found = true;
		else if (snprintf(below, sizeof(below), "%s/%s", root, entry->d_name) < (int)sizeof(below))
			found = exists(below, "kubepods") || exists(below, "kubepods.slice");
	}
	if (directory)
		closedir(directory);
	return found;
}

/* The number of a v1 hierarchy, which /proc/self/cgroup gives as `number:controllers:path`. */
static bool number_of(const char *procfs, const char *controller, __u32 *number)
{
	char path[PATH_MAX], line[PATH_MAX + 256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/self/cgroup", procfs);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		char *names = strchr(line, ':'), *end = names ? strchr(names + 1, ':') : NULL, *name, *rest;

		if (!end)
			continue;
		*end = 0;
		for (name = strtok_r(names + 1, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
			if (!strcmp(name, controller)) {
				*number = strtoul(line, NULL, 10);
				found = true;
			}
	}
	if (file)
		fclose(file);
	return found;
}

static bool unified(const struct settings *settings, struct hierarchy *to)
{
	to->name = "unified";
	to->kind = NETTAP_UNIFIED;
	to->id = 0;
	snprintf(to->root, sizeof(to->root), "%s", settings->cgroups);
	if (exists(to->root, "cgroup.controllers"))
		return true;
	if (snprintf(to->root, sizeof(to->root), "%s/unified", settings->cgroups) >= (int)sizeof(to->root))
		return false;
	return exists(to->root, "cgroup.controllers");
}

static bool version_1(const struct settings *settings, const char *controller, struct hierarchy *to)
{
	to->name = controller;
	to->kind = strcmp(controller, "pids") ? NETTAP_MEMORY : NETTAP_PIDS;
	if (snprintf(to->root, sizeof(to->root), "%s/%s", settings->cgroups, controller) >= (int)sizeof(to->root))
		return false;
	return exists(to->root, "cgroup.procs") && number_of(settings->procfs, controller, &to->id);
}

bool hierarchy_find(const struct settings *settings, struct hierarchy *hierarchy)
{
	struct hierarchy other;

	hierarchy->why = "asked for by NETTAP_CGROUP_HIERARCHY";
	if (!strcmp(settings->hierarchy, "unified"))
		return unified(settings, hierarchy);
	if (strcmp(settings->hierarchy, "auto"))
		return version_1(settings, settings->hierarchy, hierarchy);
	if (unified(settings, hierarchy) && holds_pods(hierarchy->root)) {
		hierarchy->why = "it holds the pods";
		return true;
	}
	other.why = "it holds the pods, and the unified hierarchy does not";
	if ((version_1(settings, "memory", &other) && holds_pods(other.root)) ||
	    (version_1(settings, "pids", &other) && holds_pods(other.root))) {
		*hierarchy = other;
		return true;
	}
	hierarchy->why = "no hierarchy holds pods";
	return unified(settings, hierarchy);
}

bool is_directory_of_pod(const char *name, const char *uid)
{
	const char *at = strstr(name, "pod");
	size_t length = strlen(uid), i;

	/* `kubepods` itself begins with these letters too */
	while (at && strlen(at) >= 3 + length) {
		for (i = 0; i < length; i++)
			if (at[3 + i] != uid[i] && !(uid[i] == '-' && at[3 + i] == '_'))
				break;
		if (i == length && (!at[3 + length] || !strcmp(at + 3 + length, ".slice")) &&
		    (at == name || at[-1] == '-'))
			return true;
		at = strstr(at + 1, "pod");
	}
	return false;
}

static void walk(char *path, size_t root_length, int level, directory_seen *seen, void *context)
{
	size_t length = strlen(path);
	struct dirent *entry;
	struct stat about;
	DIR *directory;

	if (level > LEVELS || stat(path, &about))
		return;
	seen(context, about.st_ino, length > root_length ? path + root_length : "/");
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    length + strlen(entry->d_name) + 2 > PATH_MAX)
			continue;
		path[length] = '/';
		strcpy(path + length + 1, entry->d_name);
		walk(path, root_length, level + 1, seen, context);
		path[length] = 0;
	}
	if (directory)
		closedir(directory);
}

const char *hierarchy_path(const struct hierarchy *hierarchy, const char *kernels, __u64 id)
{
	char whole[PATH_MAX];
	struct stat about;

	for (; kernels; kernels = strchr(kernels + 1, '/'))
		if (snprintf(whole, sizeof(whole), "%s%s", hierarchy->root, kernels) < (int)sizeof(whole) &&
		    !stat(whole, &about) && about.st_ino == id)
			return kernels;
	return NULL;
}

void hierarchy_walk(const struct hierarchy *hierarchy, const char *path, directory_seen *seen, void *context)
{
	char whole[PATH_MAX];
	size_t length;

	if (snprintf(whole, sizeof(whole), "%s%s", hierarchy->root, path) >= (int)sizeof(whole))
		return;
	length = strlen(whole);
	while (length && whole[length - 1] == '/')
		whole[--length] = 0;
	walk(whole, strlen(hierarchy->root), 0, seen, context);
}

void hierarchy_processes(const struct hierarchy *hierarchy, const char *path, process_seen *seen, void *context)
{
	char whole[PATH_MAX];
	FILE *file;
	int pid;

	if (snprintf(whole, sizeof(whole), "%s%s/cgroup.procs", hierarchy->root, path) >= (int)sizeof(whole))
		return;
	file = fopen(whole, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		seen(context, pid);
	if (file)
		fclose(file);
}
