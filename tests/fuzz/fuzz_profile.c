/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles of any bytes: lines of the input are names, their first byte says of what. Whatever
 * they are, the files keep the sum of the times and have no markup and no line that is not ours.
 * */
#include <stdlib.h>
#include <string.h>

#include "profile.h"

#define ENTRIES_MAX 64
#define FRAMES_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct maker {
	struct probekit_profile profile;
	struct probekit_profile_entry entries[ENTRIES_MAX];
	struct probekit_frame frames[ENTRIES_MAX][FRAMES_MAX]; /* user space from the start on */
};

static void add_entry(struct maker *maker, uint8_t kind, const char *name)
{
	struct probekit_profile_entry *entry = &maker->entries[maker->profile.size];

	if (maker->profile.size == ENTRIES_MAX)
		return;
	*entry = (struct probekit_profile_entry){
		.time_class = (enum probekit_class)(kind % PROBEKIT_CLASS_COUNT),
		.pid = kind,
		.comm = name,
		.syscall = kind & 64 ? "read" : NULL,
		.stack = {.frames = maker->frames[maker->profile.size], .is_complete = kind & 32},
		.time_ns = (uint64_t)kind * kind * 501,
		.samples = kind,
	};
	entry->kernel_stack.frames = entry->stack.frames + FRAMES_MAX / 2;
	maker->profile.size++;
}

static void add_frame(struct maker *maker, uint8_t kind, const char *name)
{
	struct probekit_profile_entry *entry;
	struct probekit_stack *stack;

	if (maker->profile.size == 0)
		return;
	entry = &maker->entries[maker->profile.size - 1];
	stack = kind & 1 ? &entry->kernel_stack : &entry->stack;
	if (stack->size == FRAMES_MAX / 2)
		return;
	stack->frames[stack->size++] = (struct probekit_frame){
		.function = kind & 2 ? name : NULL,
		.module = kind & 4 ? name : NULL,
		.file = kind & 8 ? name : NULL,
		.is_inlined = kind & 16,
		.module_offset = kind,
		.line = kind,
	};
}

static void check_folded(const struct probekit_profile *profile)
{
	uint64_t left_ns = 0;
	char *text;
	size_t size;

	for (size_t i = 0; i < profile->size; i++)
		left_ns += profile->entries[i].time_ns;
	if (profile_to_folded(profile, &text, &size))
		return;
	for (char *line = text; *line;) {
		char *end = strchr(line, '\n');
		char *space;

		*end = '\0';
		space = strrchr(line, ' ');
		left_ns -= 1000 * strtoull(space + 1, NULL, 10);
		line = end + 1;
	}
	if (left_ns >= 1000)
		__builtin_trap();
	free(text);
}

static void check_svg(const struct probekit_profile *profile)
{
	static const char *const ours[] = {"<?xml ",
					   "<svg ",
					   "</svg>",
					   "<style>",
					   "</style>",
					   "<rect ",
					   "<g ",
					   "</g>",
					   "<title>",
					   "</title>",
					   "<text ",
					   "</text>",
					   "<foreignObject ",
					   "</foreignObject>",
					   "<input ",
					   "<script>"};
	char *text;
	size_t size;

	if (profile_to_svg(profile, &text, &size))
		return;
	/* The script is the last element: behind it there is nothing foreign. */
	for (const char *at = text; (at = strchr(at, '<')) && strncmp(at, "<script>", 8) != 0;
	     at++) {
		bool is_ours = strncmp(at, "<![CDATA[\n/* SPDX", 17) == 0;

		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			is_ours |= strncmp(at, ours[i], strlen(ours[i])) == 0;
		if (!is_ours)
			__builtin_trap();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maker *maker = calloc(1, sizeof(*maker));
	char *text = malloc(size + 1);
	char *rest = text;
	char *line;
	char *bytes;

	if (maker && text) {
		memcpy(text, data, size);
		text[size] = '\0';
		maker->profile.entries = maker->entries;
		maker->profile.info.target = text;
		maker->profile.info.has_oncpu = true;
		while ((line = strsep(&rest, "\n"))) {
			uint8_t kind = (uint8_t)*line;

			if (kind & 128)
				add_entry(maker, kind & 127, line + 1);
			else if (kind)
				add_frame(maker, kind, line + 1);
		}
		check_folded(&maker->profile);
		check_svg(&maker->profile);
		if (profile_to_pprof(&maker->profile, &bytes, &size) == 0)
			free(bytes);
	}
	free(text);
	free(maker);
	return 0;
}
