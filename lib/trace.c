/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the set of stacks, and what each shows. A stack holds its image only until it is resolved,
 * and every stack of an image is, before the image goes. */
#include "trace.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_target.h"
#include "demangle.h"
#include "stack.h"

/* ---- the set ---- */

static int compare(const void *left, const void *right)
{
	const struct trace *a = left;
	const struct trace *b = right;

	if (a->image_id != b->image_id)
		return a->image_id < b->image_id ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	for (size_t i = 0; i < a->size; i++) {
		if (a->steps[i].address != b->steps[i].address)
			return a->steps[i].address < b->steps[i].address ? -1 : 1;
		if (a->steps[i].is_return != b->steps[i].is_return)
			return a->steps[i].is_return - b->steps[i].is_return;
	}
	return (int)a->end - (int)b->end;
}

static void trace_free(void *arg)
{
	struct trace *trace = arg;

	free(trace->frames);
	free(trace);
}

static struct trace *trace_new(size_t size)
{
	struct trace *trace = calloc(1, sizeof(*trace) + size * sizeof(trace->steps[0]));

	if (trace)
		trace->size = size;
	return trace;
}

/* Takes over `wanted`. */
static int add(struct traces *traces, struct trace *wanted, struct trace **trace)
{
	struct trace **node = tsearch(wanted, &traces->tree, compare);

	if (!node || *node != wanted)
		trace_free(wanted);
	if (!node)
		return -ENOMEM;
	*trace = trace_use(*node);
	return 0;
}

struct trace *trace_use(struct trace *trace)
{
	if (trace)
		trace->users++;
	return trace;
}

void traces_drop(struct traces *traces, struct trace *trace)
{
	if (!trace || --trace->users)
		return;
	tdelete(trace, &traces->tree, compare);
	trace_free(trace);
}

/* ---- samples ---- */

static void take_registers(const struct stack_record *record, struct unwind_registers *registers)
{
	*registers = (struct unwind_registers){.ip = record->registers[SAMPLE_REGISTERS - 1]};
	for (unsigned int i = 0; i < SAMPLE_REGISTERS - 1; i++)
		unwind_registers_set(registers, i, record->registers[i]);
}

/* The kernel copies what it has been told to, to the end of the stack, or of the page before one that is not
 * there. */
static bool is_torn(uint64_t address, size_t size_bytes)
{
	return (address + size_bytes) % SAMPLE_PAGE_BYTES == 0 && size_bytes % SAMPLE_PAGE_BYTES;
}

int traces_add_user(struct traces *traces, const struct stack_record *record, const void *bytes,
		    struct trace **out)
{
	struct unwind_registers registers;
	struct unwind_stack stack = {
		.bytes = bytes,
		.size_bytes = record->size_bytes,
		.holes = record->holes,
		.returns = record->returns,
		.return_count = record->return_count,
		.trampoline = record->trampoline,
		.code = {record->code[0], record->code[1]},
	};
	struct unwind_trace found;
	struct image *image;
	struct trace *trace;
	int result;

	*out = NULL;
	take_registers(record, &registers);
	stack.address = registers.values[UNWIND_STACK_POINTER] - SAMPLE_POPPED_BYTES;
	stack.is_torn = is_torn(stack.address, stack.size_bytes);
	result = images_unwind(&traces->images, (pid_t)record->pid, record->at_ns, &registers,
			       &stack, &found, &image);
	if (result) {
		traces->ended[PROBEKIT_STACK_NONE] += result == -ESRCH;
		return result == -ESRCH ? 0 : result;
	}
	trace = trace_new(found.size);
	if (!trace)
		return -ENOMEM;
	trace->image_id = image->id;
	trace->image = image;
	trace->call.operation = (uint32_t)record->registers[UNWIND_ARGUMENT_2];
	trace->call.value = (uint32_t)record->registers[UNWIND_ARGUMENT_3];
	trace->end = found.end;
	traces->ended[found.end]++;
	traces->unwound++;
	/* what ends where it could not be read may have had the readable part behind its end */
	traces->cut_short += found.end == PROBEKIT_STACK_COPY_SHORT ||
			     (found.end == PROBEKIT_STACK_UNREADABLE && stack.is_torn);
	for (size_t i = 0; i < found.size; i++)
		trace->steps[i] = (struct trace_step){found.addresses[i], found.is_return[i]};
	return add(traces, trace, out);
}

