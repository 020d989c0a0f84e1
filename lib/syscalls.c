/* SPDX-License-Identifier: BSD-2-Clause */
#include "syscalls.h"

#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Not every architecture has every call, and the headers may be older than the kernel. */
static const struct {
	short number;
	unsigned char kind;
} table[] = {
	{SYS_futex, SYSCALL_FUTEX},
#ifdef SYS_futex_waitv
	{SYS_futex_waitv, SYSCALL_LOCK},
#endif
	{454 /* futex_wake */, SYSCALL_LOCK},
	{455 /* futex_wait */, SYSCALL_FUTEX},
	{456 /* futex_requeue */, SYSCALL_LOCK},
	{SYS_flock, SYSCALL_LOCK},
	{SYS_semop, SYSCALL_LOCK},
	{SYS_semtimedop, SYSCALL_LOCK},
	{SYS_fcntl, SYSCALL_FCNTL},

	{SYS_fsync, SYSCALL_SYNC},
	{SYS_fdatasync, SYSCALL_SYNC},
	{SYS_sync, SYSCALL_DISK},
	{SYS_syncfs, SYSCALL_SYNC},
	{SYS_sync_file_range, SYSCALL_SYNC},
	{SYS_msync, SYSCALL_DISK},

	{SYS_openat, SYSCALL_PATH},
	{SYS_openat2, SYSCALL_PATH},
	{SYS_close, SYSCALL_PATH},
	{SYS_unlinkat, SYSCALL_PATH},
	{SYS_renameat2, SYSCALL_PATH},
	{SYS_mkdirat, SYSCALL_PATH},
	{SYS_linkat, SYSCALL_PATH},
	{SYS_symlinkat, SYSCALL_PATH},
	{SYS_faccessat, SYSCALL_PATH},
	{SYS_readlinkat, SYSCALL_PATH},
	{SYS_statx, SYSCALL_PATH},
	{SYS_statfs, SYSCALL_PATH},
	{SYS_truncate, SYSCALL_PATH},
	{SYS_chdir, SYSCALL_PATH},
	{SYS_fchmodat, SYSCALL_PATH},
	{SYS_fchownat, SYSCALL_PATH},
	{SYS_utimensat, SYSCALL_PATH},
	{SYS_mknodat, SYSCALL_PATH},
	{SYS_execve, SYSCALL_PATH},
	{SYS_execveat, SYSCALL_PATH},
	{SYS_mount, SYSCALL_PATH},
	{SYS_umount2, SYSCALL_PATH},
#ifdef SYS_open
	{SYS_open, SYSCALL_PATH},
	{SYS_creat, SYSCALL_PATH},
	{SYS_unlink, SYSCALL_PATH},
	{SYS_rename, SYSCALL_PATH},
	{SYS_mkdir, SYSCALL_PATH},
	{SYS_rmdir, SYSCALL_PATH},
	{SYS_link, SYSCALL_PATH},
	{SYS_symlink, SYSCALL_PATH},
	{SYS_access, SYSCALL_PATH},
	{SYS_readlink, SYSCALL_PATH},
	{SYS_stat, SYSCALL_PATH},
	{SYS_lstat, SYSCALL_PATH},
	{SYS_chmod, SYSCALL_PATH},
	{SYS_chown, SYSCALL_PATH},
#endif
#ifdef SYS_newfstatat
	{SYS_newfstatat, SYSCALL_PATH},
#endif
#ifdef SYS_renameat
	{SYS_renameat, SYSCALL_PATH},
#endif

	{SYS_read, SYSCALL_FILE},
	{SYS_write, SYSCALL_FILE},
	{SYS_readv, SYSCALL_FILE},
	{SYS_writev, SYSCALL_FILE},
	{SYS_pread64, SYSCALL_FILE},
	{SYS_pwrite64, SYSCALL_FILE},
	{SYS_preadv, SYSCALL_FILE},
	{SYS_pwritev, SYSCALL_FILE},
	{SYS_preadv2, SYSCALL_FILE},
	{SYS_pwritev2, SYSCALL_FILE},
	{SYS_sendfile, SYSCALL_FILE},
	{SYS_splice, SYSCALL_FILE},
	{SYS_tee, SYSCALL_FILE},
	{SYS_vmsplice, SYSCALL_FILE},
	{SYS_copy_file_range, SYSCALL_FILE},
	{SYS_getdents64, SYSCALL_FILE},
	{SYS_fallocate, SYSCALL_FILE},
	{SYS_ftruncate, SYSCALL_FILE},
	{SYS_fstat, SYSCALL_FILE},
	{SYS_lseek, SYSCALL_FILE},
	{SYS_readahead, SYSCALL_FILE},
	{SYS_fadvise64, SYSCALL_FILE},
	{SYS_fchmod, SYSCALL_FILE},
	{SYS_fchown, SYSCALL_FILE},
	{SYS_ioctl, SYSCALL_FILE},
	{SYS_connect, SYSCALL_FILE},
	{SYS_accept, SYSCALL_FILE},
	{SYS_accept4, SYSCALL_FILE},
	{SYS_sendto, SYSCALL_FILE},
	{SYS_recvfrom, SYSCALL_FILE},
	{SYS_sendmsg, SYSCALL_FILE},
	{SYS_recvmsg, SYSCALL_FILE},
	{SYS_sendmmsg, SYSCALL_FILE},
	{SYS_recvmmsg, SYSCALL_FILE},
	{SYS_shutdown, SYSCALL_FILE},

	{SYS_wait4, SYSCALL_IPC},
	{SYS_waitid, SYSCALL_IPC},
	{SYS_clone, SYSCALL_IPC}, /* vfork: until the child executes or ends */
#ifdef SYS_clone3
	{SYS_clone3, SYSCALL_IPC},
#endif
#ifdef SYS_vfork
	{SYS_vfork, SYSCALL_IPC},
#endif
	{SYS_msgsnd, SYSCALL_IPC},
	{SYS_msgrcv, SYSCALL_IPC},
	{SYS_mq_timedsend, SYSCALL_IPC},
	{SYS_mq_timedreceive, SYSCALL_IPC},
	{SYS_rt_sigtimedwait, SYSCALL_IPC},
	{SYS_rt_sigsuspend, SYSCALL_IPC},
#ifdef SYS_pause
	{SYS_pause, SYSCALL_IPC},
#endif

	{SYS_io_uring_enter, SYSCALL_IO},
	{SYS_io_getevents, SYSCALL_IO},
	{SYS_io_submit, SYSCALL_IO},

	{SYS_nanosleep, SYSCALL_SLEEP},
	{SYS_clock_nanosleep, SYSCALL_SLEEP},

	{SYS_ppoll, SYSCALL_POLL},
	{SYS_pselect6, SYSCALL_POLL},
	{SYS_epoll_pwait, SYSCALL_POLL},
#ifdef SYS_epoll_pwait2
	{SYS_epoll_pwait2, SYSCALL_POLL},
#endif
#ifdef SYS_poll
	{SYS_poll, SYSCALL_POLL},
	{SYS_select, SYSCALL_POLL},
	{SYS_epoll_wait, SYSCALL_POLL},
#endif

	{SYS_mmap, SYSCALL_MEMORY_MAP},
	{SYS_munmap, SYSCALL_MEMORY_MAP},
	{SYS_mprotect, SYSCALL_MEMORY_MAP},
	{SYS_mremap, SYSCALL_MEMORY_MAP},
	{SYS_madvise, SYSCALL_MEMORY_MAP},
	{SYS_brk, SYSCALL_MEMORY_MAP},
	{SYS_mlock, SYSCALL_MEMORY_MAP},
	{SYS_munlock, SYSCALL_MEMORY_MAP},

	{SYS_restart_syscall, SYSCALL_RESTART},
};

void syscalls_fill_kinds(uint8_t kinds[static MAX_SYSCALLS])
{
	memset(kinds, SYSCALL_OTHER, MAX_SYSCALLS);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		kinds[table[i].number] = table[i].kind;
}

char *syscalls_name(unsigned int number)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);

	if (!name && asprintf(&name, "#%u", number) < 0)
		return NULL;
	return name;
}
