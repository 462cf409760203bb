/* The few members of kernel structures that the programs read, by their names only: where they lie is looked up in the
 * running kernel's BTF when the object is loaded (CO-RE). A name that changed between kernels has both forms here, the
 * later one or the earlier one marked by ___suffix, which CO-RE ignores.
 *
 * Nothing of user space's ABI stands here: that comes from the system's headers.
 */
#ifndef NETTAP_KERNEL_H
#define NETTAP_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* so that <bpf/bpf_tracing.h> takes the kernel's names of registers */
#define __VMLINUX_H__
#include <linux/bpf.h>

struct in6_addr_words {
	__u32 word[4];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			__u64 regs[31], sp, pc, pstate;
		};
	};
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

struct net;
struct sock;

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

enum cgroup_subsys_id { memory_cgrp_id = 4, pids_cgrp_id = 11 };

struct css_set {
	struct cgroup_subsys_state *subsys[12];
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct thread_info {
	unsigned long flags; /* arm64: bit 22 says a 32-bit task */
	__u32 status;	     /* x86: bit 1 says a 32-bit system call */
};

typedef struct {
	int counter;
} atomic_t;

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };

struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid;
	int tgid;
	char comm[16];
	struct files_struct *files;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct pid *thread_pid;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags;
	struct in6_addr_words skc_v6_daddr;
	struct in6_addr_words skc_v6_rcv_saddr;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_protocol;
	__u16 sk_type;
};

struct inet_bind_bucket {
	signed char fastreuse;
};

struct inet_connection_sock {
	struct inet_bind_bucket *icsk_bind_hash;
	const void *icsk_ulp_ops;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 snd_una;
	__u64 bytes_received;
	__u64 bytes_acked;
};

/* bits of skc_flags */
enum sock_flags { SOCK_DONE = 1 };

/* states of a socket */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9

/* since 6.4: __iov, __ubuf_iovec; 6.0 to 6.3: iov, ubuf; before: iov */
struct iov_iter {
	__u8 iter_type;
	unsigned long iov_offset;
	unsigned long count;
	union {
		const void *__iov;
		void *ubuf;
	};
	unsigned long nr_segs;
};

struct iov_iter___before_6_4 {
	const void *iov;
};

enum iter_type { ITER_UBUF, ITER_IOVEC }; /* ITER_UBUF since 6.0 */

struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
};

struct io_cqe {
	int fd;
};

struct io_kiocb {
	__u8 opcode;
	unsigned int flags; /* the lower half of it, where it is longer */
	struct io_cqe cqe;
	struct file *file;
};

#pragma clang attribute pop

#endif
