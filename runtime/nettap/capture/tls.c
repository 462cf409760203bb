/* Which captured processes have which TLS library, and what is done about it.
 *
 * A process is looked through when it runs, when it maps code of another file, and when a TLS record passes one of its
 * sockets although no library of it is known. What is found is told in PROCESS frames; a process with TLS and no library
 * that we know is told as refused, once.
 */
#include "tls.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/shared.h"
#include "../bpf/tls_shared.h"
#include "json.h"
#include "log.h"
#include "nettap.skel.h"
#include "proc_maps.h"
#include "settings.h"
#include "stats.h"
#include "tls_files.h"
#include "tls_hold.h"
#include "tls_link.h"
#include "tls_unprobe.h"

#define PROCESSES_MAX 16384
#define PROCESS_FILES 8
#define AGAIN_NS 200000000ULL /* between two looks at one process because of TLS records */
#define SETTLED_NS 50000000ULL
#define EXPIRE_EVERY_NS (10ULL * 1000000000)

struct process {
	__u32 tgid;
	__u64 cgroup;
	__u64 looked_ns;
	__u32 sources; /* told so far, as bits */
	bool due;      /* to be looked through */
	bool again;    /* and once more at the next tick: what was told may not have been done yet */
	bool seen;     /* a TLS record passed that no library is known for */
	bool refused;  /* told */
	const char *reason; /* of a library that is there and cannot be used */
	unsigned int files;
	struct tls_file *file[PROCESS_FILES]; /* those with probes */
};

static struct {
	struct nettap_bpf *programs;
	const char *procfs;
	struct process *process;
	unsigned int count, room;
	bool any_due;
	__u64 next_expire;
} tls;

bool tls_init(struct nettap_bpf *programs, const struct settings *settings)
{
	tls.programs = programs;
	tls.procfs = settings->procfs;
	tls_link_prepare(programs->obj);
	return true;
}

void tls_loaded(void)
{
	tls_files_init(tls.programs);
}

static struct process *find(__u32 tgid)
{
	for (unsigned int i = 0; i < tls.count; i++)
		if (tls.process[i].tgid == tgid)
			return &tls.process[i];
	return NULL;
}

static struct process *add(__u32 tgid, __u64 cgroup)
{
	struct process *process;

	if (tls.count == tls.room) {
		unsigned int room = tls.room ? tls.room * 2 : 64;
		struct process *more = room > PROCESSES_MAX ? NULL : realloc(tls.process, room * sizeof(*more));

		if (!more) {
			stat_add("tls_processes", "table_full", 1);
			return NULL;
		}
		tls.process = more;
		tls.room = room;
	}
	process = &tls.process[tls.count++];
	memset(process, 0, sizeof(*process));
	process->tgid = tgid;
	process->cgroup = cgroup;
	return process;
}

/* Calls of a process that is no more (0: of all) never return; left behind, they would stand around socket calls of
 * whoever gets its number. */
static void forget_calls(__u32 tgid)
{
	int map = bpf_map__fd(tls.programs->maps.tls_calls);
	struct tls_caller caller, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		caller = next;
		more = !bpf_map_get_next_key(map, &caller, &next);
		if (!tgid || caller.tgid == tgid)
			bpf_map_delete_elem(map, &caller);
	}
}

static void let_files_go(struct process *process)
{
	__u64 now = boot_now_ns();

	while (process->files)
		tls_file_release(process->file[--process->files], now);
}

static bool uses(const struct process *process, const struct tls_file *file)
{
	for (unsigned int i = 0; i < process->files; i++)
		if (process->file[i] == file)
			return true;
	return false;
}

static void on_mapped(void *context, const struct mapped_file *mapped)
{
	struct process *process = context;
	struct tls_file *file = tls_file_of(tls.procfs, process->tgid, mapped, boot_now_ns());

	if (!file)
		return;
	if (tls_file_refused(file) && !process->reason)
		process->reason = tls_file_refused(file);
	if (!tls_file_source(file) || uses(process, file) || process->files == PROCESS_FILES)
		return;
	tls_file_use(file);
	process->file[process->files++] = file;
}

