#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bpf/shared.h"
#include "json.h"
#include "log.h"
#include "probe.h"
#include "tls.h"

#define SAID_MAX 700

/* libbpf's warnings; of a long one (the verifier's log) the end, where the reason stands. */
static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text = NULL;
	int length;

	if (level != LIBBPF_WARN)
		return 0;
	length = vasprintf(&text, format, arguments);
	if (length < 0)
		return 0;
	log_warning("libbpf", "message", length > SAID_MAX ? text + length - SAID_MAX : text, NULL);
	free(text);
	return 0;
}

static const struct method {
	const char *name, *begin, *end; /* prefixes of the programs' names; behind them is the kernel's function */
	__u8 source;
} methods[] = {
	{"fentry", "fentry_", "fexit_", NETTAP_SOURCE_FENTRY},
	{"tracepoint", "syscall_", "syscall_", NETTAP_SOURCE_TRACEPOINT},
	{"kprobe", "kprobe_", "kretprobe_", NETTAP_SOURCE_KPROBE},
};
#define METHODS (sizeof(methods) / sizeof(*methods))

static const char *after(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) ? NULL : name + length;
}

/* What the programs of a method are attached to; NULL: this is none of them. */
static const char *target_of(const char *name, const struct method *method)
{
	const char *target = after(name, method->begin);

	return target ? target : after(name, method->end);
}

/* Load those of this method whose functions this kernel has, and not those of the others. */
static const struct method *choose_programs(struct nettap_bpf *object, const char *chosen,
					    const struct settings *settings)
{
	struct btf *kernel = probe_btf(settings);
	const struct method *found = NULL;
	struct bpf_program *program;

	for (size_t i = 0; i < METHODS; i++) {
		bool wanted = !strcmp(methods[i].name, chosen);

		if (wanted)
			found = &methods[i];
		bpf_object__for_each_program(program, object->obj) {
			const char *target = target_of(bpf_program__name(program), &methods[i]);
			bool there = target && (methods[i].source == NETTAP_SOURCE_TRACEPOINT ||
						btf__find_by_name_kind(kernel, target, BTF_KIND_FUNC) > 0);

			if (target)
				bpf_program__set_autoload(program, wanted && there);
		}
	}
	btf__free(kernel);
	return found;
}

static bool prepare(struct programs *programs, const struct settings *settings, const struct hierarchy *hierarchy,
		    const struct probe *probe)
{
	struct nettap_bpf *object = programs->object;

	object->rodata->have_loop = programs->loop;
	object->rodata->hierarchy = hierarchy->kind;
	object->rodata->hierarchy_id = hierarchy->id;
	object->rodata->source_of_calls = choose_programs(object, programs->method, settings)->source;
	object->rodata->recv_has_nonblock = probe->recv_has_nonblock;
	if (probe->io_uring_tracepoint)
		bpf_program__set_attach_target(object->progs.io_uring_submit, 0, probe->io_uring_tracepoint);
	else
		bpf_program__set_autoload(object->progs.io_uring_submit, false);
	return !bpf_map__set_max_entries(object->maps.chunks, settings->chunk_ring) &&
	       !bpf_map__set_max_entries(object->maps.events, settings->event_ring) &&
	       !bpf_map__set_max_entries(object->maps.sockets, settings->sockets_max) &&
	       !bpf_map__set_max_entries(object->maps.calls, settings->calls_max) && tls_init(object, settings);
}

/* Let the programs find out in which pid namespace this process is, whose numbers they then tell. */
static void find_level(const struct programs *programs)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_prog_test_run_opts(bpf_program__fd(programs->object->progs.find_level), &options))
		log_warning("pid_namespace_not_found", "reason", log_reason(errno), "effect",
			    "on a node that is a container itself TLS is not seen", NULL);
	else if (programs->object->bss->pid_level)
		log_info("pid_namespace", "level", log_number(programs->object->bss->pid_level), NULL);
}

/* Have the kernel measure how often and how long programs run, for as long as this process lives. */
static void measure(struct programs *programs)
{
	programs->measuring = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (programs->measuring < 0)
		log_warning("programs_not_measured", "reason", log_reason(errno), "remedy", "the capability SYS_ADMIN", NULL);
}

bool programs_load(struct programs *programs, const struct settings *settings, const struct hierarchy *hierarchy)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct probe probe;

	probe_kernel(settings, &probe);
	libbpf_set_print(listen_to_libbpf);
	programs->loop = settings->loop && probe.results[PROBED_LOOP].works;
	programs->io_uring = probe.io_uring_tracepoint;
	programs->method = probe_choose(&probe, settings->method, programs->why, sizeof(programs->why));
	if (!programs->method || probe_lacks(&probe, programs->why, sizeof(programs->why))) {
		log_error("kernel_refuses", "reason", programs->why, "lockdown", probe.lockdown, "see", "speedscale-nettap-capture --doctor", NULL);
		return false;
	}
	if (settings->btf && !access(settings->btf, R_OK))
		options.btf_custom_path = settings->btf;
	else if (settings->btf)
		log_warning("btf_path_not_readable", "path", settings->btf, "instead", "the kernel's own", NULL);
	programs->object = nettap_bpf__open_opts(&options);
	if (!programs->object || !prepare(programs, settings, hierarchy, &probe) || nettap_bpf__load(programs->object)) {
		log_error("programs_not_loaded", "method", programs->method, "reason", log_reason(errno), "lockdown",
			  probe.lockdown, NULL);
		return false;
	}
	tls_loaded();
	find_level(programs);
	if (settings->program_stats)
		measure(programs);
	return true;
}

bool programs_attach(struct programs *programs)
{
	if (programs->attached)
		return true;
	if (nettap_bpf__attach(programs->object)) {
		log_error("programs_not_attached", "reason", log_reason(errno), NULL);
		nettap_bpf__detach(programs->object);
		return false;
	}
	programs->attached = true;
	return true;
}

/* Remove all keys of a map. */
static void empty(int map, size_t key_size)
{
	char key[16];

	while (key_size <= sizeof(key) && !bpf_map_get_next_key(map, NULL, key))
		if (bpf_map_delete_elem(map, key) && errno != ENOENT)
			return;
}

void programs_detach(struct programs *programs)
{
	if (!programs->attached)
		return;
	tls_detach();
	nettap_bpf__detach(programs->object);
	empty(bpf_map__fd(programs->object->maps.sockets), sizeof(__u64));
	empty(bpf_map__fd(programs->object->maps.calls), sizeof(__u64));
	programs->attached = false;
}

void programs_close(struct programs *programs)
{
	if (!programs->object)
		return;
	programs_detach(programs);
	if (programs->measuring > 0)
		close(programs->measuring);
	nettap_bpf__destroy(programs->object);
	programs->object = NULL;
}

void programs_describe(const struct programs *programs, struct json *json)
{
	json_open(json, "tcp");
	json_string(json, "source", programs->method);
	json_string(json, "why", programs->why);
	json_string(json, "loop", programs->loop ? "bpf_loop" : "bounded");
	json_close(json);
	json_open(json, "io_uring");
	json_string(json, "source", programs->io_uring ? "tracepoint" : "none");
	json_close(json);
	tls_describe(json);
}
