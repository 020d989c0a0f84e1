/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_CATALOG_H
#define PROBEKIT_PUBLIC_CATALOG_H
/* Catalogs: what could be measured. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/kinds.h>

#ifdef __cplusplus
extern "C" {
#endif

struct probekit_catalog;

/* One span, value, event or pair of probes, in one object. Strings belong to the catalog. */
struct probekit_catalog_entry {
	const char *name; /* "provider:name"; for a pair "provider:begin,end" as -u takes it */
	enum probekit_catalog_kind {
		PROBEKIT_CATALOG_SPAN, /* scoped or explicit span of probe.h */
		PROBEKIT_CATALOG_ASYNC,
		PROBEKIT_CATALOG_LOCK,
		PROBEKIT_CATALOG_VALUE,
		PROBEKIT_CATALOG_PAIR,	   /* two (or more) foreign probes whose names pair */
		PROBEKIT_CATALOG_EVENT,	   /* a single USDT probe */
		PROBEKIT_CATALOG_FUNCTION, /* only after probekit_catalog_add_functions() */
	} kind;
	const char *object;
	const char *arguments; /* of its first site, as the note has them; "" when none */
	uint32_t sites;	       /* of begin; of the probe itself where there is one */
	uint32_t end_sites;
	bool has_key;
	bool has_semaphore;
	bool is_fast; /* every site can be attached at the optimised instruction */
	/* Of functions alone; `sites` are its entries, clones of the compiler's included. */
	enum probekit_cost cost;
	uint64_t size_bytes;
	uint32_t inlined; /* places where the compiler has put it into others; UINT32_MAX: not known */
	const char *
		first_inlined; /* the first of them, "caller at file.c:12"; NULL: none, or not known */
	bool by_exits; /* its returns are probed one by one, as exceptions or stack switches may pass it */
	const char *refused; /* why it cannot be probed; NULL: it can */
};

/* Opens what may offer no probe at all: an empty catalog, of which probekit_catalog_require() makes an error. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_open_path(const char *path,
								struct probekit_catalog **catalog,
								struct probekit_error *err);
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_open_pid(pid_t pid,
							       struct probekit_catalog **catalog,
							       struct probekit_error *err);
/* Adds the functions that match, as probekit_session_add_function() has it; none is an error that says
 * what is near. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_add_functions(
	struct probekit_catalog *catalog, const char *pattern, struct probekit_error *err);
/* 0, or -ENOENT where the catalog is empty, with what could be done about it. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_require(
	const struct probekit_catalog *catalog, struct probekit_error *err);
PROBEKIT_API void probekit_catalog_free(struct probekit_catalog *catalog);
PROBEKIT_API size_t probekit_catalog_size(const struct probekit_catalog *catalog);
PROBEKIT_API const struct probekit_catalog_entry *probekit_catalog_entry(
	const struct probekit_catalog *catalog, size_t i);
/* Notes whose arguments or bytes could not be understood; they are listed all the same. */
PROBEKIT_API size_t probekit_catalog_bad_notes(const struct probekit_catalog *catalog);

#ifdef __cplusplus
}
#endif
#endif