static void tell(struct process *process, __u32 sources)
{
	int map = bpf_map__fd(tls.programs->maps.tls_processes);

	if (bpf_map_update_elem(map, &process->tgid, &sources, BPF_ANY))
		stat_add("tls_processes", "not_told_to_programs", 1);
	if (sources & ~process->sources) {
		process_report(process->tgid, process->cgroup, 1, sources, 0);
		process->refused = false;
	} else if (!sources && (process->seen || process->reason) && !process->refused) {
		process_report(process->tgid, process->cgroup, 1, 0, 1);
		stat_add("tls_refused", process->reason ? process->reason : "no_known_library", 1);
		process->refused = true;
	}
	process->sources = sources;
}

/* Returns false when the process is gone. */
static bool look(struct process *process)
{
	__u32 sources = 0;

	process->due = false;
	process->looked_ns = boot_now_ns();
	process->reason = NULL;
	if (!proc_maps_visit(tls.procfs, process->tgid, on_mapped, process))
		return false;
	for (unsigned int i = 0; i < process->files; i++)
		sources |= 1u << tls_file_source(process->file[i]);
	tell(process, sources);
	return true;
}

static void mark(struct process *process)
{
	if (process) {
		process->due = true;
		tls.any_due = true;
	}
}

void tls_process_runs(__u32 tgid, __u64 cgroup)
{
	struct process *process = find(tgid);

	if (process) { /* it runs another program now */
		if (process->sources)
			forget_calls(tgid);
		let_files_go(process);
		process->cgroup = cgroup;
		process->sources = 0;
		process->seen = false;
		process->refused = false;
	} else {
		process = add(tgid, cgroup);
	}
	mark(process);
}

void tls_process_ended(__u32 tgid)
{
	struct process *process = find(tgid);

	if (!process)
		return;
	if (process->sources)
		forget_calls(tgid);
	let_files_go(process);
	*process = tls.process[--tls.count];
	bpf_map_delete_elem(bpf_map__fd(tls.programs->maps.tls_processes), &tgid);
}

void tls_event(const void *record, size_t length)
{
	const struct nettap_tls_event *event = record;
	struct process *process;

	if (length < sizeof(*event))
		return;
	process = find(event->tgid);
	if (!process)
		process = add(event->tgid, event->cgroup); /* forked, or its start was lost */
	if (!process)
		return;
	if (event->kind == NETTAP_EVENT_TLS_SEEN)
		process->seen = true;
	process->again = true;
	if (event->kind == NETTAP_EVENT_TLS_MAPPED || boot_now_ns() - process->looked_ns > AGAIN_NS)
		mark(process);
}

bool tls_takes(const struct nettap_frame *frame, size_t size)
{
	return tls_hold_take(frame, size, boot_now_ns());
}

void tls_work(void)
{
	if (!tls.any_due)
		return;
	tls.any_due = false;
	for (unsigned int i = 0; i < tls.count;) {
		struct process *process = &tls.process[i];

		if (process->due && !look(process))
			tls_process_ended(process->tgid); /* the last one takes its place */
		else
			i++;
	}
}

void tls_tick(__u64 now_ns)
{
	for (unsigned int i = 0; i < tls.count; i++) {
		if (tls.process[i].again && now_ns - tls.process[i].looked_ns > SETTLED_NS) {
			tls.process[i].again = false;
			mark(&tls.process[i]);
		}
	}
	tls_hold_expire(now_ns);
	if (now_ns < tls.next_expire)
		return;
	tls.next_expire = now_ns + EXPIRE_EVERY_NS;
	tls_files_expire(now_ns);
}

void tls_targets_changed(void)
{
}

void tls_detach(void)
{
	while (tls.count) {
		tls.process[tls.count - 1].sources = 0; /* all calls are forgotten below */
		tls_process_ended(tls.process[tls.count - 1].tgid);
	}
	forget_calls(0);
	tls_files_forget();
	tls_hold_forget();
}

void tls_close(void)
{
	tls_detach();
	tls_unprobe_wait();
	free(tls.process);
	tls.process = NULL;
	tls.room = 0;
}

void tls_describe(struct json *methods)
{
	json_open(methods, "tls");
	json_string(methods, "source", tls_link_many() ? "uprobe_multi" : "uprobe_perf_event");
	json_string(methods, "why",
		    tls_link_many() ? "the kernel puts a program at many places at once"
				    : "the kernel has no uprobe_multi (6.6); may need CAP_SYS_ADMIN");
	json_close(methods);
}
