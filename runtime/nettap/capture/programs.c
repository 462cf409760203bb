#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../bpf/shared.h"
#include "json.h"
#include "log.h"
#include "tls.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[512];
	size_t length;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	length = strlen(text);
	while (length && text[length - 1] == '\n')
		text[--length] = 0;
	log_warning("libbpf", "message", text, NULL);
	return 0;
}

static bool set_sizes(struct nettap_bpf *object, const struct settings *settings)
{
	return !bpf_map__set_max_entries(object->maps.chunks, settings->chunk_ring) &&
	       !bpf_map__set_max_entries(object->maps.events, settings->event_ring);
}

bool programs_load(struct programs *programs, const struct settings *settings, const struct hierarchy *hierarchy)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = settings->btf);
	struct nettap_bpf *object;

	libbpf_set_print(quiet);
	object = nettap_bpf__open_opts(&options);
	if (!object || !set_sizes(object, settings)) {
		log_error("programs_not_opened", "reason", strerror(errno), NULL);
		return false;
	}
	programs->object = object;
	programs->method = "tracepoint";
	programs->why = "the only one built";
	programs->loop = settings->loop && libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
	object->rodata->have_loop = programs->loop;
	object->rodata->hierarchy = hierarchy->kind;
	object->rodata->hierarchy_id = hierarchy->id;
	object->rodata->source_of_calls = NETTAP_SOURCE_TRACEPOINT;
	if (!tls_init(object, settings))
		return false;
	if (nettap_bpf__load(object)) {
		log_error("programs_not_loaded", "reason", strerror(errno), NULL);
		return false;
	}
	tls_loaded();
	return true;
}

bool programs_attach(struct programs *programs)
{
	if (programs->attached)
		return true;
	if (nettap_bpf__attach(programs->object)) {
		log_error("programs_not_attached", "reason", strerror(errno), NULL);
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
	tls_describe(json);
}
