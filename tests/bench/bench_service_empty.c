/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the least that any tracer adds: a program that counts its runs, attached where the tools
 * attach theirs. By raw calls, for libbpf before 1.3 and the library know no return probes. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach.h"
#include "bench_service.h"
#include "object.h"

#define MAX_SITES 64
#define MULTI_RETURN 1u /* BPF_F_UPROBE_MULTI_RETURN */

/* The BPF_LINK_CREATE part of union bpf_attr for uprobe_multi (include/uapi/linux/bpf.h). */
struct link_create {
	uint32_t program;
	uint32_t target;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t semaphore_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t padding;
};

struct sites {
	uint64_t offsets[MAX_SITES];
	uint64_t semaphores[MAX_SITES];
	uint32_t count;
	const char *function; /* to look for */
};

/* ---- where ---- */

static bool is_of(const struct traced_span *span, const struct sdt_site *site)
{
	return span->provider && strcmp(site->provider, span->provider) == 0 &&
	       (strcmp(site->name, span->begin) == 0 || strcmp(site->name, span->end) == 0);
}

static void find_usdt(const struct object *object, const struct traced_span *spans,
		      struct sites *sites)
{
	for (size_t i = 0; i < object->sites.size; i++)
		for (const struct traced_span *span = spans; span->name; span++) {
			const struct sdt_site *site = &object->sites.sites[i];

			if (!is_of(span, site) || sites->count == MAX_SITES)
				continue;
			sites->offsets[sites->count] = site->offset;
			sites->semaphores[sites->count++] = site->semaphore_offset;
		}
}

static int visit_function(const struct elf_symbol *symbol, void *arg)
{
	struct sites *sites = arg;

	if (strcmp(symbol->name, sites->function) != 0)
		return 0;
	sites->offsets[0] = symbol->offset;
	sites->count = 1;
	return 1;
}

static int find_sites(struct bench_run *run, const struct server *server, struct sites *sites)
{
	const struct traced_span *spans = server->service->spans;
	struct probekit_error err;
	struct object *object;

	if (object_open(server->object, -1, &object, &err))
		return bench_fail(run, "%s", err.text);
	if (spans->provider) {
		find_usdt(object, spans, sites);
	} else {
		sites->function = spans->begin;
		if (elf_file_functions(object->elf, visit_function, sites) < 0)
			sites->count = 0;
	}
	object_free(object);
	if (!sites->count)
		return bench_missing(run, "%s has no %s '%s'", server->object,
				     spans->provider ? "USDT probe" : "symbol", spans->begin);
	return 0;
}

/* ---- what ---- */

static int load_program(struct service_empty *empty)
{
	const struct bpf_insn code[] = {
		/* r1 = address of the map's only value, which takes two instructions */
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = empty->map},
		{0},
		/* r2 = 1; lock *(u64 *)r1 += r2; r0 = 0; exit */
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_DW | BPF_ATOMIC,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = ATTACH_TYPE_UPROBE_MULTI);

	empty->program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty_probe", "GPL", code,
				       sizeof(code) / sizeof(code[0]), &options);
	return empty->program < 0 ? -errno : 0;
}

static int link_sites(const struct service_empty *empty, const struct server *server,
		      const struct sites *sites, uint32_t flags)
{
	struct link_create attributes = {
		.program = (uint32_t)empty->program,
		.attach_type = ATTACH_TYPE_UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)server->object,
		.offsets = (uint64_t)(uintptr_t)sites->offsets,
		.count = sites->count,
		.multi_flags = flags,
		.pid = server->service->is_traced_by_path ? 0 : (uint32_t)server->child.pid,
	};

	if (!sites->function)
		attributes.semaphore_offsets = (uint64_t)(uintptr_t)sites->semaphores;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
}

int service_empty_attach(struct bench_run *run, struct service_empty *empty,
			 const struct server *server)
{
	struct sites sites = {0};
	int result;

	*empty = (struct service_empty){-1, -1, {-1, -1}};
	if (find_sites(run, server, &sites))
		return -1;
	empty->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "runs", sizeof(uint32_t), sizeof(uint64_t),
				    1, NULL);
	result = empty->map < 0 ? -errno : load_program(empty);
	if (!result && sites.function) {
		empty->links[1] = link_sites(empty, server, &sites, MULTI_RETURN);
		result = empty->links[1] < 0 ? -errno : 0;
	}
	if (!result) {
		empty->links[0] = link_sites(empty, server, &sites, 0);
		result = empty->links[0] < 0 ? -errno : 0;
	}
	if (!result)
		return 0;
	service_empty_detach(empty);
	return bench_missing(run, "no uprobe_multi link here: %s", strerror(-result));
}

void service_empty_detach(struct service_empty *empty)
{
	const int fds[] = {empty->links[0], empty->links[1], empty->program, empty->map};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int64_t service_empty_runs(const struct service_empty *empty)
{
	uint32_t key = 0;
	uint64_t runs;

	return bpf_map_lookup_elem(empty->map, &key, &runs) ? -errno : (int64_t)runs;
}
