#include "session.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "../bpf/shared.h"
#include "dns_stream.h"
#include "doctor.h"
#include "json.h"
#include "log.h"
#include "stats.h"
#include "tls.h"

static struct session *the_session; /* for process_report, which tls calls */

void process_report(__u32 tgid, __u64 cgroup, int event, __u32 plaintext, __u32 refused)
{
	struct nettap_process process = {
		.ts = boot_now_ns(),
		.cgroup = cgroup,
		.tgid = tgid,
		.event = event,
		.plaintext = plaintext,
		.refused = refused,
	};
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%.30s/%u/comm", the_session->settings->procfs, tgid);
	file = fopen(path, "re");
	if (file) {
		size_t got = fread(process.comm, 1, sizeof(process.comm) - 1, file);

		if (got && process.comm[got - 1] == '\n')
			process.comm[got - 1] = 0;
		fclose(file);
	}
	if (!line_put(&the_session->line, NETTAP_PROCESS, &process, sizeof(process), NULL, 0))
		stat_add("line_drops", "process", 1);
}

void line_send(const void *frame, size_t length)
{
	if (!line_put_raw(&the_session->line, frame, length))
		stat_add("line_drops", "frame", 1);
}

struct found {
	__u64 cgroup;
};

static void process_found(void *context, int pid)
{
	struct found *found = context;

	process_report(pid, found->cgroup, 1, 0, 0);
	tls_process_runs(pid, found->cgroup);
}

static void cgroup_changed(void *context, const struct captured *captured, const struct nettap_target *target,
			   int event)
{
	struct session *session = context;
	struct nettap_cgroup frame = {.cgroup = captured->id, .event = event};
	struct found found = {.cgroup = captured->id};

	if (target)
		frame.target = target->number;
	if (session->line.fd < 0)
		return;
	if (!line_put(&session->line, NETTAP_CGROUP, &frame, sizeof(frame), captured->path, strlen(captured->path)))
		stat_add("line_drops", "cgroup", 1);
	if (event == 1)
		hierarchy_processes(session->hierarchy, captured->path, process_found, &found);
}

static void put_dns(void *context, const struct nettap_chunk *head, const void *message, size_t length)
{
	struct session *session = context;

	if (!line_put(&session->line, NETTAP_DNS, head, sizeof(*head), message, length))
		stat_add("line_drops", "dns", 1);
}

/* After each record: go on only while the line could take another one. Returning an error leaves the rest in the ring. */
static int next_record(struct session *session)
{
	if (line_has_room(&session->line))
		return 0;
	if (!line_flush(&session->line))
		return -EPIPE;
	return line_has_room(&session->line) ? 0 : -EAGAIN;
}

static bool put_frame(struct session *session, const void *record, size_t size)
{
	const struct nettap_frame *frame = record;
	size_t length = sizeof(*frame) + frame->length;

	if (length > size || !line_put_raw(&session->line, record, length)) {
		stat_add("line_drops", "frame", 1);
		return false;
	}
	return true;
}

static int on_chunk(void *context, void *record, size_t size)
{
	struct session *session = context;
	const struct nettap_frame *frame = record;
	const struct nettap_chunk *chunk = (const void *)(frame + 1);

	if (size >= sizeof(*frame) && tls_takes(frame, size))
		return next_record(session);
	if (put_frame(session, record, size) && chunk->remote_port == 53 && chunk->direction == NETTAP_RECEIVED)
		dns_stream(chunk, chunk + 1, put_dns, session);
	return next_record(session);
}

static int on_event(void *context, void *record, size_t size)
{
	struct session *session = context;
	__u16 kind = *(const __u16 *)record;
	const struct nettap_process *process = (const void *)((const struct nettap_frame *)record + 1);

	if (kind >= NETTAP_EVENT_TLS && kind < NETTAP_EVENT_TLS + 32) {
		tls_event(record, size);
	} else if (kind == NETTAP_EVENT_CGROUP_MADE) {
		targets_cgroup_made(&session->targets, record);
	} else if (kind == NETTAP_EVENT_CGROUP_GONE) {
		targets_cgroup_gone(&session->targets, record);
	} else {
		put_frame(session, record, size);
		if (kind == NETTAP_PROCESS && process->event == 1)
			tls_process_runs(process->tgid, process->cgroup);
		else if (kind == NETTAP_PROCESS)
			tls_process_ended(process->tgid);
	}
	return next_record(session);
}

