#include "tls.h"

bool tls_init(struct nettap_bpf *programs, const struct settings *settings)
{
	(void)programs;
	(void)settings;
	return true;
}

void tls_loaded(void)
{
}

void tls_process_runs(__u32 tgid, __u64 cgroup)
{
	(void)tgid;
	(void)cgroup;
}

void tls_process_ended(__u32 tgid)
{
	(void)tgid;
}

void tls_event(const void *record, size_t length)
{
	(void)record;
	(void)length;
}

bool tls_takes(const struct nettap_frame *frame, size_t size)
{
	(void)frame;
	(void)size;
	return false;
}

void tls_tick(__u64 now_ns)
{
	(void)now_ns;
}

void tls_targets_changed(void)
{
}

void tls_detach(void)
{
}

void tls_close(void)
{
}

void tls_describe(struct json *methods)
{
	(void)methods;
}
