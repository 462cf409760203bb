#include "tls_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "nettap.skel.h"
#include "tls.h"
#include "tls_find.h"
#include "tls_link.h"
#include "tls_unprobe.h"

#define LINGER_NS (60ULL * 1000000000)

struct tls_file {
	uint64_t device, inode, path_hash;
	uint64_t last_used_ns;
	unsigned int users;
	unsigned int source;
	const char *refused;
	char version[32];
	unsigned int links;
	struct tls_link *link;
};

static struct bpf_program *program[TLS_PROGRAMS];
static struct tls_file *files[TLS_FILES_MAX];
static unsigned int count, probed;

void tls_files_init(struct nettap_bpf *programs)
{
	program[TLS_SSL_READ] = programs->progs.ssl_read;
	program[TLS_SSL_READ_RETURN] = programs->progs.ssl_read_return;
	program[TLS_SSL_READ_EX] = programs->progs.ssl_read_ex;
	program[TLS_SSL_READ_EX_RETURN] = programs->progs.ssl_read_ex_return;
	program[TLS_SSL_WRITE] = programs->progs.ssl_write;
	program[TLS_SSL_WRITE_RETURN] = programs->progs.ssl_write_return;
	program[TLS_SSL_WRITE_EX] = programs->progs.ssl_write_ex;
	program[TLS_SSL_WRITE_EX_RETURN] = programs->progs.ssl_write_ex_return;
	program[TLS_SSL_SENDFILE] = programs->progs.ssl_sendfile;
	program[TLS_SSL_SENDFILE_RETURN] = programs->progs.ssl_sendfile_return;
	program[TLS_SSL_HANDSHAKE] = programs->progs.ssl_handshake;
	program[TLS_SSL_HANDSHAKE_RETURN] = programs->progs.ssl_handshake_return;
	program[TLS_SSL_NEW_RETURN] = programs->progs.ssl_new_return;
	program[TLS_SSL_FREE] = programs->progs.ssl_free;
	program[TLS_SSL_SET_FD] = programs->progs.ssl_set_fd;
	program[TLS_GO_READ] = programs->progs.go_tls_read;
	program[TLS_GO_WRITE] = programs->progs.go_tls_write;
	program[TLS_GO_RETURN] = programs->progs.go_tls_return;
	program[TLS_GO_HANDSHAKE] = programs->progs.go_tls_handshake;
}

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return hash;
}

static void unprobe(struct tls_file *file)
{
	tls_unprobe(file->link, file->links);
	if (file->link)
		probed--;
	free(file->link);
	file->link = NULL;
	file->links = 0;
}

static void drop(unsigned int index)
{
	unprobe(files[index]);
	free(files[index]);
	files[index] = files[--count];
}

/* Room for one more: of the files without users, the one that was not used for the longest time goes. */
static bool make_room(void)
{
	unsigned int oldest = TLS_FILES_MAX;

	if (count < TLS_FILES_MAX)
		return true;
	for (unsigned int i = 0; i < count; i++)
		if (!files[i]->users &&
		    (oldest == TLS_FILES_MAX || files[i]->last_used_ns < files[oldest]->last_used_ns))
			oldest = i;
	if (oldest == TLS_FILES_MAX)
		return false;
	drop(oldest);
	return true;
}

/* Put one program at all its places; false: errno says why not. */
static bool probe_program(struct tls_file *file, const char *path, const struct tls_points *points,
			  enum tls_program which)
{
	uint64_t offsets[TLS_POINTS_MAX];
	unsigned int places = 0, made;
	bool at_return = false;

	for (unsigned int i = 0; i < points->count; i++) {
		if (points->point[i].program != which)
			continue;
		offsets[places++] = points->point[i].offset;
		at_return = points->point[i].at_return;
	}
	if (!places)
		return true;
	made = tls_link_make(file->link + file->links, program[which], at_return, path, offsets, places);
	file->links += made;
	return made > 0;
}

static const char *probe(struct tls_file *file, const char *path, const struct tls_points *points)
{
	if (probed == TLS_PROBED_MAX)
		return "too_many_files";
	file->link = calloc(points->count, sizeof(*file->link));
	if (!file->link)
		return "no_memory";
	probed++;
	for (unsigned int which = 0; which < TLS_PROGRAMS; which++) {
		if (probe_program(file, path, points, which))
			continue;
		log_warning("tls_probe_refused", "reason", log_reason(errno), "method",
			    tls_link_many() ? "uprobe_multi" : "perf_event", NULL);
		unprobe(file);
		return "probe_refused";
	}
	return NULL;
}

static void look_through(struct tls_file *file, int fd)
{
	static struct tls_points points;
	char path[64];

	if (!tls_find(fd, &points)) {
		file->refused = "no_memory";
		return;
	}
	file->refused = points.refused;
	memcpy(file->version, points.version, sizeof(file->version));
	if (!points.count)
		return;
	/* By descriptor: the name may stand for another file by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file->refused = probe(file, path, &points);
	if (!file->refused)
		file->source = points.source;
}

struct tls_file *tls_file_of(const char *procfs, unsigned int tgid, const struct mapped_file *mapped, uint64_t now_ns)
{
	uint64_t hash = hash_of(mapped->path);
	struct tls_file *file;
	int fd;

	for (unsigned int i = 0; i < count; i++) {
		file = files[i];
		if (file->inode == mapped->inode && file->device == mapped->device && file->path_hash == hash) {
			file->last_used_ns = now_ns;
			return file;
		}
	}
	if (!make_room())
		return NULL;
	fd = proc_maps_open(procfs, tgid, mapped);
	file = fd < 0 ? NULL : calloc(1, sizeof(*file));
	if (!file) {
		stat_add("tls_files", fd < 0 ? "not_opened" : "no_memory", 1);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	file->device = mapped->device;
	file->inode = mapped->inode;
	file->path_hash = hash;
	file->last_used_ns = now_ns;
	look_through(file, fd);
	close(fd);
	files[count++] = file;
	stat_add("tls_files", file->source ? "probed" : file->refused ? file->refused : "without_tls", 1);
	return file;
}

unsigned int tls_file_source(const struct tls_file *file)
{
	return file->source;
}

const char *tls_file_refused(const struct tls_file *file)
{
	return file->refused;
}

const char *tls_file_version(const struct tls_file *file)
{
	return file->version;
}

unsigned int tls_file_points(const struct tls_file *file)
{
	return file->links;
}

void tls_file_use(struct tls_file *file)
{
	file->users++;
}

void tls_file_release(struct tls_file *file, uint64_t now_ns)
{
	file->users--;
	file->last_used_ns = now_ns;
}

void tls_files_expire(uint64_t now_ns)
{
	for (unsigned int i = 0; i < count;) {
		if (!files[i]->users && now_ns - files[i]->last_used_ns > LINGER_NS)
			drop(i);
		else
			i++;
	}
}

void tls_files_forget(void)
{
	while (count)
		drop(count - 1);
}
