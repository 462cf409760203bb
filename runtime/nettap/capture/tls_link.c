#include "tls_link.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the kernel's ABI, for headers older than 6.6. */
#define LINK_CREATE 28
#define TRACE_UPROBE_MULTI 48
#define UPROBE_MULTI_RETURN 1
struct link_create {
	uint32_t program, target, attach_type, flags;
	uint64_t path, offsets, counters, cookies;
	uint32_t count, multi_flags, pid;
};

static int create(int program, bool at_return, const char *path, const uint64_t offsets[], unsigned int count)
{
	struct link_create link = {
		.program = (uint32_t)program,
		.attach_type = TRACE_UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)path,
		.offsets = (uint64_t)(uintptr_t)offsets,
		.count = count,
		.multi_flags = at_return ? UPROBE_MULTI_RETURN : 0,
	};

	return (int)syscall(SYS_bpf, LINK_CREATE, &link, sizeof(link));
}

/* A directory has no places: a kernel that knows how says so, one that does not says something else. */
static bool kernel_takes_many(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = TRACE_UPROBE_MULTI);
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "nettap_probe", "GPL", nothing, 2, &options);
	uint64_t offset = 0;
	int link, error;

	if (program < 0)
		return false;
	link = create(program, false, "/", &offset, 1);
	error = errno;
	if (link >= 0)
		close(link);
	close(program);
	return link < 0 && error == EBADF;
}

bool tls_link_many(void)
{
	static int many = -1;

	if (many < 0)
		many = kernel_takes_many();
	return many;
}

void tls_link_prepare(struct bpf_object *object)
{
	struct bpf_program *program;

	if (!tls_link_many())
		return;
	bpf_object__for_each_program(program, object) {
		const char *section = bpf_program__section_name(program);

		if (!strcmp(section, "uprobe") || !strcmp(section, "uretprobe"))
			bpf_program__set_expected_attach_type(program, TRACE_UPROBE_MULTI);
	}
}


static unsigned int make_each(struct tls_link links[], const struct bpf_program *program, bool at_return,
			      const char *path, const uint64_t offsets[], unsigned int count)
{
	LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = at_return);

	for (unsigned int i = 0; i < count; i++) {
		links[i].fd = -1;
		links[i].perf = bpf_program__attach_uprobe_opts(program, -1, path, offsets[i], &options);
		if (!links[i].perf) {
			int error = errno;

			while (i)
				tls_link_destroy(&links[--i]);
			errno = error;
			return 0;
		}
	}
	return count;
}

unsigned int tls_link_make(struct tls_link links[], const struct bpf_program *program, bool at_return, const char *path,
			   const uint64_t offsets[], unsigned int count)
{
	if (!tls_link_many())
		return make_each(links, program, at_return, path, offsets, count);
	links[0].perf = NULL;
	links[0].fd = create(bpf_program__fd(program), at_return, path, offsets, count);
	return links[0].fd >= 0;
}

void tls_link_destroy(struct tls_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	else
		bpf_link__destroy(link->perf);
}
