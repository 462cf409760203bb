/* Sockets: from a descriptor or a struct sock to the state that is kept of it, and where the kernel's own counters say
 * that its two streams stand.
 *
 * A socket is {address of struct sock, generation}; descriptors come and go, are duplicated and reused, and name nothing.
 */
#ifndef NETTAP_SOCKETS_H
#define NETTAP_SOCKETS_H

#include <bpf/bpf_endian.h>

#include "emit.h"

#define AF_INET 2
#define AF_INET6 10
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

static __always_inline struct sock *sock_of_file(struct file *file, __u64 *inode)
{
	struct inode *node = BPF_CORE_READ(file, f_inode);
	struct socket *socket;

	if ((BPF_CORE_READ(node, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	*inode = BPF_CORE_READ(node, i_ino);
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* The socket behind a descriptor of this task; 0: none, or not a socket. */
static __always_inline struct sock *sock_of_fd(__u32 fd, __u64 *inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = task->files->fdt;
	struct file *file = 0;

	if (fd >= table->max_fds)
		return 0;
	if (bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]) || !file)
		return 0;
	return sock_of_file(file, inode);
}

static __always_inline __u64 inode_of_sock(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

static __always_inline bool is_inet(struct sock *sk, __u16 protocol)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_protocol) == protocol;
}

static __always_inline __u32 kernel_seq(struct sock *sk, __u8 direction)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	return direction == NETTAP_SENT ? BPF_CORE_READ(tcp, write_seq) : BPF_CORE_READ(tcp, copied_seq);
}

/* Whether the application has read the other end's FIN, which takes one sequence number. */
static __always_inline bool fin_was_read(struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	return (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1UL << SOCK_DONE)) &&
	       BPF_CORE_READ(tcp, copied_seq) == BPF_CORE_READ(tcp, rcv_nxt);
}

/* Bytes that had passed in this direction when the kernel's counter stood at `seq`, since the connection began. */
static __always_inline __u64 bytes_before(struct sock *sk, __u8 direction, __u32 seq)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	if (direction == NETTAP_SENT)
		return BPF_CORE_READ(tcp, bytes_acked) + (__s32)(seq - BPF_CORE_READ(tcp, snd_una));
	return BPF_CORE_READ(tcp, bytes_received) - (__s32)(BPF_CORE_READ(tcp, rcv_nxt) - seq);
}

/* A client's port was chosen by connect(), which marks it (fastreuse < 0); a server's was asked for by bind(). */
static __always_inline __u8 role_of(struct sock *sk)
{
	struct inet_connection_sock *connection = (struct inet_connection_sock *)sk;
	struct inet_bind_bucket *bucket = BPF_CORE_READ(connection, icsk_bind_hash);

	if (!bucket)
		return NETTAP_ROLE_UNKNOWN;
	return BPF_CORE_READ(bucket, fastreuse) < 0 ? NETTAP_ROLE_CLIENT : NETTAP_ROLE_SERVER;
}

static __always_inline bool is_v4_mapped(const struct in6_addr_words *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == bpf_htonl(0xffff);
}

/* The tuple, into a state or a head: both have these members. */
#define READ_TUPLE(to, sk)                                                                                    \
	do {                                                                                                  \
		struct in6_addr_words local_ = {}, remote_ = {};                                              \
		__be16 port_ = BPF_CORE_READ(sk, __sk_common.skc_dport);                                      \
		(to)->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);                            \
		(to)->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);                                    \
		(to)->remote_port = bpf_ntohs(port_);                                                         \
		(to)->family = 6;                                                                             \
		if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {                                  \
			BPF_CORE_READ_INTO(&local_, sk, __sk_common.skc_v6_rcv_saddr);                        \
			BPF_CORE_READ_INTO(&remote_, sk, __sk_common.skc_v6_daddr);                           \
			if (is_v4_mapped(&remote_)) {                                                         \
				(to)->family = 4;                                                             \
				local_.word[0] = local_.word[3];                                              \
				remote_.word[0] = remote_.word[3];                                            \
				local_.word[1] = local_.word[2] = local_.word[3] = 0;                         \
				remote_.word[1] = remote_.word[2] = remote_.word[3] = 0;                      \
			}                                                                                     \
		} else {                                                                                      \
			(to)->family = 4;                                                                     \
			local_.word[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);                        \
			remote_.word[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);                           \
		}                                                                                             \
		__builtin_memcpy((to)->local_address, &local_, 16);                                           \
		__builtin_memcpy((to)->remote_address, &remote_, 16);                                         \
	} while (0)