int traces_add_kernel(struct traces *traces, const struct stack_record *record, struct trace **out)
{
	struct trace *trace;

	*out = NULL;
	if (!record->kernel_count)
		return 0;
	trace = trace_new(record->kernel_count);
	if (!trace)
		return -ENOMEM;
	trace->end = record->kernel_count < SAMPLE_KERNEL_FRAMES ? PROBEKIT_STACK_COMPLETE
								 : PROBEKIT_STACK_TOO_DEEP;
	for (size_t i = 0; i < trace->size; i++)
		trace->steps[i] = (struct trace_step){record->kernel[i], i > 0};
	return add(traces, trace, out);
}

/* ---- functions ---- */

static bool append(struct trace *trace, const struct symbol_frame *frames, size_t count)
{
	struct symbol_frame *grown =
		reallocarray(trace->frames, trace->frame_count + count, sizeof(*grown));

	if (!grown)
		return false;
	trace->frames = grown;
	memcpy(grown + trace->frame_count, frames, count * sizeof(*frames));
	trace->frame_count += count;
	return true;
}

/* The library's outermost function gets the name that its caller called it by; both may tell what
 * it waits for. */
static void name_called(struct traces *traces, struct trace *trace, const struct trace_step *caller)
{
	struct symbol_frame *called = &trace->frames[trace->frame_count - 1];
	char name[DEMANGLED_BYTES_MAX];
	const char *symbol;

	trace->lock_kind = stack_view_lock_kind(trace->frames, trace->frame_count, &trace->call);
	symbol = caller->is_return ? call_target(&trace->image->space, caller->address) : NULL;
	if (!symbol)
		return;
	demangle(symbol, name, sizeof(name));
	if (called->function && strcmp(name, called->function) == 0)
		return;
	called->function = symbolizer_keep(traces->symbolizer, name);
	called->file = NULL;
	called->line = 0;
}

static bool resolve_user(struct traces *traces, struct trace *trace)
{
	bool is_inside = true; /* of the run-time environment */

	for (size_t i = 0; i < trace->size; i++) {
		const struct trace_step *step = &trace->steps[i];
		struct symbol_frames found;

		symbolizer_resolve(traces->symbolizer, &trace->image->space, step->address,
				   step->is_return, &found);
		if (is_inside && !stack_view_is_runtime(found.frames[0].module)) {
			is_inside = false;
			if (i)
				name_called(traces, trace, step);
		}
		if (!append(trace, found.frames, found.size))
			return false;
	}
	trace->hidden = stack_view_hidden(trace->frames, trace->frame_count);
	/* (or more, where it is a lock of the library's own) */
	if (!trace->lock_kind || strcmp(trace->lock_kind, "libc") == 0)
		trace->lock_kind =
			stack_view_lock_kind(trace->frames, trace->frame_count, &trace->call);
	return true;
}

/* Where the kernel hides its addresses no name is left, and no frame. */
static bool resolve_kernel(struct traces *traces, struct trace *trace)
{
	if (!traces->is_kallsyms_tried) {
		traces->is_kallsyms_tried = true;
		if (kallsyms_load(&traces->kallsyms, NULL))
			traces->kallsyms = NULL;
	}
	for (size_t i = 0; traces->kallsyms && i < trace->size; i++) {
		const struct trace_step *step = &trace->steps[i];
		struct symbol_frame frame = {0};
		struct kernel_symbol symbol;
		char module[64];

		if (kallsyms_find(traces->kallsyms, step->address - step->is_return, &symbol))
			continue;
		snprintf(module, sizeof(module), "[%s]",
			 symbol.module[0] ? symbol.module : "kernel");
		frame.function = symbol.name;
		frame.offset = symbol.offset;
		frame.module = symbolizer_keep(traces->symbolizer, module);
		if (!append(trace, &frame, 1))
			return false;
	}
	trace->hidden = stack_view_hidden_kernel(trace->frames, trace->frame_count);
	return true;
}