bool session_init(struct session *session)
{
	struct nettap_bpf *object = session->programs->object;

	the_session = session;
	session->chunks = ring_buffer__new(bpf_map__fd(object->maps.chunks), on_chunk, session, NULL);
	session->events = ring_buffer__new(bpf_map__fd(object->maps.events), on_event, session, NULL);
	session->targets.hierarchy = session->hierarchy;
	session->targets.allow_map = bpf_map__fd(object->maps.allowed_cgroups);
	session->targets.changed = cgroup_changed;
	session->targets.context = session;
	return session->chunks && session->events && line_init(&session->line, session->settings->line_bytes);
}

void session_close(struct session *session)
{
	session_down(session);
	ring_buffer__free(session->chunks);
	ring_buffer__free(session->events);
	free(session->line.out);
}

void session_up(struct session *session)
{
	struct json json = {0};
	struct utsname name;

	uname(&name);
	json_open(&json, NULL);
	json_number(&json, "version", NETTAP_WIRE_VERSION);
	json_string(&json, "kernel", name.release);
	json_string(&json, "machine", name.machine);
	json_number(&json, "boot_offset_ns", boot_offset_ns());
	json_string(&json, "hierarchy", session->hierarchy->name);
	json_open(&json, "methods");
	programs_describe(session->programs, &json);
	json_close(&json);
	doctor_as_json(session->settings, &json, "doctor");
	json_close(&json);
	line_put(&session->line, NETTAP_HELLO, json.text, json.length, NULL, 0);
	json_free(&json);
	log_info("ingest_connected", NULL);
}

void session_down(struct session *session)
{
	bool stood = session->line.fd >= 0;

	line_close(&session->line);
	targets_forget(&session->targets);
	programs_detach(session->programs);
	session->programs->object->bss->line_full = 0;
	/* What is left in the rings belongs to nobody: without a line it is thrown away. */
	ring_buffer__consume(session->chunks);
	ring_buffer__consume(session->events);
	dns_stream_forget();
	if (stood)
		log_warning("ingest_gone", NULL);
}

static bool heard(void *context, const struct nettap_frame *frame, const void *payload)
{
	struct session *session = context;
	struct nettap_target target;

	switch (frame->type) {
	case NETTAP_TARGETS_BEGIN:
		targets_begin(&session->targets);
		return true;
	case NETTAP_TARGET:
		if (frame->length != sizeof(target))
			break;
		memcpy(&target, payload, sizeof(target));
		targets_add(&session->targets, &target);
		return true;
	case NETTAP_TARGETS_END:
		if (session->targets.coming_count && !programs_attach(session->programs))
			return false;
		targets_end(&session->targets);
		tls_targets_changed();
		if (!session->targets.count)
			programs_detach(session->programs);
		log_info("targets", "asked", log_number(session->targets.count), "cgroups",
			 log_number(session->targets.captured_count), NULL);
		return true;
	}
	log_error("ingest_not_understood", "type", log_number(frame->type), "length", log_number(frame->length), NULL);
	return false;
}

bool session_read(struct session *session)
{
	return line_read(&session->line, heard, session);
}

bool session_drain(struct session *session)
{
	/* Records are only taken from a ring while there is room for one more. */
	int chunks = next_record(session), events = chunks;

	if (!chunks)
		chunks = ring_buffer__consume(session->chunks);
	if (chunks >= 0)
		events = ring_buffer__consume(session->events);
	if (events >= 0)
		tls_work();
	session->programs->object->bss->line_full = chunks == -EAGAIN || events == -EAGAIN;
	if (chunks == -EPIPE || events == -EPIPE)
		return false;
	return line_flush(&session->line);
}

void session_stats(struct session *session)
{
	struct json json = {0};

	stats_write(session->programs->object, &json);
	if (!json.text || json.length > NETTAP_FRAME_MAX ||
	    !line_put(&session->line, NETTAP_STATS, json.text, json.length, NULL, 0))
		stat_add("line_drops", "stats", 1);
	json_free(&json);
}
