/* Go's crypto/tls from 1.17 (arm64: 1.18), by uprobes where (*Conn).Read and Write begin and at each of their returns.
 *
 * Return probes would break Go, whose stacks move. A call belongs to its goroutine, which may leave a thread while it
 * waits and go on in another; the runtime keeps the address of the running one in a register. Sources: ABIInternal
 * (cmd/compile/abi-internal.md), runtime/runtime2.go, net/fd_posix.go, internal/poll/fd_unix.go.
 */
#ifndef NETTAP_TLS_GO_H
#define NETTAP_TLS_GO_H

#include "tls_session.h"

#if defined(__TARGET_ARCH_x86)
#define GO_ARGUMENT_1(context) ((context)->ax)
#define GO_ARGUMENT_2(context) ((context)->bx)
#define GO_G(context) ((context)->r14)
#else
#define GO_ARGUMENT_1(context) (((const struct user_pt_regs *)(context))->regs[0])
#define GO_ARGUMENT_2(context) (((const struct user_pt_regs *)(context))->regs[1])
#define GO_G(context) (((const struct user_pt_regs *)(context))->regs[28])
#endif

struct go_stack {
	__u64 low;
	__u64 high;
};

static __always_inline void go_caller(struct tls_caller *caller, __u64 g)
{
	caller->who = g;
	caller->tgid = current_tgid();
	caller->go = 1;
}

/* tls.Conn begins with the net.Conn under it; if that is a *net.TCPConn, then so do its *netFD and, 16 bytes in, the
 * descriptor. If it is something else, what is read is no descriptor of a TCP socket, or one that a socket call inside
 * the next call corrects. */
static __always_inline void go_find_socket(__u64 conn, __u64 cgroup, struct nettap_allowed *rule)
{
	__u64 under = 0, net_fd = 0, fd = 0;

	if (bpf_probe_read_user(&under, sizeof(under), (const void *)(conn + 8)) || !under)
		return;
	if (bpf_probe_read_user(&net_fd, sizeof(net_fd), (const void *)under) || !net_fd)
		return;
	if (bpf_probe_read_user(&fd, sizeof(fd), (const void *)(net_fd + 16)) || fd < 1 || fd > 1 << 20)
		return;
	tls_session_given(conn, fd, cgroup, rule);
}

static __always_inline int go_begin(__u64 conn, __u64 buffer, __u64 g, __u8 direction)
{
	__u64 cgroup = current_cgroup();
	struct nettap_allowed *rule = allowed(cgroup);
	struct tls_caller caller;
	struct tls_call call = {};
	struct go_stack stack = {};

	if (!rule)
		return 0;
	call.began = bpf_ktime_get_boot_ns();
	call.session = conn;
	call.buffer = buffer;
	call.direction = direction;
	call.kind = TLS_KIND_DATA;
	if (!bpf_probe_read_user(&stack, sizeof(stack), (const void *)g) && buffer >= stack.low && buffer < stack.high) {
		call.on_stack = 1;
		call.stack_top = stack.high;
	}
	go_caller(&caller, g);
	bpf_map_update_elem(&tls_calls, &caller, &call, BPF_ANY);
	go_find_socket(conn, cgroup, rule);
	count(NETTAP_COUNT_CALLS + tls_hook(direction), 1);
	return 0;
}

SEC("uprobe")
int go_tls_read(struct pt_regs *ctx)
{
	return go_begin(GO_ARGUMENT_1(ctx), GO_ARGUMENT_2(ctx), GO_G(ctx), NETTAP_RECEIVED);
}

SEC("uprobe")
int go_tls_write(struct pt_regs *ctx)
{
	return go_begin(GO_ARGUMENT_1(ctx), GO_ARGUMENT_2(ctx), GO_G(ctx), NETTAP_SENT);
}

SEC("uprobe")
int go_tls_return(struct pt_regs *ctx)
{
	__s64 bytes = GO_ARGUMENT_1(ctx); /* the first result */
	__u64 g = GO_G(ctx);
	__u64 cgroup = current_cgroup();
	struct tls_caller caller;
	struct tls_call *call;
	struct go_stack stack = {};

	if (!allowed(cgroup))
		return 0;
	go_caller(&caller, g);
	call = bpf_map_lookup_elem(&tls_calls, &caller);
	if (!call) {
		if (bytes > 0)
			count(NETTAP_COUNT_TLS_UNSEEN, 1);
		return 0;
	}
	if (call->on_stack && !bpf_probe_read_user(&stack, sizeof(stack), (const void *)g))
		call->buffer += stack.high - call->stack_top;
	count(NETTAP_COUNT_RETURNS + tls_hook(call->direction), 1);
	if (bytes > 0)
		tls_tell(call, bytes, cgroup, NETTAP_SOURCE_GO_TLS);
	bpf_map_delete_elem(&tls_calls, &caller);
	return 0;
}

/* (*Conn).clientHandshake and serverHandshake run once, when nothing of the session was read or written yet. */
SEC("uprobe")
int go_tls_handshake(struct pt_regs *ctx)
{
	if (allowed(current_cgroup()))
		tls_session_made(GO_ARGUMENT_1(ctx));
	return 0;
}

#endif
