/* SPDX-License-Identifier: BSD-2-Clause */
/* A library whose file gets a hostile name. */

__attribute__((visibility("default"))) void hostile_library(void (*callback)(void));

__attribute__((noinline)) void hostile_library(void (*callback)(void))
{
	callback();
	__asm__ volatile("" : : : "memory"); /* no tail call */
}
