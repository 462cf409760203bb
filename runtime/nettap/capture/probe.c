#include "probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "log.h"
#include "settings.h"
#include "tls_link.h"

static const char *const names[PROBED_COUNT] = {
	"btf",	  "ring_buffer", "instructions", "bpf_loop", "tracepoint",
	"fentry", "kprobe",	 "uprobe",	 "io_uring", "tcp_destroy_sock",
};

static void note(struct probe *probe, enum probed which, int error)
{
	struct probe_result *result = &probe->results[which];

	result->works = !error;
	snprintf(result->reason, sizeof(result->reason), "%s", error ? log_reason(error) : "");
}

static void note_text(struct probe *probe, enum probed which, const char *reason)
{
	struct probe_result *result = &probe->results[which];

	result->works = false;
	snprintf(result->reason, sizeof(result->reason), "%s", reason);
}

/* Load a program that does nothing and attach it to a type of the kernel's; returns an errno. */
static int try_program(enum bpf_attach_type type, int btf_id)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type, .attach_btf_id = btf_id);
	int program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", nothing, 2, &options), link, error;

	if (program < 0)
		return -program;
	link = bpf_raw_tracepoint_open(NULL, program);
	error = link < 0 ? -link : 0;
	if (link >= 0)
		close(link);
	close(program);
	return error;
}

static void try_btf_program(struct probe *probe, enum probed which, const struct btf *kernel, const char *name,
			    enum bpf_attach_type type)
{
	bool function = type != BPF_TRACE_RAW_TP;
	int id = btf__find_by_name_kind(kernel, name, function ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF);

	if (id <= 0)
		note_text(probe, which, "the kernel has no such function");
	else
		note(probe, which, try_program(type, id));
}

static int open_perf(__u32 type, __u64 name, __u64 offset)
{
	struct perf_event_attr attributes = {.size = sizeof(attributes), .type = type};
	int fd;

	attributes.config1 = name;
	attributes.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int perf_type(const char *kind)
{
	char path[80];
	int type = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", kind);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &type) != 1)
		type = -1;
	if (file)
		fclose(file);
	return type;
}

static void try_kprobe(struct probe *probe)
{
	int type = perf_type("kprobe");

	if (type < 0)
		note_text(probe, PROBED_KPROBE, "the kernel has no kprobe events (CONFIG_KPROBE_EVENTS)");
	else
		note(probe, PROBED_KPROBE, open_perf(type, (__u64) "tcp_sendmsg", 0));
}

static void try_uprobe(struct probe *probe)
{
	int type = perf_type("uprobe");

	if (tls_link_many())
		note(probe, PROBED_UPROBE, 0);
	else if (type < 0)
		note_text(probe, PROBED_UPROBE, "the kernel has no uprobe events (CONFIG_UPROBE_EVENTS)");
	else
		note(probe, PROBED_UPROBE, open_perf(type, (__u64) "/proc/self/exe", 0));
}

static void try_ring(struct probe *probe)
{
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0, 4096, NULL);

	note(probe, PROBED_RING_BUFFER, map < 0 ? -map : 0);
	if (map >= 0)
		close(map);
}

/* A program of what all of ours need and was new in 5.12 and 5.15 (on arm64 in 5.18), by ways that older verifiers and
 * compilers for processors refuse. */
static void try_instructions(struct probe *probe)
{
	static const struct bpf_insn needed[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task_btf},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_task_pt_regs},
		{.code = BPF_ST | BPF_DW | BPF_MEM, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = BPF_REG_10, .src_reg = BPF_REG_1, .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", needed, sizeof(needed) / sizeof(*needed), NULL);

	if (program == -EPERM || program == -EACCES)
		note(probe, PROBED_INSTRUCTIONS, -program);
	else if (program < 0)
		note_text(probe, PROBED_INSTRUCTIONS, "this kernel does not know all instructions and functions of the programs");
	else
		note(probe, PROBED_INSTRUCTIONS, 0);
	if (program >= 0)
		close(program);
}

static const struct btf_type *prototype_of_function(const struct btf *kernel, const char *function)
{
	int id = btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC);

	return id > 0 ? btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type) : NULL;
}

/* Whether a tracepoint's first argument is a pointer to struct io_kiocb: so since 6.0. */
static bool takes_request(const struct btf *kernel, const char *tracepoint)
{
	const struct btf_type *type;
	char name[80];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return false;
	type = btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type); /* a pointer to the prototype */
	type = btf__type_by_id(kernel, type->type);
	if (btf_vlen(type) < 2)
		return false;
	type = btf__type_by_id(kernel, btf_params(type)[1].type);
	if (!btf_is_ptr(type))
		return false;
	type = btf__type_by_id(kernel, type->type);
	return type && btf_is_struct(type) && !strcmp(btf__name_by_offset(kernel, type->name_off), "io_kiocb");
}

