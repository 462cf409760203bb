#include "proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DELETED " (deleted)"

static bool parse(char *line, struct mapped_file *file)
{
	unsigned long long begin, end, offset, inode;
	unsigned int major, minor;
	char rights[8];
	int at = 0;
	size_t length;
	char *path;

	if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &begin, &end, rights, &offset, &major, &minor, &inode,
		   &at) < 7 ||
	    !at || rights[2] != 'x' || !inode)
		return false;
	path = line + at;
	length = strcspn(path, "\n");
	path[length] = 0;
	if (path[0] != '/' || length >= sizeof(file->path))
		return false;
	file->deleted = length > strlen(DELETED) && strcmp(path + length - strlen(DELETED), DELETED) == 0;
	file->device = (uint64_t)major << 32 | minor;
	file->inode = inode;
	file->begin = begin;
	file->end = end;
	memcpy(file->path, path, length + 1);
	return true;
}

struct seen {
	uint64_t device, inode;
};

static bool is_new(struct seen seen[], unsigned int *count, const struct mapped_file *file)
{
	for (unsigned int i = 0; i < *count; i++)
		if (seen[i].inode == file->inode && seen[i].device == file->device)
			return false;
	if (*count == MAPPED_FILES_MAX)
		return false;
	seen[*count].device = file->device;
	seen[*count].inode = file->inode;
	(*count)++;
	return true;
}

bool proc_maps_visit(const char *procfs, unsigned int tgid, file_mapped *visit, void *context)
{
	static struct seen seen[MAPPED_FILES_MAX];
	static struct mapped_file file;
	unsigned int count = 0;
	char *line = NULL;
	size_t room = 0;
	char path[PATH_MAX];
	FILE *maps;

	snprintf(path, sizeof(path), "%s/%u/maps", procfs, tgid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (getline(&line, &room, maps) > 0)
		if (parse(line, &file) && is_new(seen, &count, &file))
			visit(context, &file);
	free(line);
	fclose(maps);
	return true;
}

static int open_in_root(const char *procfs, unsigned int tgid, const struct mapped_file *file)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_IN_ROOT};
	char path[PATH_MAX];
	int root, fd;

	snprintf(path, sizeof(path), "%s/%u/root", procfs, tgid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, file->path, &how, sizeof(how));
	close(root);
	return fd;
}

/* What is mapped itself, wherever its name went; needs more rights than the other way. */
static int open_mapping(const char *procfs, unsigned int tgid, const struct mapped_file *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u/map_files/%llx-%llx", procfs, tgid, (unsigned long long)file->begin,
		 (unsigned long long)file->end);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int proc_maps_open(const char *procfs, unsigned int tgid, const struct mapped_file *file)
{
	int fd = file->deleted ? -1 : open_in_root(procfs, tgid, file);
	struct stat status;

	if (fd < 0)
		fd = open_mapping(procfs, tgid, file);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}
