/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SHIELD_H
#define PROBEKIT_SHIELD_H
/*
 * Work that must not be left half done, whoever kills this process. The kernel gives up attaching to a target,
 * and detaching from it, in the middle when the thread that does so has a fatal signal pending: what it could not
 * take back, semaphores and breakpoints, stays in the target for ever.
 */

/* Calls `run` in a process of its own, which shares this one's memory and file descriptors, blocks all signals and is
 * of another session; the calling thread waits. What it opens belongs to this process. `run` makes system
 * calls and little else: it borrows the thread's own data, and has 16 KiB of stack. Its result; -EINTR when
 * somebody has killed the other process. Where there can be no other process it is called in this one. */
int shield_run(int (*run)(void *arg), void *arg);

#endif
