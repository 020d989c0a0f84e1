/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_THINGS_H
#define PROBEKIT_THINGS_H
/* Files and peers that threads wait for, and what they are called. */
#include "maps.h"

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFSOCK 0140000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define FIRST_EPHEMERAL_PORT 32768 /* as net.ipv4.ip_local_port_range has it by default */

static __always_inline struct file *open_file(struct task_struct *task, __u64 fd)
{
	struct file *file = NULL;
	struct files_struct *files;
	struct fdtable *table;

	files = plain(task)->files;
	if (!files)
		return NULL;
	table = files->fdt;
	if (!table || fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

/* The same of a task that is known by its address alone. */
static __always_inline struct file *open_file_of(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (table && fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* The names of a file and of the folders it is in, up to the file system's root. */
static __always_inline void read_names(struct dentry *dentry, struct thing *thing)
{
	for (int i = 0; i < THING_NAMES; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		bpf_probe_read_kernel_str(thing->names[i], sizeof(thing->names[i]),
					  BPF_CORE_READ(dentry, d_name.name));
		if (parent == dentry)
			return;
		dentry = parent;
	}
}

/* A file's id; its names are noted when it is first waited for. `at` is the address of a struct file,
 * as a number: a function of its own takes no pointer into the kernel. */
__noinline __u64 file_thing(__u64 at)
{
	struct file *file = (struct file *)at;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u64 id = mix(mix((__u64)inode, BPF_CORE_READ(inode, i_ino)),
		       BPF_CORE_READ(inode, i_generation)); /* addresses are used again */
	struct thing thing = {.kind = THING_FILE};

	if (bpf_map_lookup_elem(&things, &id))
		return id;
	thing.inode = BPF_CORE_READ(inode, i_ino);
	thing.device = BPF_CORE_READ(inode, i_sb, s_dev);
	read_names(BPF_CORE_READ(file, f_path.dentry), &thing);
	bpf_map_update_elem(&things, &id, &thing, BPF_ANY);
	return id;
}

static long note_file(struct task_struct *task, struct vm_area_struct *vma, __u64 *id)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);

	*id = file ? file_thing((__u64)file) : 0;
	return 0;
}

/* The file that a task has mapped at an address; 0: none, or its address space is being changed. */
static __always_inline __u64 mapped_thing(struct task_struct *task, __u64 address)
{
	__u64 id = 0;

	bpf_find_vma(task, address, note_file, &id, 0);
	return id;
}

/* The id of what a socket is connected to; `at` is the address of a struct sock. A client's peers are
 * told by address and port; of a server's, whose ports are chance, the address and our own port. */
__noinline __u64 peer_thing(__u64 at)
{
	struct sock *sk = (struct sock *)at;
	struct thing thing = {.kind = THING_PEER};
	__u16 own_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	__u64 low, high;
	__u64 id;

	thing.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	thing.port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (thing.port == 0 ||
	    (thing.port >= FIRST_EPHEMERAL_PORT && own_port < FIRST_EPHEMERAL_PORT)) {
		thing.is_own_port = 1;
		thing.port = own_port;
	}
	if (thing.family == AF_INET) {
		__u32 ip = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(thing.ip, &ip, sizeof(ip));
	} else if (thing.family == AF_INET6) {
		BPF_CORE_READ_INTO(&thing.ip, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
	__builtin_memcpy(&low, thing.ip, sizeof(low));
	__builtin_memcpy(&high, thing.ip + sizeof(low), sizeof(high));
	id = mix(mix(mix(thing.family, low), high), (__u64)thing.is_own_port << 16 | thing.port);
	if (!bpf_map_lookup_elem(&things, &id))
		bpf_map_update_elem(&things, &id, &thing, BPF_ANY);
	return id;
}

#endif
