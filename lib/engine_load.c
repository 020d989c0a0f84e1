/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns how the BPF object gets into the kernel. libbpf would read all types of the kernel, look through them
 * for each that programs name, and load one program after the other. So it is given an excerpt of the types
 * instead, programs have sections of our own, for which libbpf asks here what they attach to, and the big ones are
 * loaded by threads meanwhile: those of tracepoints and iterators while spans are calibrated, too.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine_state.h"
#include "kernel_types.h"

#define JOB_LEAST 256 /* instructions that are worth a thread */
#define MAX_JOBS 32
#define LICENSE "Dual BSD/GPL"

/* A program that a thread loads. */
struct job {
	struct bpf_program *program;
	enum bpf_prog_type type;
	struct bpf_prog_load_opts options;
	struct bpf_insn *code;
	size_t size;
	pthread_t thread;
	int fd; /* or -errno */
	bool is_done;
};

struct loading {
	const struct kernel_types *types;
	struct job jobs[MAX_JOBS];
	size_t job_count;
};

/* libbpf passes nothing of ours to prepare(). */
static _Thread_local struct loading *loading;

/* ---- jobs ---- */

static void *run(void *arg)
{
	struct job *job = arg;

	job->fd = bpf_prog_load(job->type, bpf_program__name(job->program), LICENSE, job->code,
				job->size, &job->options);
	return NULL;
}

/* Libbpf before 1.2 takes the attach type from the options, later ones from the program. */
static void set_kind(struct bpf_program *program, struct bpf_prog_load_opts *options,
		     enum bpf_prog_type type, enum bpf_attach_type attach_type)
{
	bpf_program__set_type(program, type);
	bpf_program__set_expected_attach_type(program, attach_type);
	options->expected_attach_type = attach_type;
}

/* Leaves libbpf a program to load in its place that costs nothing. */
static int leave_stub(struct bpf_program *program, struct bpf_prog_load_opts *options)
{
	struct bpf_insn stub[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	options->attach_btf_id = 0;
	options->prog_flags = 0;
	options->func_info_cnt = 0;
	options->line_info_cnt = 0;
	set_kind(program, options, BPF_PROG_TYPE_SOCKET_FILTER, 0);
	return bpf_program__set_insns(program, stub, sizeof(stub) / sizeof(*stub));
}

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size + 1);

	return copy ? memcpy(copy, bytes, size) : NULL;
}

/* Takes `code` over if it succeeds; else the program is left to libbpf. */
static bool start_job(struct bpf_program *program, const struct bpf_prog_load_opts *options,
		      struct bpf_insn *code, size_t size)
{
	struct job *job = &loading->jobs[loading->job_count];
	struct bpf_prog_load_opts *own = &job->options;

	if (loading->job_count == MAX_JOBS || size < JOB_LEAST)
		return false;
	*job = (struct job){
		.program = program,
		.type = bpf_program__type(program),
		.code = code,
		.size = size,
	};
	memcpy(own, options, sizeof(*own)); /* of a newer libbpf it is longer */
	own->sz = sizeof(*own);
	own->expected_attach_type = bpf_program__expected_attach_type(program);
	own->func_info = copy_of(options->func_info,
				 (size_t)options->func_info_cnt * options->func_info_rec_size);
	own->line_info = copy_of(options->line_info,
				 (size_t)options->line_info_cnt * options->line_info_rec_size);
	if (own->func_info && own->line_info && pthread_create(&job->thread, NULL, run, job) == 0) {
		loading->job_count++;
		return true;
	}
	free((void *)own->func_info);
	free((void *)own->line_info);
	return false;
}

/* Puts the program into the place of its stub. */
static int finish_job(struct job *job)
{
	int result = 0;

	if (job->is_done)
		return 0;
	job->is_done = true;
	pthread_join(job->thread, NULL);
	free(job->code);
	free((void *)job->options.func_info);
	free((void *)job->options.line_info);
	if (job->fd < 0)
		return job->fd;
	if (dup3(job->fd, bpf_program__fd(job->program), O_CLOEXEC) < 0)
		result = -errno;
	close(job->fd);
	return result;
}

static int finish_probes(struct loading *jobs)
{
	int result = 0;

	for (size_t i = 0; i < jobs->job_count && !result; i++)
		if (jobs->jobs[i].type == BPF_PROG_TYPE_KPROBE)
			result = finish_job(&jobs->jobs[i]);
	return result;
}

int engine_finish_load(struct engine *engine)
{
	struct loading *jobs = engine->loading;
	int result = 0;

	for (size_t i = 0; jobs && i < jobs->job_count; i++) {
		int error = finish_job(&jobs->jobs[i]);

		if (!result)
			result = error;
	}
	free(jobs);
	engine->loading = NULL;
	return result;
}

/* ---- what libbpf asks ---- */

enum section {
	AT_PROBE,
	AT_TRACEPOINT,
	AT_TASKS,
	AT_TASKS_SLEEPING,
};