static void find_io_uring(struct probe *probe, const struct btf *kernel)
{
	static const char *const tracepoints[] = {"io_uring_submit_req", "io_uring_submit_sqe"};

	for (size_t i = 0; i < 2; i++)
		if (takes_request(kernel, tracepoints[i])) {
			probe->io_uring_tracepoint = tracepoints[i];
			note(probe, PROBED_IO_URING, 0);
			return;
		}
	note_text(probe, PROBED_IO_URING, "no tracepoint of its requests (since 6.0): what it moves is a gap without a name");
}

static void read_lockdown(struct probe *probe)
{
	char text[80] = "", *begin, *end;
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");

	snprintf(probe->lockdown, sizeof(probe->lockdown), "unknown");
	if (!file)
		return;
	if (fgets(text, sizeof(text), file) && (begin = strchr(text, '[')) && (end = strchr(begin, ']'))) {
		*end = 0;
		snprintf(probe->lockdown, sizeof(probe->lockdown), "%.30s", begin + 1);
	}
	fclose(file);
}

static void read_capabilities(struct probe *probe)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long bits;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &bits) == 1)
			probe->capabilities = bits;
	if (file)
		fclose(file);
}

struct btf *probe_btf(const struct settings *settings)
{
	struct btf *kernel = settings->btf ? btf__parse(settings->btf, NULL) : NULL;

	return kernel ? kernel : btf__load_vmlinux_btf();
}

void probe_kernel(const struct settings *settings, struct probe *probe)
{
	const struct btf_type *receive;
	struct utsname system;
	struct btf *kernel;

	memset(probe, 0, sizeof(*probe));
	for (int i = 0; i < PROBED_COUNT; i++) {
		probe->results[i].name = names[i];
		note_text(probe, i, "not asked: the kernel has no BTF");
	}
	uname(&system);
	snprintf(probe->release, sizeof(probe->release), "%s", system.release);
	snprintf(probe->machine, sizeof(probe->machine), "%s", system.machine);
	read_lockdown(probe);
	read_capabilities(probe);
	kernel = probe_btf(settings);
	if (!kernel) {
		note(probe, PROBED_BTF, errno ? errno : ENOENT);
		return;
	}
	note(probe, PROBED_BTF, 0);
	try_ring(probe);
	try_instructions(probe);
	note(probe, PROBED_LOOP,
	     libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1 ? 0 : EOPNOTSUPP);
	try_btf_program(probe, PROBED_TRACEPOINT, kernel, "btf_trace_sys_enter", BPF_TRACE_RAW_TP);
	try_btf_program(probe, PROBED_DESTROYED, kernel, "btf_trace_tcp_destroy_sock", BPF_TRACE_RAW_TP);
	try_btf_program(probe, PROBED_FENTRY, kernel, "tcp_sendmsg", BPF_TRACE_FENTRY);
	try_kprobe(probe);
	try_uprobe(probe);
	find_io_uring(probe, kernel);
	receive = prototype_of_function(kernel, "tcp_recvmsg");
	probe->recv_has_nonblock = receive && btf_vlen(receive) == 6;
	btf__free(kernel);
}

bool probe_lacks(const struct probe *probe, char *why, size_t size)
{
	static const enum probed needed[] = {PROBED_BTF, PROBED_RING_BUFFER, PROBED_INSTRUCTIONS};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		const struct probe_result *result = &probe->results[needed[i]];

		if (result->works)
			continue;
		snprintf(why, size, "%s: %s", result->name, result->reason);
		return true;
	}
	return false;
}

const char *probe_choose(const struct probe *probe, const char *asked, char *why, size_t size)
{
	/* Return probes are last: each blocked reader holds one of few, and calls beyond these are not seen. */
	static const enum probed order[] = {PROBED_FENTRY, PROBED_TRACEPOINT, PROBED_KPROBE};
	bool automatic = !strcmp(asked, "auto");

	snprintf(why, size, "%s", automatic ? "the best of all" : "asked for by NETTAP_METHOD");
	for (size_t i = 0; i < 3; i++) {
		const struct probe_result *result = &probe->results[order[i]];

		if (!automatic && strcmp(asked, result->name))
			continue;
		if (result->works)
			return result->name;
		snprintf(why, size, "%s is refused: %s", result->name, result->reason);
	}
	return NULL;
}