static __always_inline bool port_ignored(const struct nettap_allowed *rule, __u16 local, __u16 remote)
{
	__u32 i;

	for (i = 0; i < NETTAP_TARGET_PORTS; i++)
		if (i < rule->ports && (rule->ignore_ports[i] == local || rule->ignore_ports[i] == remote))
			return true;
	return false;
}

static __noinline struct socket_state *socket_begin(struct sock *sk, __u64 inode, __u64 cgroup,
						    struct nettap_allowed *rule)
{
	__u64 key = (__u64)sk;
	__u32 zero = 0;
	struct socket_state *state = bpf_map_lookup_elem(&blank_socket, &zero);

	if (!state || !BPF_CORE_READ(sk, __sk_common.skc_dport)) /* listening, or not connected yet */
		return 0;
	if (bpf_map_update_elem(&sockets, &key, state, BPF_ANY)) {
		count(NETTAP_COUNT_SOCKETS_FULL, 1);
		return 0;
	}
	state = bpf_map_lookup_elem(&sockets, &key);
	if (!state)
		return 0;
	state->cgroup = cgroup;
	state->inode = inode;
	READ_TUPLE(state, sk);
	state->role = role_of(sk);
	state->ignored = port_ignored(rule, state->local_port, state->remote_port);
	state->generation = __sync_fetch_and_add(&generations, 1) + 1;
	return state;
}

/* The state of a TCP socket in a captured cgroup, made when it is seen for the first time; 0: none to be had. */
static __always_inline struct socket_state *socket_of(struct sock *sk, __u64 inode, __u64 cgroup,
						      struct nettap_allowed *rule)
{
	__u64 key = (__u64)sk;
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &key);

	if (state && state->inode == inode)
		return state;
	return socket_begin(sk, inode, cgroup, rule);
}

/* Everything of a chunk that is the same for all chunks of one call on a socket. */
static __always_inline void fill_head(struct nettap_chunk *head, __u64 sk, const struct socket_state *state,
				      __u8 direction, __u8 source)
{
	head->ts = bpf_ktime_get_boot_ns();
	head->cgroup = state->cgroup;
	head->sock = sk;
	head->offset = 0;
	head->generation = state->generation;
	head->tgid = current_tgid();
	head->tid = current_tid();
	head->length = 0;
	head->call_total = 0;
	head->chunk_index = 0;
	head->gap_reason = 0;
	head->direction = direction;
	head->source = source;
	head->certainty = NETTAP_CERTAIN;
	head->flags = 0;
	head->family = state->family;
	head->role = state->role;
	head->local_port = state->local_port;
	head->remote_port = state->remote_port;
	head->reserved = 0;
	head->netns = state->netns;
	__builtin_memcpy(head->local_address, state->local_address, 16);
	__builtin_memcpy(head->remote_address, state->remote_address, 16);
}

/* Begin to count a direction at the kernel's `seq`. */
static __always_inline void half_begin(struct half *half, struct sock *sk, __u8 direction, __u32 seq)
{
	__u64 before = bytes_before(sk, direction, seq);

	half->seq = seq;
	half->known = 1;
	/* A client's SYN may count as one acknowledged byte. */
	half->midstream = direction == NETTAP_SENT ? before > 1 : before > 0;
}

#endif