/* Puts in the ids of the kernel's functions. Of one that the kernel has not, nothing leads to the call. */
static void call_kernel(struct bpf_insn *code, size_t size)
{
	static const char *const names[] = {
		"bpf_task_from_pid",
		"bpf_task_release",
		"bpf_rdonly_cast",
	};

	for (size_t i = 0; i < size; i++) {
		uint32_t which = (uint32_t)code[i].imm - KERNEL_TASK_FROM_PID;
		uint32_t id;

		if (code[i].code != (BPF_JMP | BPF_CALL) || code[i].src_reg ||
		    which >= sizeof(names) / sizeof(*names))
			continue;
		id = kernel_types_find(loading->types, names[which], BTF_KIND_FUNC);
		if (id) {
			code[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
			code[i].imm = (int32_t)id;
		}
	}
}

static int attach_to(struct bpf_program *program, struct bpf_prog_load_opts *options,
		     enum bpf_attach_type attach_type, const char *name, unsigned int kind)
{
	uint32_t id = kernel_types_find(loading->types, name, kind);

	if (!id)
		return -ESRCH;
	options->attach_btf_id = id;
	set_kind(program, options, BPF_PROG_TYPE_TRACING, attach_type);
	return 0;
}

static int find_target(struct bpf_program *program, struct bpf_prog_load_opts *options,
		       enum section section)
{
	const char *tracepoint = strchr(bpf_program__section_name(program), '/');
	char name[64];

	if (section == AT_PROBE)
		return 0;
	if (section == AT_TASKS_SLEEPING)
		options->prog_flags |= BPF_F_SLEEPABLE;
	if (section != AT_TRACEPOINT || !tracepoint)
		return attach_to(program, options, BPF_TRACE_ITER, "bpf_iter_task", BTF_KIND_FUNC);
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint + 1);
	return attach_to(program, options, BPF_TRACE_RAW_TP, name, BTF_KIND_TYPEDEF);
}

static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *options, long section)
{
	size_t size = bpf_program__insn_cnt(program);
	struct bpf_insn *code = copy_of(bpf_program__insns(program), size * sizeof(*code));
	int result = code ? find_target(program, options, (enum section)section) : -ENOMEM;

	if (!result)
		call_kernel(code, size);
	if (!result && start_job(program, options, code, size))
		return leave_stub(program, options);
	if (!result)
		result = bpf_program__set_insns(program, code, size);
	free(code);
	return result;
}

/* Of the types that libbpf knows none must have it read the kernel's. */
static void register_sections(void)
{
	static const struct {
		const char *name;
		enum bpf_prog_type type;
	} sections[] = {
		[AT_PROBE] = {"probekit.probe", BPF_PROG_TYPE_KPROBE},
		[AT_TRACEPOINT] = {"probekit.tp/", BPF_PROG_TYPE_RAW_TRACEPOINT},
		[AT_TASKS] = {"probekit.iter", BPF_PROG_TYPE_RAW_TRACEPOINT},
		[AT_TASKS_SLEEPING] = {"probekit.iter.s", BPF_PROG_TYPE_RAW_TRACEPOINT},
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, options, .cookie = (long)i,
			    .prog_prepare_load_fn = prepare);

		libbpf_register_prog_handler(sections[i].name, sections[i].type, 0, &options);
	}
}

/* ---- the object ---- */

int engine_open_object(struct engine *engine)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char path[64];
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = path);

	pthread_once(&once, register_sections);
	engine->types_fd = memfd_create("probekit_types", MFD_CLOEXEC);
	if (engine->types_fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", engine->types_fd);
	engine->bpf = probekit_bpf__open_opts(&options);
	if (engine->bpf)
		return 0;
	close(engine->types_fd);
	return -ENOMEM;
}

static int load_by(struct engine *engine, const struct kernel_types *types)
{
	int result =
		kernel_types_excerpt(types, bpf_object__btf(engine->bpf->obj), engine->types_fd);

	if (result)
		return result;
	engine->loading = calloc(1, sizeof(*engine->loading));
	if (!engine->loading)
		return -ENOMEM;
	engine->bpf->rodata->task_type = kernel_types_find(types, "task_struct", BTF_KIND_STRUCT);
	engine->bpf->rodata->registers_type = kernel_types_find(types, "pt_regs", BTF_KIND_STRUCT);
	loading = engine->loading;
	loading->types = types;
	result = probekit_bpf__load(engine->bpf);
	loading = NULL;
	return result ? result : finish_probes(engine->loading);
}

int engine_load_object(struct engine *engine, const struct kernel_types *types)
{
	struct kernel_types *own = NULL;
	int result = types ? 0 : kernel_types_new(&own);

	if (!result)
		result = load_by(engine, types ? types : own);
	kernel_types_free(own);
	close(engine->types_fd);
	engine->types_fd = -1;
	return result;
}
