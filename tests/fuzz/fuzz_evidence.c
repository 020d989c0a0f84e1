/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as records of the kernel: two bytes of length and the record, again and again. A record
 * of process 0 becomes one of this process, and its address 0 one of its functions, so that there is
 * something to unwind. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence.h"
#include "stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_any(const struct wait_identity *wait, void *arg)
{
	(void)wait;
	(void)arg;
	return true;
}

static void fill_in(unsigned char *bytes, size_t size)
{
	struct stack_record header;

	if (size < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	if (!header.pid)
		header.pid = (uint32_t)getpid();
	if (!header.registers[7])
		header.registers[7] = (uintptr_t)&header;
	if (!header.registers[SAMPLE_REGISTERS - 1])
		header.registers[SAMPLE_REGISTERS - 1] = (uintptr_t)LLVMFuzzerTestOneInput;
	memcpy(bytes, &header, sizeof(header));
}

/* Of the exact size, so that a sanitizer sees every overrun. */
static void add(struct evidence *evidence, const uint8_t *data, size_t size)
{
	unsigned char *record = malloc(size ? size : 1);
	struct probekit_stack stack;
	const char *lock_kind;

	if (!record)
		return;
	memcpy(record, data, size);
	fill_in(record, size);
	if (evidence_add(evidence, record, size) == 0 && size >= sizeof(struct stack_record) &&
	    evidence_stack(evidence, record, size, &stack, &lock_kind) == 0)
		stack_done(&stack);
	free(record);
}

static void show(struct evidence *evidence, uint32_t probe)
{
	struct probekit_slow_span *spans;
	struct probekit_cause oncpu = {0};
	struct probekit_cause wait = {0};
	size_t count;

	if (evidence_fill(evidence, is_any, NULL, probe, &wait) ||
	    evidence_fill_oncpu(evidence, probe, &oncpu) ||
	    evidence_slowest(evidence, probe, &spans, &count))
		abort();
	for (size_t i = 1; i < count; i++)
		if (spans[i].duration_ns > spans[i - 1].duration_ns)
			abort();
	free(spans);
	stack_done(&oncpu.stack);
	stack_done(&oncpu.kernel_stack);
	stack_done(&wait.stack);
	stack_done(&wait.kernel_stack);
	stack_done(&wait.waker_stack);
	if (wait.holder)
		stack_done(&wait.holder->stack);
	free(wait.holder);
}

/* Whatever was sampled, no time is lost. */
static void share_out(struct evidence *evidence)
{
	const struct profile_total totals[] = {
		{{.pid = (uint32_t)getpid(), .syscall = NO_SYSCALL, .time_class = CLASS_ONCPU},
		 12345},
		{{.pid = (uint32_t)getpid(), .syscall = 0, .time_class = CLASS_ONCPU}, 54321},
	};
	struct probekit_profile *profile = calloc(1, sizeof(*profile));
	uint64_t ns = 0;

	if (!profile || evidence_profile(evidence, totals, 2, true, profile))
		abort();
	for (size_t i = 0; i < probekit_profile_size(profile); i++)
		ns += probekit_profile_entry(profile, i)->time_ns;
	if (ns != totals[0].ns + totals[1].ns)
		abort();
	probekit_profile_free(profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evidence *evidence;
	uint16_t length;

	if (evidence_new(&evidence))
		return 0;
	while (size >= sizeof(length)) {
		memcpy(&length, data, sizeof(length));
		data += sizeof(length);
		size -= sizeof(length);
		if (length > size)
			length = (uint16_t)size;
		add(evidence, data, length);
		data += length;
		size -= length;
	}
	for (uint32_t probe = 0; probe < 4; probe++)
		show(evidence, probe);
	share_out(evidence);
	evidence_free(evidence);
	return 0;
}