int traces_resolve(struct traces *traces, struct trace *trace)
{
	bool is_done;

	if (trace->is_resolved)
		return 0;
	is_done = trace->image_id ? resolve_user(traces, trace) : resolve_kernel(traces, trace);
	if (!is_done) {
		free(trace->frames);
		trace->frames = NULL;
		trace->frame_count = 0;
		return -ENOMEM;
	}
	trace->is_resolved = true;
	trace->image = NULL;
	return 0;
}

/* ---- images that go ---- */

struct release {
	struct traces *traces;
	const struct image *image;
};

static void resolve_in(const void *node, VISIT visit, void *arg)
{
	struct trace *trace = *(struct trace *const *)node;
	struct release *release = arg;

	if ((visit != postorder && visit != leaf) || trace->image != release->image)
		return;
	/* Without memory it stays empty. */
	if (traces_resolve(release->traces, trace)) {
		trace->is_resolved = true;
		trace->image = NULL;
	}
}

static void on_release(struct image *image, void *arg)
{
	struct traces *traces = arg;
	struct release release = {traces, image};

	twalk_r(traces->tree, resolve_in, &release);
}

int traces_init(struct traces *traces)
{
	*traces = (struct traces){0};
	if (symbolizer_new(&traces->symbolizer))
		return -ENOMEM;
	images_init(&traces->images, symbolizer_modules(traces->symbolizer));
	traces->images.on_release = on_release;
	traces->images.arg = traces;
	return 0;
}

void traces_done(struct traces *traces)
{
	tdestroy(traces->tree, trace_free);
	images_done(&traces->images);
	kallsyms_free(traces->kallsyms);
	symbolizer_free(traces->symbolizer);
	*traces = (struct traces){0};
}

/* ---- what they show ---- */

bool trace_is_shown_same(const struct trace *a, const struct trace *b)
{
	size_t count = a->frame_count - a->hidden;

	if (a == b)
		return true;
	if (b->frame_count - b->hidden != count || a->end != b->end)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!stack_view_is_same_place(&a->frames[a->hidden + i], &b->frames[b->hidden + i]))
			return false;
	return true;
}

bool trace_is_at_same_function(const struct trace *a, const struct trace *b)
{
	if (a->hidden == a->frame_count || b->hidden == b->frame_count)
		return a->hidden == a->frame_count && b->hidden == b->frame_count;
	return stack_view_is_same_function(&a->frames[a->hidden], &b->frames[b->hidden]);
}

int trace_show(const struct trace *trace, double share, struct probekit_stack *stack)
{
	struct probekit_stack borrowed = {
		.size = trace->frame_count - trace->hidden,
		.is_complete = trace->end == PROBEKIT_STACK_COMPLETE,
		.end = trace->end,
		.share = share,
	};
	int result;

	borrowed.frames = calloc(borrowed.size ? borrowed.size : 1, sizeof(*borrowed.frames));
	if (!borrowed.frames)
		return -ENOMEM;
	for (size_t i = 0; i < borrowed.size; i++) {
		const struct symbol_frame *frame = &trace->frames[trace->hidden + i];

		borrowed.frames[i] = (struct probekit_frame){
			.function = frame->function,
			.module = frame->module,
			.module_offset = frame->module_offset,
			.file = frame->file,
			.line = frame->line,
			.is_inlined = frame->is_inlined,
		};
	}
	result = stack_copy(stack, &borrowed);
	free(borrowed.frames);
	return result;
}
